"""The manager's part of the page Grading: the plan in words, where the scans stand, how far each grader is, results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from core.policy.grading_plan import GradingPlan, SettlingRule
from core.store.accepted_check import MOST_CHECKS
from core.store.grading_view import (
    MOST_SETTLED,
    GraderProgress,
    GradingProgress,
    SettledScan,
    read_progress,
    read_settled,
)
from core.store.protocol import read_protocols
from core.store.scan_filter import ScanFilter
from core.usecases.measure_acceptance import AcceptanceCheck, DeviceCheck, measure_acceptance
from core.values import NotComputable
from core.vocabulary import GradingState
from core.wording import count, percent
from dashboard.components.markup import Content, Html, chip, join, page_link, tag
from dashboard.components.pager import counted

DONE_DAYS = 91
"""What a grader has done is counted over a quarter."""
RULE_WORDS = {
    SettlingRule.UNANIMOUS: "Settled where all give the same grade; every other scan goes to an adjudicator (COIPS).",
    SettlingRule.MAJORITY: (
        "Settled where more than half give the same grade and nobody is two steps away; every other scan goes to an "
        "adjudicator."
    ),
}


@dataclass(frozen=True, slots=True)
class Programme:
    """What a manager sees of one study's grading."""

    plan: GradingPlan
    version: int
    progress: GradingProgress
    settled: tuple[SettledScan, ...]
    acceptance: AcceptanceCheck
    accept_level: float


def read_programme(session: Session, chosen: ScanFilter, study_id: int, *, today: date) -> Programme | None:
    """Plan and progress of a study under ``chosen``; None where the study has no protocol."""
    versions = read_protocols(session, [study_id]).by_study.get(study_id, ())
    if not versions:
        return None
    newest = versions[-1]
    return Programme(
        plan=newest.protocol.grading,
        version=newest.number,
        progress=read_progress(session, chosen, today=today, days=DONE_DAYS),
        settled=read_settled(session, chosen),
        acceptance=measure_acceptance(session, chosen),
        accept_level=newest.protocol.conformal_level,
    )


def plan_words(plan: GradingPlan, version: int) -> Html:
    """The plan, one sentence per rule."""
    sentences = (
        (
            f"{percent(plan.graded_share)} of the scored scans are drawn for masked grading by {plan.n_graders} "
            f"graders, due within {plan.due_days} days."
        ),
        RULE_WORDS[plan.rule],
        f"{percent(plan.senior_check_share)} of what the graders agree on is checked by an adjudicator.",
        (
            f"{percent(plan.repeat_share)} of each grader's scans come back to the same grader after "
            f"{plan.repeat_after_days} days."
        ),
        f"{percent(plan.accepted_check_share, 1)} of the scans that the model accepts are checked by a person.",
        "QC technicians are in calibration mode: first the own grade, then the model's."
        if plan.hides_model
        else "QC technicians see the model's grade, but for those in calibration mode below.",
    )
    source = tag("p", f"Grading plan of protocol version {version}.", class_="small muted")
    return tag("div", tag("ul", *(tag("li", sentence) for sentence in sentences)), source)


def progress_counters(progress: GradingProgress) -> Html:
    """Where the scans stand."""
    n = progress.n_by_state
    n_open = sum(grader.n_open for grader in progress.graders)
    n_late = sum(grader.n_overdue for grader in progress.graders)
    unsettled = n.get(GradingState.TO_ADJUDICATE, 0)
    alone = f"{count(progress.n_without_adjudicator)} without one" if progress.n_without_adjudicator else "given to one"
    return tag(
        "div",
        _counter("Wait for graders", n.get(GradingState.DRAWN, 0), "drawn, and too few may grade them"),
        _counter("With graders", n.get(GradingState.ASSIGNED, 0), f"{counted(n_open, 'grades')} to come"),
        _counter("Overdue", n_late, "grades after their day", tone="bad" if n_late else ""),
        _counter("With adjudicators", unsettled, alone, tone="warn" if progress.n_without_adjudicator else ""),
        class_="counters",
    )


def _counter(label: str, n: int, note: str, *, tone: str = "") -> Html:
    return tag(
        "div",
        tag("span", label, class_="label"),
        tag("span", count(n), class_=f"value {tone}".strip()),
        tag("span", note, class_="note"),
        class_="counter",
    )


def grader_table(progress: GradingProgress) -> Html:
    """How far each grader is; for managers alone, so with names."""
    heads = (
        tag("th", "Grader", scope="col"),
        *(
            tag("th", words, scope="col", class_="num")
            for words in ("Open", "Overdue", f"Done since {_day(progress.since)}")
        ),
    )
    rows = [_grader(grader) for grader in progress.graders]
    return _table(heads, rows, "Progress by grader")


def _grader(grader: GraderProgress) -> Html:
    name: Content = join([grader.name, " ", chip("disabled")]) if grader.is_disabled else grader.name
    late: Content = chip(count(grader.n_overdue), "bad") if grader.n_overdue else "0"
    return tag(
        "tr",
        tag("th", name, scope="row"),
        tag("td", count(grader.n_open), class_="num"),
        tag("td", late, class_="num"),
        tag("td", count(grader.n_done), class_="num"),
    )


def settled_words(settled: Sequence[SettledScan], query: dict[str, str]) -> Html:
    """What came of it, in a sentence each; more on the page Agreement."""
    n, n_agreed = len(settled), sum(len(set(scan.ordinals)) == 1 for scan in settled)
    checked = [scan for scan in settled if scan.is_senior_check]
    with_model = [scan for scan in settled if scan.model_ordinal is not None]
    n_equal = sum(scan.model_ordinal == scan.consensus_ordinal for scan in with_model)
    sentences = [f"{counted(n, 'scans')} settled; the graders agreed on {count(n_agreed)} ({percent(n_agreed / n)})."]
    if checked:
        sentences.append(
            f"The senior check changed {count(sum(scan.is_overruled for scan in checked))} of {count(len(checked))}."
        )
    if n >= MOST_SETTLED:
        sentences.append(f"Counted are the latest {count(MOST_SETTLED)}; there may be more.")
    if with_model:
        sentences.append(
            f"The model gives the consensus' grade in {count(n_equal)} of {count(len(with_model))} "
            f"({percent(n_equal / len(with_model))})."
        )
    link = page_link("Agreement, with intervals", "agreement", query)
    return tag("p", join([*(f"{sentence} " for sentence in sentences), link]))


def acceptance_words(found: AcceptanceCheck, accept_level: float) -> Html:
    """What the checks say of the accepted scans, and what the level promised."""
    overturned = found.overturned
    if isinstance(overturned, NotComputable):
        return tag("p", "No accepted scan has been checked in this selection yet.", class_="muted")
    sentences = [
        (
            f"{count(overturned.k)} of {count(overturned.n)} checked scans that the model accepted were found "
            f"ungradable: {_span(overturned.value, overturned.low, overturned.high)}."
        )
    ]
    if overturned.n >= MOST_CHECKS:
        sentences.append(f"Counted are the latest {count(MOST_CHECKS)} checks; a site or device shows its own.")
    if found.of_all is not None and found.accepted_share is not None:
        sentences.append(
            f"The model accepts {percent(found.accepted_share)}, so of all scans "
            f"{_span(*found.of_all)} are accepted although ungradable. The accept level promises at most "
            f"{percent(accept_level, 1)}."
        )
    return tag("p", " ".join(sentences), " ", _verdict(found, accept_level))


def _verdict(found: AcceptanceCheck, accept_level: float) -> Html | None:
    if found.of_all is None:
        return None
    _, low, high = found.of_all
    if low > accept_level:
        return chip("above the promise", "bad")
    return chip("within the promise", "good") if high <= accept_level else chip("too few checks to tell", "calm")


def _span(value: float, low: float, high: float) -> str:
    return f"{percent(value, 1)} (95 % interval {percent(low, 1)} – {percent(high, 1)})"


def device_table(devices: Sequence[DeviceCheck]) -> Html:
    """Checks by device, the most checked first."""
    heads = (
        tag("th", "Device", scope="col"),
        tag("th", "Overturned / checked", scope="col", class_="num"),
        tag("th", "Share (95 % interval)", scope="col", class_="num"),
    )
    return _table(heads, [_device(device) for device in devices], "Checks by device")


def _device(device: DeviceCheck) -> Html:
    found = device.overturned
    assert not isinstance(found, NotComputable), "a device is listed with its first check"
    return tag(
        "tr",
        tag("th", device.device_code, tag("span", device.site_code, class_="name"), scope="row"),
        tag("td", f"{count(found.k)} / {count(found.n)}", class_="num"),
        tag("td", f"{percent(found.value, 1)} ({percent(found.low, 1)} – {percent(found.high, 1)})", class_="num"),
    )


def _table(heads: Sequence[Html], rows: Sequence[Html], label: str) -> Html:
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label=label,
    )  # fmt: skip


def _day(day: date) -> str:
    return f"{day:%d %b %Y}"
