"""All captures of an expected scan side by side, before and after, with the course of the requests. Markup only."""

from collections.abc import Sequence
from datetime import date

from core.store.capture_set import CaptureSet, SetCapture, SetScan
from core.store.scan_history import STEP_WORDS
from core.store.tracker import CourseStep, TrackedRequest
from core.vocabulary import ScanState, Severity, Slab, StepKind
from core.wording import (
    ARTIFACT_NAMES,
    REASON_NAMES,
    REQUEST_NAMES,
    REQUEST_STEPS,
    SEVERITY_NAMES,
    SLAB_NAMES,
    STATE_NAMES,
    grade_name,
)
from dashboard.components.countdown import countdown
from dashboard.components.markup import Content, Html, chip, join, page_link, tag

_TONES = {Severity.NONE: "good", Severity.MILD: "warn", Severity.SEVERE: "bad"}


def captures_table(captures: CaptureSet, asked: Sequence[TrackedRequest] = ()) -> Html:
    """One column per capture, the first one taken first; per slab its image, grade, artifacts and reasons."""
    slabs = [slab for slab in Slab if any(scan.slab is slab for each in captures.captures for scan in each.scans)]
    heads = [tag("th", _capture_head(captures, capture, asked), scope="col") for capture in captures.captures]
    head = tag("thead", tag("tr", tag("td", ""), *heads))
    rows = [row for slab in slabs for row in _slab_rows(captures, slab, is_named=len(slabs) > 1)]
    return tag(
        "div", tag("table", head, tag("tbody", *rows), class_="captures"), class_="scroll", tabindex="0",
        role="region", aria_label="Captures of this expected scan",
    )  # fmt: skip


def _capture_head(captures: CaptureSet, capture: SetCapture, asked: Sequence[TrackedRequest]) -> Html:
    number = captures.captures.index(capture) + 1
    marks = [chip("Stands for the visit", "good", title=_why_best(captures))] if capture is captures.best else []
    ids = {scan.scan_id for scan in capture.scans}
    rounds = [request.round_number for request in asked if request.scan_id in ids]
    marks += [chip(f"Asked again, round {number_of}", "warn") for number_of in rounds]
    who = f" by {capture.technician_code}" if capture.technician_code else ""
    taken = tag("span", f"{capture.acquired_at:%d %b %Y, %H:%M}{who}", class_="name")
    name = "First capture" if number == 1 else f"Capture {number}"
    return tag("div", tag("b", f"{name} · {capture.code}"), taken, tag("div", *marks, class_="more"))


def _why_best(captures: CaptureSet) -> str:
    if captures.chosen is not None and captures.choice is not None:
        return f"Chosen by {captures.choice.who} on {captures.choice.at:%d %b %Y}: {captures.choice.reason}"
    return "By rule: the highest grade of its worst slab, and of equal ones the newest"


def _slab_rows(captures: CaptureSet, slab: Slab, *, is_named: bool) -> list[Html]:
    scans = [next((s for s in each.scans if s.slab is slab), None) for each in captures.captures]
    name = f"{SLAB_NAMES[slab]}: " if is_named else ""
    rows = (("image", _image), ("grade", _grade), ("artifacts", _artifacts), ("reasons", _reasons))
    return [
        tag(
            "tr",
            tag("th", f"{name}{words}".capitalize() if not is_named else f"{name}{words}", scope="row"),
            *(tag("td", draw(scan) if scan is not None else tag("span", "not sent", class_="muted")) for scan in scans),
        )
        for words, draw in rows
    ]


def _image(scan: SetScan) -> Content:
    image = tag("img", src=f"/scans/{scan.scan_id}/tile.png?size=320", alt="", loading="lazy", width=224, height=224)
    return page_link(
        join([image, tag("span", f"Open scan {scan.scan_id}", class_="small")]), "scan", {"id": scan.scan_id}
    )


def _grade(scan: SetScan) -> Content:
    if scan.is_hidden:
        return tag("span", "hidden until you have graded it", class_="muted")
    if scan.ordinal is None:
        words = "the model was not sure" if scan.state in {ScanState.UNDER_REVIEW, ScanState.QUERIED} else "not scored"
        return tag("span", f"{STATE_NAMES[scan.state]}: {words}", class_="muted")
    who = "by a person" if scan.is_by_person else "by the model"
    return join([tag("b", grade_name(scan.ordinal, scan.kind)), tag("span", who, class_="name")])


def _artifacts(scan: SetScan) -> Content:
    if scan.is_hidden:
        return ""
    if not scan.severities:
        return tag("span", "none measured", class_="muted")
    return tag(
        "div",
        *(chip(f"{ARTIFACT_NAMES[type_]}: {SEVERITY_NAMES[found]}", _TONES[found]) for type_, found in scan.severities),
        class_="more",
    )


def _reasons(scan: SetScan) -> Content:
    if scan.is_hidden:
        return ""
    if not scan.reasons:
        return tag("span", "none", class_="muted")
    return join((tag("span", REASON_NAMES[reason.code], title=reason.text) for reason in scan.reasons), "; ")


def best_words(captures: CaptureSet) -> Html:
    """Which capture stands for the expected scan, and why."""
    if captures.best is None:
        return tag("p", "No capture is gradable yet, so none stands for this expected scan.", class_="verdict")
    why = _why_best(captures)
    return tag(
        "p", tag("b", f"Capture {captures.best.code} stands for this expected scan. "), f"{why}. ",
        tag("span", "The rates ask whether there is a gradable capture, not which.", class_="muted"), class_="verdict",
    )  # fmt: skip


def course(rounds: Sequence[TrackedRequest], steps: Sequence[CourseStep], today: date) -> Html:
    """What happened to every round, the first first: who did what when, and what is left of the window."""
    return tag("div", *(_round(each, [s for s in steps if s.request_id == each.id], today) for each in rounds))


def _round(request: TrackedRequest, steps: Sequence[CourseStep], today: date) -> Html:
    head = tag(
        "div",
        tag("b", f"Round {request.round_number} of {request.n_rounds} · request {request.id}"),
        chip(REQUEST_NAMES[request.state], "good" if not request.is_open else "info"),
        chip(f"Owner {request.owner}" if request.owner else "No owner yet", "calm" if request.owner else "warn"),
        chip("Replacement found by the program", "calm") if request.is_link_found else None,
        class_="more",
    )
    asked = tag("p", tag("q", request.reason_words), class_="words")
    left = countdown(request.days_left(today), request.due_on) if request.is_owed else None
    return tag("section", head, asked, left, tag("ol", *(_step(step) for step in steps), class_="timeline"))


def _step(step: CourseStep) -> Html:
    words = REQUEST_STEPS[step.state] if step.kind is StepKind.MOVE else STEP_WORDS[step.kind]
    if step.who is None:
        words = REQUEST_NAMES[step.state] if step.kind is StepKind.MOVE else words
    who = tag("b", f"{step.who} ") if step.who else None
    when = tag("time", f"{step.at:%d %b %Y, %H:%M} UTC", datetime=step.at.isoformat())
    note = tag("div", tag("q", step.note)) if step.note else None
    return tag("li", when, who, words, note, class_="person" if step.who else None)
