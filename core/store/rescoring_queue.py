"""The queue of rescorings, beside the scans' own: claim, write down, fail, give back. Holds no scoring.

A claim is a lease as in core.store.queue, without renewal: it is made for as long as a batch may last.
"""

import os
import socket
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from core.database.tables import Assessment, Rescoring, RescoringScan, Scan
from core.store.assessment import Inherited
from core.store.rescoring import OPEN, end_rescoring
from core.vocabulary import ReEvaluationState, RescoredState, ScanKind, Slab


@dataclass(frozen=True, slots=True)
class RescoringClaim:
    """Scans of one order that one worker holds until the lease ends. Empty: there was nothing to do."""

    token: str
    rescoring_id: int
    version_id: int
    scan_ids: tuple[int, ...]

    def __bool__(self) -> bool:
        """Whether anything was claimed."""
        return bool(self.scan_ids)


def wanted_versions(session: Session, lane: ScanKind) -> tuple[int, ...]:
    """The versions that open orders of a lane ask for."""
    wanted = select(Rescoring.model_version_id).where(Rescoring.kind == lane, Rescoring.state.in_(OPEN))
    return tuple(session.scalars(wanted.distinct()))


def is_anything_ready(session: Session, lane: ScanKind) -> bool:
    """Whether any scan of the lane could be claimed to be scored again at this moment."""
    wanted = select(Rescoring.id).where(
        Rescoring.kind == lane, Rescoring.state.in_(OPEN), _ready().correlate(Rescoring).exists()
    )
    return session.scalar(wanted.limit(1)) is not None


def claim_rescoring(
    session: Session, *, lane: ScanKind, version_ids: Sequence[int], limit: int, lease: timedelta, max_attempts: int
) -> RescoringClaim | None:
    """Claim the next scans of the oldest open order that one of these versions is asked for; None: nothing to do.

    A scan whose worker was lost comes again, and is given up after ``max_attempts``; it comes alone, so that it takes
    nothing else along.
    """
    order = session.execute(
        select(Rescoring.id, Rescoring.model_version_id)
        .where(Rescoring.kind == lane, Rescoring.state.in_(OPEN), Rescoring.model_version_id.in_(version_ids))
        .where(_ready().correlate(Rescoring).exists())
        .order_by(Rescoring.id)
        .limit(1)
    ).one_or_none()
    if order is None:
        return None
    session.execute(
        _of_order(order.id)
        .where(_is_ready(), RescoringScan.attempts >= max_attempts)
        .values(
            state=RescoredState.FAILED, leased_by=None, lease_expires_at=None,
            failure=f"Its worker was lost {max_attempts} times.",
        )
    )  # fmt: skip
    ready = select(RescoringScan.scan_id, RescoringScan.attempts).where(
        RescoringScan.rescoring_id == order.id, _is_ready()
    )
    rows = session.execute(ready.order_by(RescoringScan.number).limit(limit).with_for_update(skip_locked=True)).all()
    chosen = rows[:1] if rows and rows[0].attempts else [row for row in rows if not row.attempts]
    claim = RescoringClaim(_new_token(), order.id, order.model_version_id, tuple(row.scan_id for row in chosen))
    _note_claim(session, claim, lease)
    return claim


def _new_token() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def _note_claim(session: Session, claim: RescoringClaim, lease: timedelta) -> None:
    session.execute(
        _of_order(claim.rescoring_id)
        .where(RescoringScan.scan_id.in_(claim.scan_ids))
        .values(
            state=RescoredState.SCORING, attempts=RescoringScan.attempts + 1, leased_by=claim.token,
            lease_expires_at=func.clock_timestamp() + lease,
        )
    )  # fmt: skip
    session.execute(
        update(Rescoring)
        .where(Rescoring.id == claim.rescoring_id, Rescoring.state == ReEvaluationState.WAITING)
        .values(state=ReEvaluationState.RUNNING, started_at=func.now())
    )


def _of_order(id_: int) -> Any:
    return update(RescoringScan).where(RescoringScan.rescoring_id == id_)


def _is_ready() -> ColumnElement[bool]:
    is_lost = and_(
        RescoringScan.state == RescoredState.SCORING, RescoringScan.lease_expires_at < func.clock_timestamp()
    )
    return or_(RescoringScan.state == RescoredState.WAITING, is_lost)


def _ready() -> Select[int]:
    return select(RescoringScan.scan_id).where(RescoringScan.rescoring_id == Rescoring.id, _is_ready())


def lock_held(session: Session, claim: RescoringClaim) -> frozenset[int]:
    """Lock the claim's scans that are still held under it and whose order is open; the others must not be written."""
    held = (
        select(RescoringScan.scan_id)
        .join(Rescoring, Rescoring.id == RescoringScan.rescoring_id)
        .where(
            RescoringScan.rescoring_id == claim.rescoring_id, RescoringScan.leased_by == claim.token,
            RescoringScan.state == RescoredState.SCORING, Rescoring.state.in_(OPEN),
        )
        .order_by(RescoringScan.scan_id)
        .with_for_update(of=RescoringScan)
    )  # fmt: skip
    return frozenset(session.scalars(held))


def note_scored(session: Session, claim: RescoringClaim, assessment_ids: Mapping[int, int]) -> None:
    """Say what the other model said of these scans: assessment by scan."""
    for scan_id, assessment_id in assessment_ids.items():
        session.execute(
            _of_order(claim.rescoring_id)
            .where(RescoringScan.scan_id == scan_id)
            .values(
                state=RescoredState.SCORED, assessment_id=assessment_id, leased_by=None, lease_expires_at=None
            )
        )  # fmt: skip


def note_failed(session: Session, claim: RescoringClaim, scan_id: int, message: str) -> None:
    """Give one scan up, with the reason."""
    session.execute(
        _of_order(claim.rescoring_id)
        .where(RescoringScan.scan_id == scan_id, RescoringScan.leased_by == claim.token)
        .values(state=RescoredState.FAILED, failure=message, leased_by=None, lease_expires_at=None)
    )


def give_back(session: Session, claim: RescoringClaim) -> None:
    """Put a claim back unscored; its attempt stays counted, for the model failed on it."""
    session.execute(
        _of_order(claim.rescoring_id)
        .where(RescoringScan.scan_id.in_(claim.scan_ids), RescoringScan.leased_by == claim.token)
        .values(state=RescoredState.WAITING, leased_by=None, lease_expires_at=None)
    )


def end_if_done(session: Session, id_: int, *, at: datetime) -> bool:
    """Say that an order is done where none of its scans waits; whether it ended by that."""
    still = select(RescoringScan.scan_id).where(
        RescoringScan.rescoring_id == id_, RescoringScan.state.in_((RescoredState.WAITING, RescoredState.SCORING))
    )
    return end_rescoring(session, id_, ReEvaluationState.DONE, at=at, condition=~still.exists())


def superficial_grades_by(
    session: Session, acquisition_ids: Iterable[int], version_id: int
) -> dict[int, Inherited]:  # fmt: skip
    """What a version said of the superficial slabs of these acquisitions; none where it abstained."""
    rows = session.execute(
        select(Scan.acquisition_id, Scan.id, Assessment.grade_ordinal)
        .join(Assessment, Assessment.scan_id == Scan.id)
        .where(
            Scan.acquisition_id.in_(tuple(acquisition_ids)),
            Scan.slab == Slab.SUPERFICIAL,
            Assessment.model_version_id == version_id,
            Assessment.is_abstained.is_(False),
        )
        .order_by(Assessment.id)
    )
    return {row.acquisition_id: Inherited(row.id, row.grade_ordinal) for row in rows}
