"""Reacquisition requests and their steps, and what they do to the scans of the captures concerned. Knows no rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, insert, or_, select, update
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import Acquisition, ReacquisitionRequest, ReacquisitionStep, Scan, Site
from core.store.rate import lock_slots
from core.store.review import StoredReason
from core.vocabulary import RequestState, ScanState

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
    """Open a request for a capture, with its first step; return its id."""
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
            created_at=now(),
        )
        .returning(ReacquisitionRequest.id)
    ).one()
    _add_step(session, request_id, site_id, 1, RequestState.REQUESTED, actor_id=requested_by_id, note=quoted.text)
    return request_id


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
    closed_at: datetime | None = None,
) -> Request:
    """Write a request's move to another state with its step; return it as it now stands."""
    values: dict[str, Any] = {"state": state, "version": ReacquisitionRequest.version + 1}
    if replacement_id is not None:
        values["replacement_id"] = replacement_id
    if closed_at is not None:
        values["closed_at"] = closed_at
    session.execute(update(ReacquisitionRequest).where(ReacquisitionRequest.id == request.id).values(**values))
    _add_step(session, request.id, request.site_id, request.version + 1, state, actor_id=actor_id, note=note)
    return Request(
        id=request.id,
        acquisition_id=request.acquisition_id,
        expected_scan_id=request.expected_scan_id,
        site_id=request.site_id,
        study_id=request.study_id,
        state=state,
        due_on=request.due_on,
        replacement_id=replacement_id or request.replacement_id,
        version=request.version + 1,
    )


def _add_step(
    session: Session,
    request_id: int,
    site_id: int,
    number: int,
    state: RequestState,
    *,
    actor_id: int | None,
    note: str,
) -> None:
    session.execute(
        insert(ReacquisitionStep).values(
            request_id=request_id,
            site_id=site_id,
            number=number,
            state=state,
            actor_id=actor_id,
            note=note,
            created_at=now(),
        )
    )


def read_replacement(session: Session, acquisition_id: int) -> ReplacementCapture | None:
    """The capture that is offered as a replacement; None where there is none that this session may see."""
    row = session.execute(
        select(Acquisition.id, Acquisition.expected_scan_id, Acquisition.replaces_id).where(
            Acquisition.id == acquisition_id
        )
    ).one_or_none()
    return None if row is None else ReplacementCapture(row.id, row.expected_scan_id, row.replaces_id)


def set_replaces(session: Session, acquisition_id: int, *, replaces_id: int) -> None:
    """Write down which capture this one was taken again for."""
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
