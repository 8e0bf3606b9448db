"""The worklist: flagged scans that wait for a decision, an answer or a new scan, most urgent first, paged in SQL."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.database.tables import (
    Acquisition,
    Assessment,
    Device,
    ReacquisitionRequest,
    Scan,
    Site,
    Subject,
    Technician,
    Visit,
)
from core.policy.reasons import REASON_TEXTS
from core.store.action import taken_while_suspended
from core.store.calibration_mode import hidden_scans
from core.store.overview import TO_DECIDE_STATES, WAITING_STATES
from core.store.query_thread import read_threads
from core.store.reacquisition import ANSWERED, ENDED
from core.store.reason import read_reasons
from core.store.scan_filter import ScanFilter, filter_conditions
from core.store.scan_history import read_questions
from core.values import Reason
from core.vocabulary import Laterality, ReasonCode, RequestState, ScanState, Slab, Verdict


class WorklistTab(StrEnum):
    """Whose move it is. One scan is in one list at a time."""

    TO_DECIDE = "to-decide"
    """Flagged by the model; a person of the reading centre decides."""
    REACQUIRE = "reacquire"
    """The site was asked for a new scan."""
    QUERIED = "queried"
    """The site was asked a question."""
    WAITING = "waiting"
    """Not scored yet."""
    STUCK = "stuck"
    """Could not be scored: an administrator looks."""
    RESULT = "result"
    """As a site sees it: everything that was sent and of which nobody has said yet what becomes of it."""


TAB_STATES = {
    WorklistTab.TO_DECIDE: TO_DECIDE_STATES,
    WorklistTab.REACQUIRE: (ScanState.REACQUISITION_REQUESTED,),
    WorklistTab.QUERIED: (ScanState.QUERIED,),
    WorklistTab.WAITING: WAITING_STATES,
    WorklistTab.STUCK: (ScanState.FAILED, ScanState.QUARANTINED),
}
SITE_TABS = (WorklistTab.REACQUIRE, WorklistTab.QUERIED, WorklistTab.RESULT, WorklistTab.STUCK)
"""The lists of a site. A request that it has answered waits for its result and is no more to be taken again."""

_DUE_ON = func.coalesce(ReacquisitionRequest.due_on, Visit.window_ends_on)
"""The request's day where there is a request, else the end of the visit window."""


@dataclass(frozen=True, slots=True)
class ItemRequest:
    """The open request of a scan on the list. ``owner`` is a technician's code; None: nobody sees to it yet."""

    id: int
    version: int
    state: RequestState
    owner_id: int | None
    owner: str | None
    round_number: int
    """From 1, among the requests of the same expected scan."""


@dataclass(frozen=True, slots=True)
class WorklistItem:
    """One scan of the worklist. ``due_on`` is the request's day or the end of the visit window."""

    scan_id: int
    state: ScanState
    verdict: Verdict | None
    laterality: Laterality
    slab: Slab
    scan_type: str
    study_id: int
    site_id: int
    site_code: str
    device_code: str
    technician_code: str | None
    subject_code: str
    visit_code: str
    acquired_at: datetime
    due_on: date | None
    grade_ordinal: int | None
    is_abstained: bool
    request: ItemRequest | None
    failure: str | None
    reasons: tuple[Reason, ...]
    question: str | None
    """What the site was asked, where its answer is awaited."""
    n_new_messages: int = 0
    """Messages of its thread that the person who looks has not had before them."""
    is_device_suspended: bool = False
    """Whether the device's certificate was suspended when this was captured."""

    @property
    def request_state(self) -> RequestState | None:
        """How its open request stands; None without one."""
        return self.request.state if self.request is not None else None

    @property
    def is_answered(self) -> bool:
        """Whether the site has sent what it was asked for: the next move is the reading centre's."""
        return self.request_state in ANSWERED

    def days_left(self, today: date) -> int | None:
        """Days until ``due_on``, negative once it has passed; None without a window."""
        return None if self.due_on is None else (self.due_on - today).days


@dataclass(frozen=True, slots=True)
class WorklistPage:
    """One page of a list: its scans, how many the list holds, and how many each list holds."""

    items: tuple[WorklistItem, ...]
    total: int
    totals: dict[WorklistTab, int]


def read_worklist(
    session: Session,
    chosen: ScanFilter,
    tab: WorklistTab,
    *,
    today: date,
    page: int,
    page_size: int = 25,
    is_site: bool = False,
    reader_id: int | None = None,
) -> WorklistPage:
    """Page ``page`` (from 0) of one list, by what can still be done; ``is_site``: in the lists of a site.

    Open windows come first, the one that ends soonest on top; then scans without a window; then windows that have
    closed, the latest first; last the scans whose replacement has come.
    """
    totals = _read_totals(session, chosen, is_site=is_site)
    rows = session.execute(
        _rows(chosen, tab, is_site=is_site)
        .order_by(*_urgency(today), Scan.id)
        .offset(page * page_size)
        .limit(page_size)
    ).all()
    reasons = read_reasons(session, [row.assessment_id for row in rows if row.assessment_id is not None])
    questions = read_questions(session, (row.id for row in rows if row.state == ScanState.QUERIED))
    threads = read_threads(session, (row.id for row in rows), reader_id=reader_id)
    hidden = hidden_scans(session, [row.id for row in rows])
    items = tuple(
        WorklistItem(
            scan_id=row.id,
            state=ScanState(row.state),
            verdict=Verdict(row.final_verdict) if row.final_verdict and row.id not in hidden else None,
            laterality=Laterality(row.laterality),
            slab=Slab(row.slab),
            scan_type=row.scan_type,
            study_id=row.study_id,
            site_id=row.site_id,
            site_code=row.site_code,
            device_code=row.device_code,
            technician_code=row.technician_code,
            subject_code=row.subject_code,
            visit_code=row.visit_code,
            acquired_at=row.acquired_at,
            due_on=row.due_on,
            grade_ordinal=None if row.id in hidden else row.grade_ordinal,
            is_abstained=bool(row.is_abstained) and row.id not in hidden,
            request=_request(row),
            failure=row.failure,
            reasons=_reasons(row, () if row.id in hidden else reasons.get(row.assessment_id, ())),
            question=questions.get(row.id),
            n_new_messages=threads[row.id].n_new,
            is_device_suspended=row.is_device_suspended,
        )
        for row in rows
    )
    return WorklistPage(items=items, total=totals[tab], totals=totals)


def _reasons(row: Row[Any], from_model: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """What the reading centre asked for comes first: the site acts on that, not on what the model was unsure of."""
    if row.request_state is None:
        return from_model
    code = ReasonCode(row.request_reason_code)
    asked = Reason(code, REASON_TEXTS[code].operator_fixable, row.request_text, row.request_remedy)
    return asked, *(reason for reason in from_model if reason.code is not code)


def _request(row: Row[Any]) -> ItemRequest | None:
    if row.request_state is None:
        return None
    return ItemRequest(
        row.request_id, row.request_version, RequestState(row.request_state), row.owner_id, row.owner, row.round_number
    )


def _urgency(today: date) -> tuple[ColumnElement[Any], ...]:
    is_answered, is_closed = ReacquisitionRequest.state.in_(ANSWERED), today > _DUE_ON
    standing = case((is_answered, 3), (_DUE_ON.is_(None), 1), (is_closed, 2), else_=0)
    return standing, func.abs(_DUE_ON - today)


def listed_scans(chosen: ScanFilter, tab: WorklistTab, *, today: date) -> Select[int]:
    """The ids of a list in its order, without what its rows show: for who walks through it (core.store.list_place)."""
    return (
        select(Scan.id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .outerjoin(ReacquisitionRequest, _is_open_request())
        .where(_of_tab(tab, is_site=False), *filter_conditions(chosen))
        .order_by(*_urgency(today), Scan.id)
    )


def _read_totals(session: Session, chosen: ScanFilter, *, is_site: bool) -> dict[WorklistTab, int]:
    watched = [state for states in TAB_STATES.values() for state in states]
    statement = select(Scan.state, func.count()).where(Scan.state.in_(watched), *filter_conditions(chosen))
    if chosen.asks_of_captures:
        statement = statement.join(Acquisition, Acquisition.id == Scan.acquisition_id)
    counts = {ScanState(state): n for state, n in session.execute(statement.group_by(Scan.state))}
    totals = {tab: sum(counts.get(state, 0) for state in states) for tab, states in TAB_STATES.items()}
    if is_site:
        answered = session.scalar(
            select(func.count())
            .select_from(Scan)
            .join(Acquisition, Acquisition.id == Scan.acquisition_id)
            .join(ReacquisitionRequest, _is_open_request())
            .where(
                Scan.state == ScanState.REACQUISITION_REQUESTED, ReacquisitionRequest.state.in_(ANSWERED),
                *filter_conditions(chosen),
            )
        ) or 0  # fmt: skip
        totals[WorklistTab.REACQUIRE] -= answered
        totals[WorklistTab.RESULT] = totals[WorklistTab.WAITING] + totals[WorklistTab.TO_DECIDE] + answered
    return totals


def _is_open_request() -> ColumnElement[bool]:
    return and_(ReacquisitionRequest.acquisition_id == Acquisition.id, ReacquisitionRequest.state.not_in(ENDED))


def _of_tab(tab: WorklistTab, *, is_site: bool) -> ColumnElement[bool]:
    """Which scans are in a list; the statement must join the open request."""
    if tab is WorklistTab.RESULT:
        sent = (*WAITING_STATES, *TO_DECIDE_STATES, ScanState.REACQUISITION_REQUESTED)
        is_answered = ReacquisitionRequest.state.in_(ANSWERED)
        return and_(Scan.state.in_(sent), or_(Scan.state != ScanState.REACQUISITION_REQUESTED, is_answered))
    if tab is WorklistTab.REACQUIRE and is_site:
        is_owed = or_(ReacquisitionRequest.state.is_(None), ReacquisitionRequest.state.not_in(ANSWERED))
        return and_(Scan.state.in_(TAB_STATES[tab]), is_owed)
    return Scan.state.in_(TAB_STATES[tab])


def _rows(chosen: ScanFilter, tab: WorklistTab, *, is_site: bool) -> Select:  # type: ignore[type-arg]
    owner, earlier, its_capture = aliased(Technician), aliased(ReacquisitionRequest), aliased(Acquisition)
    round_number = (
        select(func.count())
        .select_from(earlier)
        .join(its_capture, its_capture.id == earlier.acquisition_id)
        .where(
            its_capture.expected_scan_id == Acquisition.expected_scan_id, earlier.id <= ReacquisitionRequest.id,
            earlier.state != RequestState.WITHDRAWN,
        )
        .scalar_subquery()
    )  # fmt: skip
    return (
        select(
            Scan.id,
            Scan.state,
            Scan.final_verdict,
            Scan.slab,
            Scan.assessment_id,
            Scan.failure,
            Acquisition.laterality,
            Acquisition.scan_type,
            Acquisition.acquired_at,
            Site.study_id,
            Scan.site_id,
            Site.code.label("site_code"),
            Device.code.label("device_code"),
            Technician.code.label("technician_code"),
            Subject.code.label("subject_code"),
            Visit.code.label("visit_code"),
            Assessment.grade_ordinal,
            Assessment.is_abstained,
            ReacquisitionRequest.id.label("request_id"),
            ReacquisitionRequest.version.label("request_version"),
            ReacquisitionRequest.owner_id,
            owner.code.label("owner"),
            round_number.label("round_number"),
            ReacquisitionRequest.state.label("request_state"),
            ReacquisitionRequest.reason_code.label("request_reason_code"),
            ReacquisitionRequest.text.label("request_text"),
            ReacquisitionRequest.remedy.label("request_remedy"),
            _DUE_ON.label("due_on"),
            taken_while_suspended().label("is_device_suspended"),
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .outerjoin(ReacquisitionRequest, _is_open_request())
        .outerjoin(owner, owner.id == ReacquisitionRequest.owner_id)
        .where(_of_tab(tab, is_site=is_site), *filter_conditions(chosen))
    )
