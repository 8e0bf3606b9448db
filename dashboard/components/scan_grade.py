"""The model's grade with probabilities, the reasons of the verdict and the artifacts found. Markup only."""

from core.measures.device_index import INDEX_LIMITS
from core.scoring.card import calibration_in
from core.store.scan_view import AssessmentView, ScanView
from core.values import Reason
from core.vocabulary import ReasonCode, ScanKind, ScanState, Severity, Verdict
from core.wording import (
    ARTIFACT_NAMES,
    FIXABLE_NAMES,
    SEVERITY_NAMES,
    STATE_NAMES,
    VERDICT_NAMES,
    grade_name,
    reason_code_words,
)
from dashboard.components.guarantee import accept_line
from dashboard.components.markup import Html, chip, join, percent, tag
from dashboard.overlay import ARTIFACT_COLOURS

VERDICT_TONES = {Verdict.ACCEPT: "good", Verdict.REVIEW: "warn", Verdict.REACQUIRE: "bad"}
SEVERITY_TONES = {Severity.NONE: "calm", Severity.MILD: "warn", Severity.SEVERE: "bad"}
STRANGERS = frozenset({ReasonCode.NOT_OCTA, ReasonCode.NOT_OF_KIND})
OF_ANOTHER_KIND = "What the model says of a picture of another kind means nothing, so it is not shown."


def grade(view: ScanView) -> Html:
    """The grade that counts, whose it is, and the model's probabilities of all classes."""
    assessment = view.assessment
    if assessment is None:
        return _not_scored(view)
    if view.human_ordinal is not None:
        head = [tag("strong", grade_name(view.human_ordinal, view.kind)), chip("by a person", "info")]
        if view.human_ordinal != assessment.ordinal:
            head.append(tag("span", f"model: {grade_name(assessment.ordinal, view.kind)}", class_="muted small"))
    elif assessment.is_abstained:
        head = [tag("strong", "Model abstained")]
    else:
        head = [tag("strong", grade_name(assessment.ordinal, view.kind)), chip("by the model")]
    verdict = view.final_verdict or assessment.verdict
    head.append(chip(VERDICT_NAMES[verdict], VERDICT_TONES[verdict]))
    accept = accept_line(calibration_in(assessment.card), assessment.conformal_level)
    return tag(
        "section",
        tag("div", *head, class_="grade"),
        tag("p", OF_ANOTHER_KIND, class_="muted") if is_stranger(view) else _probabilities(assessment, view.kind),
        accept,
        device_index(view),
        aria_label="Grade",
    )


def is_stranger(view: ScanView) -> bool:
    """Whether the model found the image to be no scan of its kind: whatever else it says of it means nothing."""
    judged = view.assessment
    return judged is not None and any(reason.code in STRANGERS for reason in judged.reasons)


def device_index(view: ScanView) -> Html | None:
    """The device's own index beside its published limit; None where the device gave none.

    The two may disagree, and both are shown: an index does not see motion or a wrong centre.
    """
    if view.device_quality is None:
        return None
    name, value = view.device_quality
    limit = INDEX_LIMITS.get(name)
    words = tag("b", f"Device index {name} {value:g}")
    if limit is None:
        return tag("p", words, " · no published limit", class_="small")
    verdict = ("reaches", "good") if limit.is_met_by(value) else ("below", "warn")
    source = tag("span", f" the limit of {limit.limit:g} ({limit.device})", title=limit.source)
    return tag("p", words, " ", chip(*verdict), source, class_="small")


def _not_scored(view: ScanView) -> Html:
    words = {
        ScanState.FAILED: "The model could not score this scan. An administrator can put it back into the queue.",
        ScanState.QUARANTINED: "Scoring this scan ended its worker several times, so it was set aside. "
        "An administrator can look at it and put it back into the queue.",
    }.get(view.state, "The scan is in the queue. Its grade appears here by itself once you open the page again.")
    why = tag("p", f"Last attempt: {view.failure}", class_="small muted") if view.failure else None
    return tag("section", tag("h3", STATE_NAMES[view.state]), tag("p", words), why, class_="empty", role="status")


def _probabilities(assessment: AssessmentView, kind: ScanKind) -> Html:
    top = max(assessment.probabilities, key=lambda label: assessment.probabilities[label])
    rows: list[Html] = []
    for label, probability in assessment.probabilities.items():
        mark = "is-top" if label == top else None
        fill = tag("span", class_=f"fill {mark or ''}".strip(), style=f"width:{100 * probability:.1f}%")
        rows += [
            tag("span", label.capitalize(), class_=mark),
            tag("span", fill, class_="track", aria_hidden="true"),
            tag("span", percent(probability), class_=f"num {mark or ''}".strip()),
        ]
    inherited = assessment.inherited_ordinal
    note = (
        tag("p", f"Superficial slab of this capture: {grade_name(inherited, kind)}", class_="small muted")
        if inherited is not None
        else None
    )
    return join([tag("div", *rows, class_="probs"), note])


def reasons(view: ScanView) -> Html:
    """Why the scan is flagged and what cures it, the weightiest reason first; nothing for a plain acceptance."""
    if view.assessment is None or not view.assessment.reasons:
        return Html("")
    return join(_reason(reason, is_first=at == 0) for at, reason in enumerate(view.assessment.reasons))


def _reason(reason: Reason, *, is_first: bool) -> Html:
    return tag(
        "div",
        tag("p", reason.text, class_="lead"),
        tag("p", reason.remedy, class_="remedy") if reason.remedy else None,
        tag("p", f"{reason_code_words(reason.code)} · {FIXABLE_NAMES[reason.operator_fixable]}", class_="code"),
        class_="reason bad" if is_first else "reason warn",
    )


def artifacts_table(view: ScanView) -> Html:
    """Share and severity of each artifact type."""
    if view.assessment is None:
        return tag("p", "Not scored yet.", class_="muted")
    head = tag(
        "tr",
        tag("th", "Artifact", scope="col"),
        tag("th", "Area", scope="col", class_="num"),
        tag("th", "Scan lines", scope="col", class_="num"),
        tag("th", "Severity", scope="col"),
    )
    rows = (
        tag(
            "tr",
            tag(
                "th",
                tag("i", class_="swatch", style=f"background:{ARTIFACT_COLOURS[mark.type]}"),
                ARTIFACT_NAMES[mark.type],
                scope="row",
            ),
            tag("td", percent(mark.area_fraction, 1), class_="num"),
            tag("td", "–" if mark.line_fraction is None else percent(mark.line_fraction, 1), class_="num"),
            tag("td", chip(SEVERITY_NAMES[mark.severity], SEVERITY_TONES[mark.severity])),
        )
        for mark in view.assessment.artifacts
    )
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    note = tag(
        "p", "Share of the protocol's region of interest. None under 1 %, severe above 10 %.", class_="small muted"
    )
    return join([tag("div", table, class_="scroll"), note])
