"""What people did with the demo study's scans: requests, replacements, masked grades, decisions, each on its own day.

The story comes from core.phantom.demo_study; every step goes through the use case that a person's click goes through.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy.orm import Session

from core.clock import pretending
from core.phantom.demo_values import DemoAcquisition, DemoRequest, DemoScan, DemoStep, DemoStudy
from core.policy.protocol import Protocol
from core.policy.review_form import Marks, prefilled_marks
from core.policy.scan_types import scan_type
from core.store.access import PROGRAM
from core.store.capture import CaptureKey
from core.store.demo import DemoScanRow, ScanPlace, read_masked_grades, read_requests, read_scans
from core.store.query_thread import read_threads
from core.usecases.answer_query import answer_query
from core.usecases.demo_grading import grade_drawn
from core.usecases.demo_people import DemoPlaces, amended_protocol
from core.usecases.grade_masked import grade_masked
from core.usecases.reacquire import (
    acknowledge_request,
    follow_replacements,
    mark_not_possible,
    receive_replacement,
    schedule_request,
)
from core.usecases.review_scan import accept_scan, override_scan, query_site, request_reacquisition
from core.vocabulary import CoipsGrade, RequestState, ScanKind, ScanState

FLAGGED = (ScanState.UNDER_REVIEW, ScanState.QUERIED)
DECIDED_AFTER = timedelta(days=2)
LEFT_OPEN = timedelta(days=10)
"""Flagged scans younger than this stay in the worklist, so that there is something to do."""
ASKED_AFTER = timedelta(days=1)
ANSWERED_AFTER = timedelta(hours=5)
"""How long a question to a site, and then its answer, took."""
QUESTIONS = (
    (
        "Was the chin rest at the right height? The whole field drifts.",
        "No, the patient could not sit upright.",
    ),
    ("The field is 3 x 3 mm and the visit asks for 6 x 6. Was that on purpose?", "Yes, the 6 x 6 mm scan follows."),
    (
        "Is this the fellow eye? The vessels look like those of the other one.",
        "I have checked: the eye is right.",
    ),
)

OpenSession = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Story:
    """The described study beside the stored one."""

    study: DemoStudy
    places: DemoPlaces
    open_session: OpenSession

    @property
    def protocol(self) -> Protocol:
        """Whose words the requests use."""
        return amended_protocol(self.study)

    def is_left_open(self, acquisition: DemoAcquisition) -> bool:
        """Whether a capture is so recent that nobody has looked at it yet."""
        latest = datetime.combine(self.study.ends_on, time(), UTC) - LEFT_OPEN
        return acquisition.acquired_at >= latest


def capture_key(acquisition: DemoAcquisition) -> CaptureKey:
    """How the database knows a described capture."""
    subject = acquisition.visit.subject
    type_ = scan_type(ScanKind.OCTA_ENFACE, acquisition.field_mm, acquisition.field_mm)
    return CaptureKey(subject.code, acquisition.visit.code, subject.laterality, type_, acquisition.code)


def place_of(scan: DemoScan) -> ScanPlace:
    """How the database knows a described scan."""
    return capture_key(scan.acquisition), scan.slab


def tell(story: Story) -> None:
    """Everything that the story tells and that has not happened yet."""
    _make_requests(story)
    _accept_good_ones(story)
    _ask_sites(story)
    _grade_masked(story)
    with story.open_session() as session:
        grade_drawn(session, story.places)


def _make_requests(story: Story) -> None:
    with story.open_session() as session:
        scans = read_scans(session, story.places.study_id)
        asked = read_requests(session, story.places.study_id)
    for request in story.study.requests:
        rows = [scans[place_of(scan)] for scan in request.acquisition.scans if place_of(scan) in scans]
        if rows and not any(row.acquisition_id in asked for row in rows):
            answer = _capture_id(scans, request.replacement)
            with story.open_session() as session:
                _make_request(session, story, request, rows, answer)


def _capture_id(scans: Mapping[ScanPlace, DemoScanRow], acquisition: DemoAcquisition | None) -> int | None:
    if acquisition is None:
        return None
    rows = (scans.get(place_of(scan)) for scan in acquisition.scans)
    return next((row.acquisition_id for row in rows if row is not None), None)


def _make_request(
    session: Session, story: Story, request: DemoRequest, rows: list[DemoScanRow], answer: int | None
) -> None:
    """One request with every step it has taken, in one transaction: all of it or nothing."""
    words = story.protocol.reason(request.reason)
    marks = prefilled_marks(ScanKind.OCTA_ENFACE, [words])
    with pretending(request.steps[0].happened_at):
        request_ids = [
            request_reacquisition(
                session, actor=story.places.reviewer, scan_id=row.scan_id, seen_version=row.version,
                reason_code=request.reason, text=words.text, remedy=words.remedy, marks=marks,
            )
            for row in _found_ungradable(session, story, rows, marks)
        ]  # fmt: skip
    if request_ids:
        for step in request.steps[1:]:
            with pretending(step.happened_at):
                _take_step(session, story, request, step, request_ids[0], answer)


def _found_ungradable(session: Session, story: Story, rows: list[DemoScanRow], marks: Marks) -> list[DemoScanRow]:
    """The capture's flagged slabs, graded ungradable by the reviewer where the model did not say so itself.

    Where the model let both slabs pass, the reviewer overrides the first.
    """
    flagged = [row for row in rows if row.state in FLAGGED]
    chosen = flagged or [row for row in rows if row.state is ScanState.ACCEPTED][:1]
    return [row if row.is_found_ungradable else _overridden(session, story, row, marks) for row in chosen]


def _overridden(session: Session, story: Story, row: DemoScanRow, marks: Marks) -> DemoScanRow:
    override_scan(
        session, actor=story.places.reviewer, scan_id=row.scan_id, seen_version=row.version,
        ordinal=CoipsGrade.UNGRADABLE, reason="The macula cannot be judged on this scan.", marks=marks,
    )  # fmt: skip
    return replace(row, state=ScanState.UNDER_REVIEW, version=row.version + 1)


def _take_step(  # noqa: PLR0917 - one step of one request
    session: Session, story: Story, request: DemoRequest, step: DemoStep, request_id: int, answer: int | None
) -> None:
    actor = story.places.uploaders[request.acquisition.site]
    match step.state:
        case RequestState.ACKNOWLEDGED:
            acknowledge_request(session, actor=actor, request_id=request_id, note=step.note)
        case RequestState.SCHEDULED:
            planned_on = min(request.due_on, (step.happened_at + timedelta(days=7)).date())
            schedule_request(session, actor=actor, request_id=request_id, planned_on=planned_on)
        case RequestState.NOT_POSSIBLE:
            mark_not_possible(session, actor=actor, request_id=request_id, reason=step.note)
        case RequestState.RECEIVED if answer is not None:
            receive_replacement(session, actor=actor, request_id=request_id, acquisition_id=answer)
        case RequestState.REGRADED if answer is not None:
            follow_replacements(session, actor=PROGRAM, acquisition_ids=[answer])
        case _:
            pass  # requested was the beginning; closed follows from the replacement's acceptance


def _accept_good_ones(story: Story) -> None:
    """Accept what was flagged though it is good enough, where it is old enough to have been looked at."""
    with story.open_session() as session:
        scans = read_scans(session, story.places.study_id)
    for scan in story.study.scans:
        row, acquisition = scans.get(place_of(scan)), scan.acquisition
        is_due = not acquisition.is_poor and not story.is_left_open(acquisition)
        if row is not None and row.state in FLAGGED and is_due:
            with pretending(acquisition.acquired_at + DECIDED_AFTER), story.open_session() as session:
                _accept(session, story, row, acquisition)


def _accept(session: Session, story: Story, row: DemoScanRow, acquisition: DemoAcquisition) -> None:
    """A flagged scan that a person finds good enough."""
    grade = max(CoipsGrade.GRADABLE, acquisition.foreseen)
    verb = override_scan if row.is_found_ungradable else accept_scan
    verb(
        session, actor=story.places.reviewer, scan_id=row.scan_id, seen_version=row.version, ordinal=grade,
        reason="Checked: the vessels around the macula can be followed.",
        marks=prefilled_marks(ScanKind.OCTA_ENFACE, ()),
    )  # fmt: skip


def _ask_sites(story: Story) -> None:
    """Ask the sites about every third of the scans that wait to be looked at.

    They have answered, and the scans wait again, but for the latest: that question is open in its site's worklist.
    """
    with story.open_session() as session:
        scans = read_scans(session, story.places.study_id)
        rows = [
            (scan, scans[place_of(scan)])
            for scan in story.study.scans
            if place_of(scan) in scans and story.is_left_open(scan.acquisition)
        ]
        threads = read_threads(session, [row.scan_id for _, row in rows])
    latest = datetime.combine(story.study.ends_on, time(), UTC) - ASKED_AFTER
    waiting = [(scan, row) for scan, row in rows if row.state in FLAGGED and scan.acquisition.acquired_at <= latest]
    asked = waiting[::3]
    for number, (scan, row) in enumerate(asked, start=1):
        if not threads[row.scan_id].messages:
            question, answer = QUESTIONS[number % len(QUESTIONS)]
            _ask_about(story, scan, row, question, answer if number < len(asked) else None)


def _ask_about(story: Story, scan: DemoScan, row: DemoScanRow, question: str, answer: str | None) -> None:
    asked_at = scan.acquisition.acquired_at + ASKED_AFTER
    with pretending(asked_at), story.open_session() as session:
        query_site(
            session, actor=story.places.reviewer, scan_id=row.scan_id, seen_version=row.version, question=question
        )
    if answer is None:
        return
    with pretending(asked_at + ANSWERED_AFTER), story.open_session() as session:
        uploader = story.places.uploaders[scan.acquisition.site]
        answer_query(session, actor=uploader, scan_id=row.scan_id, answer=answer)


def _grade_masked(story: Story) -> None:
    with story.open_session() as session:
        scans = read_scans(session, story.places.study_id)
        given = read_masked_grades(session, story.places.study_id)
        for grading in story.study.gradings:
            grader, row = story.places.graders[grading.grader], scans.get(place_of(grading.scan))
            if row is not None and (row.scan_id, grader.user_id) not in given:
                with pretending(grading.graded_at):
                    grade_masked(session, actor=grader, scan_id=row.scan_id, ordinal=grading.ordinal)
