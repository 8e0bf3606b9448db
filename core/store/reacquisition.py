"""Reacquisition requests and their steps, and what they do to the scans of the captures concerned. Knows no rules."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_, select, update
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import Acquisition, ReacquisitionRequest, ReacquisitionStep, Scan, Site, Technician
from core.store.rate import lock_slots
from core.store.review import StoredReason
from core.vocabulary import RequestState, ScanState, StepKind

ENDED = (RequestState.CLOSED, RequestState.NOT_POSSIBLE, RequestState.WITHDRAWN)
"""States from which a request does not move any more."""
ANSWERED = (RequestState.RECEIVED, RequestState.REGRADED)
"""States of open requests whose replacement has come: the next move is the reading centre's."""


def is_overdue(today: date) -> ColumnElement[bool]:
    """Of a request: the site still owes the new scan after its due day."""
    return and_(ReacquisitionRequest.state.not_in((*ENDED, *ANSWERED)), ReacquisitionRequest.due_on < today)


@dataclass(frozen=True, slots=True)
class Request:
    """A reacquisition request as it stands."""

    id: int
    acquisition_id: int
    expected_scan_id: int
    site_id: int
    study_id: int
    state: RequestState
    due_on: date | None
    replacement_id: int | None
    version: int
    acquired_at: datetime
    """When the capture that is to be replaced was taken."""
    owner_id: int | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the request is closed or given up."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class ReplacementCapture:
    """The acquisition that a site sends for a request, as far as that matters."""

    acquisition_id: int
    expected_scan_id: int
    replaces_id: int | None
    acquired_at: datetime


def add_request(
    session: Session,
    *,
    site_id: int,
    acquisition_id: int,
    scan_id: int,
    quoted: StoredReason,
    due_on: date | None,
    requested_by_id: int | None,
) -> int:
    """Open a request for a capture, with its first step; return its id. Whoever took the capture owns it."""
    request_id = session.scalars(
        insert(ReacquisitionRequest)
        .values(
            site_id=site_id,
            acquisition_id=acquisition_id,
            scan_id=scan_id,
            state=RequestState.REQUESTED,
            reason_code=quoted.code,
            text=quoted.text,
            remedy=quoted.remedy,
            due_on=due_on,
            requested_by_id=requested_by_id,
            owner_id=_active_technician_of(acquisition_id),
            created_at=now(),
        )
        .returning(ReacquisitionRequest.id)
    ).one()
    _add_step(session, request_id, site_id, 1, RequestState.REQUESTED, actor_id=requested_by_id, note=quoted.text)
    return request_id


def _active_technician_of(acquisition_id: int) -> Any:
    """Who took a capture, as long as that person is active at the site."""
    return (
        select(Technician.id)
        .join(Acquisition, Acquisition.technician_id == Technician.id)
        .where(Acquisition.id == acquisition_id, Technician.deactivated_at.is_(None))
        .scalar_subquery()
    )


def lock_request(session: Session, request_id: int) -> Request | None:
    """The request, locked by its slot; None where there is none that this session may see."""
    slot_id = session.scalar(
        select(Acquisition.expected_scan_id)
        .join(ReacquisitionRequest, ReacquisitionRequest.acquisition_id == Acquisition.id)
        .where(ReacquisitionRequest.id == request_id)
    )
    if slot_id is None:
        return None
    lock_slots(session, [slot_id])
    return next(iter(_requests(session, ReacquisitionRequest.id == request_id)), None)


def open_request_for(session: Session, acquisition_id: int) -> Request | None:
    """The open request for a capture, if there is one."""
    is_open = ReacquisitionRequest.state.not_in(ENDED)
    return next(iter(_requests(session, is_open, ReacquisitionRequest.acquisition_id == acquisition_id)), None)


def open_requests_answered_by(session: Session, acquisition_ids: Iterable[int]) -> list[Request]:
    """The open requests whose latest replacement is one of these captures."""
    is_open = ReacquisitionRequest.state.not_in(ENDED)
    return _requests(session, is_open, ReacquisitionRequest.replacement_id.in_(tuple(acquisition_ids)))


def _requests(session: Session, *where: ColumnElement[bool]) -> list[Request]:
    query: Select[*tuple[Any, ...]] = (
        select(
            ReacquisitionRequest.id,
            ReacquisitionRequest.acquisition_id,
            Acquisition.expected_scan_id,
            ReacquisitionRequest.site_id,
            Site.study_id,
            ReacquisitionRequest.state,
            ReacquisitionRequest.due_on,
            ReacquisitionRequest.replacement_id,
            ReacquisitionRequest.version,
            Acquisition.acquired_at,
            ReacquisitionRequest.owner_id,
        )
        .join(Acquisition, Acquisition.id == ReacquisitionRequest.acquisition_id)
        .join(Site, Site.id == ReacquisitionRequest.site_id)
        .where(*where)
        .order_by(ReacquisitionRequest.id)
    )
    return [Request(**{**row._asdict(), "state": RequestState(row.state)}) for row in session.execute(query)]


def move_request(
    session: Session,
    request: Request,
    state: RequestState,
    *,
    actor_id: int | None,
    note: str,
    replacement_id: int | None = None,
    is_link_found: bool = False,
    closed_at: datetime | None = None,
) -> Request:
    """Write a request's move to another state with its step; return it as it now stands."""
    values: dict[str, Any] = {"state": state, "version": ReacquisitionRequest.version + 1}
    if replacement_id is not None:
        values["replacement_id"] = replacement_id
        values["is_link_found"] = is_link_found
        values["received_at"] = func.coalesce(ReacquisitionRequest.received_at, now())
    if closed_at is not None:
        values["closed_at"] = closed_at
    session.execute(update(ReacquisitionRequest).where(ReacquisitionRequest.id == request.id).values(**values))
    _add_step(session, request.id, request.site_id, request.version + 1, state, actor_id=actor_id, note=note)
    return replace(
        request, state=state, replacement_id=replacement_id or request.replacement_id, version=request.version + 1
    )


def unlink_replacement(session: Session, request: Request, *, actor_id: int | None, note: str) -> Request:
    """Take the replacement off a request, which then stands as it stood before it came; return it."""
    state = _state_before_receipt(session, request.id)
    session.execute(
        update(ReacquisitionRequest)
        .where(ReacquisitionRequest.id == request.id)
        .values(
            state=state, version=ReacquisitionRequest.version + 1, replacement_id=None, is_link_found=False,
            received_at=None,
        )
    )  # fmt: skip
    _add_step(
        session, request.id, request.site_id, request.version + 1, state, actor_id=actor_id, note=note,
        kind=StepKind.UNLINK,
    )  # fmt: skip
    return replace(request, state=state, replacement_id=None, version=request.version + 1)


def _state_before_receipt(session: Session, request_id: int) -> RequestState:
    latest = session.scalars(
        select(ReacquisitionStep.state)
        .where(ReacquisitionStep.request_id == request_id, ReacquisitionStep.state.not_in((*ENDED, *ANSWERED)))
        .order_by(ReacquisitionStep.number.desc())
        .limit(1)
    ).one()
    return RequestState(latest)


def set_owner(session: Session, request: Request, owner_id: int, *, actor_id: int | None, note: str) -> None:
    """Give a request to another technician, with the step that says so."""
    session.execute(
        update(ReacquisitionRequest)
        .where(ReacquisitionRequest.id == request.id)
        .values(owner_id=owner_id, version=ReacquisitionRequest.version + 1)
    )
    _add_step(
        session, request.id, request.site_id, request.version + 1, request.state, actor_id=actor_id, note=note,
        kind=StepKind.ASSIGN,
    )  # fmt: skip


def _add_step(
    session: Session,
    request_id: int,
    site_id: int,
    number: int,
    state: RequestState,
    *,
    actor_id: int | None,
    note: str,
    kind: StepKind = StepKind.MOVE,
) -> None:
    session.execute(
        insert(ReacquisitionStep).values(
            request_id=request_id,
            site_id=site_id,
            number=number,
            kind=kind,
            state=state,
            actor_id=actor_id,
            note=note,
            created_at=now(),
        )
    )


def read_replacement(session: Session, acquisition_id: int) -> ReplacementCapture | None:
    """The capture that is offered as a replacement; None where there is none that this session may see."""
    row = session.execute(
        select(Acquisition.id, Acquisition.expected_scan_id, Acquisition.replaces_id, Acquisition.acquired_at).where(
            Acquisition.id == acquisition_id
        )
    ).one_or_none()
    return None if row is None else ReplacementCapture(*row)


def set_replaces(session: Session, acquisition_id: int, *, replaces_id: int | None) -> None:
    """Write down which capture this one was taken again for; None: for none."""
    session.execute(update(Acquisition).where(Acquisition.id == acquisition_id).values(replaces_id=replaces_id))


def scan_states(session: Session, acquisition_id: int) -> list[ScanState]:
    """The states of a capture's scans."""
    return [
        ScanState(state) for state in session.scalars(select(Scan.state).where(Scan.acquisition_id == acquisition_id))
    ]


def supersede_capture(session: Session, acquisition_id: int, *, accepted_id: int | None) -> tuple[int, ...]:
    """Supersede the scans of a capture and of its earlier replacements, all but those of the accepted one."""
    replaced = select(Acquisition.id).where(
        or_(Acquisition.id == acquisition_id, Acquisition.replaces_id == acquisition_id),
        Acquisition.id != accepted_id,
    )
    return _move_scans(
        session,
        Scan.acquisition_id.in_(replaced.scalar_subquery()),
        Scan.state != ScanState.SUPERSEDED,
        state=ScanState.SUPERSEDED,
    )


def close_requested_scans(session: Session, acquisition_id: int) -> tuple[int, ...]:
    """Close those scans of a capture that were waiting for a replacement which will not come."""
    return _move_scans(
        session,
        Scan.acquisition_id == acquisition_id,
        Scan.state == ScanState.REACQUISITION_REQUESTED,
        state=ScanState.CLOSED_NOT_POSSIBLE,
    )


def _move_scans(session: Session, *where: ColumnElement[bool], state: ScanState) -> tuple[int, ...]:
    moved: Iterable[int] = session.scalars(
        update(Scan).where(*where).values(state=state, version=Scan.version + 1).returning(Scan.id)
    )
    return tuple(moved)
