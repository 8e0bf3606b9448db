"""The scoring queue, which is the scan table itself: claim, renew, put back, fail, requeue. Holds no scoring.

A claim is a lease: ``leased_by`` carries a token that no other claim ever had, so that a worker that was thought dead
and comes back late writes nothing. Times are the database's, so that clocks of different machines do not matter.
"""

import os
import socket
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, Update, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from core.database.tables import Scan, Site
from core.store.model_choice import ModelChoice
from core.vocabulary import ScanKind, ScanState, Verdict

FIRST_BACK_OFF = timedelta(seconds=30)
"""Wait after the first soft failure; each further one waits four times as long."""
_BACK_OFF_FACTOR = 4


@dataclass(frozen=True, slots=True)
class Claim:
    """Scans that one worker holds until the lease ends. Empty: there was nothing to do."""

    token: str
    scan_ids: tuple[int, ...]
    is_suspect: bool
    """True: one scan that already cost an attempt; it is scored alone, with nothing else in flight."""

    def __bool__(self) -> bool:
        """Whether anything was claimed."""
        return bool(self.scan_ids)


@dataclass(frozen=True, slots=True)
class ReturnedLeases:
    """What became of the scans whose lease had ended."""

    put_back: tuple[int, ...]
    quarantined: tuple[int, ...]
    lanes: frozenset[ScanKind]
    """Lanes that have work again and want their bell rung."""


def claim_scans(
    session: Session,
    *,
    lane: ScanKind,
    limit: int,
    lease: timedelta,
    is_fresh_only: bool = False,
    choice: ModelChoice | None = None,
) -> Claim:
    """Claim the oldest ready scans of a lane, up to ``limit``; a scan with an attempt behind it comes alone.

    A scan that killed its worker would otherwise take its whole batch along at every try. ``is_fresh_only`` leaves such
    suspects for later: for claiming ahead while another batch is still in flight. ``choice`` leaves scans that are for
    another model; None takes them all.
    """
    ready = _ready_scans(lane, is_fresh_only=is_fresh_only)
    if choice is not None:
        ready = ready.where(choice.condition())
    rows = session.execute(ready.limit(limit)).all()
    is_suspect = bool(rows) and rows[0].attempts > 0
    chosen = rows[:1] if is_suspect else [row for row in rows if row.attempts == 0]
    token = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
    scan_ids = tuple(row.id for row in chosen)
    if scan_ids:
        session.execute(
            update(Scan)
            .where(Scan.id.in_(scan_ids))
            .values(
                state=ScanState.SCORING,
                attempts=Scan.attempts + 1,
                leased_by=token,
                lease_expires_at=func.clock_timestamp() + lease,
                not_before_at=None,
            )
        )
    return Claim(token, scan_ids, is_suspect=is_suspect)


def _ready_scans(lane: ScanKind, *, is_fresh_only: bool) -> Select[int, int]:
    ready: list[ColumnElement[bool]] = [
        Scan.kind == lane,
        Scan.state == ScanState.QUEUED,
        or_(Scan.not_before_at.is_(None), Scan.not_before_at <= func.now()),
    ]
    if is_fresh_only:
        ready.append(Scan.attempts == 0)
    return select(Scan.id, Scan.attempts).where(*ready).order_by(Scan.id).with_for_update(skip_locked=True)


def renew_leases(session: Session, *, tokens: Sequence[str], lease: timedelta) -> int:
    """Extend the leases held under ``tokens``; return how many scans that were.

    Rows that are locked just now are being written or taken away, so they need no renewal and are not waited for.
    """
    held = (
        select(Scan.id)
        .where(Scan.leased_by.in_(tokens), Scan.state == ScanState.SCORING)
        .with_for_update(skip_locked=True)
    )
    result = session.execute(
        update(Scan)
        .where(Scan.id.in_(held.scalar_subquery()))
        .values(lease_expires_at=func.clock_timestamp() + lease)
        .returning(Scan.id)
    )
    return len(result.all())


def lock_held_scans(session: Session, claim: Claim) -> frozenset[int]:
    """Lock the scans of a claim that are still held under it; the others were taken away and must not be written."""
    held = (
        select(Scan.id)
        .where(Scan.id.in_(claim.scan_ids), Scan.leased_by == claim.token, Scan.state == ScanState.SCORING)
        .order_by(Scan.id)
        .with_for_update()
    )
    return frozenset(session.scalars(held))


def return_expired_leases(session: Session, *, max_losses: int) -> ReturnedLeases:
    """Put scans whose lease ended back into the queue; quarantine those that cost their last worker.

    A lease ends where the worker died or hung. Soft failures do not count here (``record_failure``). Safe to run from
    any number of processes at once.
    """
    expired = (
        select(Scan.id)
        .where(Scan.state == ScanState.SCORING, Scan.lease_expires_at < func.clock_timestamp())
        .order_by(Scan.id)
        .with_for_update(skip_locked=True)
    )
    scan_ids = session.scalars(expired).all()
    if not scan_ids:
        return ReturnedLeases((), (), frozenset())
    n_losses = Scan.worker_losses + 1
    lost = (
        update(Scan)
        .where(Scan.id.in_(scan_ids), Scan.state == ScanState.SCORING)
        .values(leased_by=None, lease_expires_at=None, worker_losses=n_losses)
    )
    put_back = session.execute(
        lost.where(n_losses < max_losses)
        .values(state=ScanState.QUEUED, failure="The worker was lost while it scored this scan; it is tried again.")
        .returning(Scan.id, Scan.kind)
    ).all()
    quarantined = session.scalars(
        lost.where(n_losses >= max_losses)
        .values(
            state=ScanState.QUARANTINED,
            version=Scan.version + 1,
            failure=f"The worker was lost {max_losses} times while it scored this scan.",
        )
        .returning(Scan.id)
    ).all()
    return ReturnedLeases(
        tuple(row.id for row in put_back), tuple(quarantined), frozenset(ScanKind(row.kind) for row in put_back)
    )


def release_claim(session: Session, claim: Claim) -> None:
    """Give a claim back unscored, as if it had never been made: the worker is stopping."""
    session.execute(
        _held(claim, claim.scan_ids).values(
            state=ScanState.QUEUED, attempts=Scan.attempts - 1, leased_by=None, lease_expires_at=None
        )
    )


def record_failure(
    session: Session, claim: Claim, scan_id: int, *, message: str, is_transient: bool, max_failures: int
) -> ScanState | None:
    """Queue a scan again after a pause, or give it up: where trying again cannot help, or was tried often enough.

    Attempts that were lost with their worker do not count here. Return the new state, or None where the scan was no
    longer held.
    """
    n_failures = session.scalar(
        select(Scan.attempts - Scan.worker_losses).where(Scan.id == scan_id, Scan.leased_by == claim.token)
    )
    if n_failures is None:
        return None
    is_retried = is_transient and n_failures < max_failures
    state = ScanState.QUEUED if is_retried else ScanState.FAILED
    pause = FIRST_BACK_OFF * _BACK_OFF_FACTOR ** (n_failures - 1)
    session.execute(
        _held(claim, [scan_id]).values(
            state=state,
            failure=message,
            leased_by=None,
            lease_expires_at=None,
            not_before_at=func.now() + pause if is_retried else None,
            version=Scan.version + (0 if is_retried else 1),
        )
    )
    return state


@dataclass(frozen=True, slots=True)
class Success:
    """A scored scan with the assessment that counts and its verdict."""

    scan_id: int
    assessment_id: int
    verdict: Verdict

    @property
    def state(self) -> ScanState:
        """Where it goes: accepted at once, or under review where the verdict wants a person."""
        return ScanState.ACCEPTED if self.verdict is Verdict.ACCEPT else ScanState.UNDER_REVIEW


def record_successes(session: Session, successes: Sequence[Success]) -> None:
    """Give scored scans their assessment and their state, and end their leases."""
    if not successes:
        return
    values = [
        {
            "b_id": success.scan_id,
            "b_state": success.state,
            "b_assessment_id": success.assessment_id,
            "b_verdict": success.verdict,
        }
        for success in successes
    ]
    statement = (
        update(Scan.__table__)  # type: ignore[arg-type]  # the table, not the class: executemany without the ORM
        .where(Scan.id == bindparam("b_id"))
        .values(
            state=bindparam("b_state"),
            assessment_id=bindparam("b_assessment_id"),
            final_verdict=bindparam("b_verdict"),
            failure=None,
            leased_by=None,
            lease_expires_at=None,
            version=Scan.version + 1,
        )
    )
    session.connection().execute(statement, values)


def _held(claim: Claim, scan_ids: Iterable[int]) -> Update:
    return update(Scan).where(
        Scan.id.in_(tuple(scan_ids)), Scan.leased_by == claim.token, Scan.state == ScanState.SCORING
    )


def requeue(session: Session, scan_ids: Sequence[int]) -> dict[int, ScanKind]:
    """Queue failed or quarantined scans again with a clean count of attempts; return those that were, with lane."""
    rows = session.execute(
        update(Scan)
        .where(Scan.id.in_(scan_ids), Scan.state.in_((ScanState.FAILED, ScanState.QUARANTINED)))
        .values(
            state=ScanState.QUEUED,
            attempts=0,
            worker_losses=0,
            not_before_at=None,
            failure=None,
            version=Scan.version + 1,
        )
        .returning(Scan.id, Scan.kind)
    ).all()
    return {row.id: ScanKind(row.kind) for row in rows}


def discard(session: Session, scan_ids: Sequence[int], *, reason: str) -> tuple[int, ...]:
    """Close failed or quarantined scans for good; return those that were. They stay visible with the reason."""
    rows = session.scalars(
        update(Scan)
        .where(Scan.id.in_(scan_ids), Scan.state.in_((ScanState.FAILED, ScanState.QUARANTINED)))
        .values(state=ScanState.CLOSED_NOT_POSSIBLE, failure=reason, version=Scan.version + 1)
        .returning(Scan.id)
    )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class ScanPlace:
    """Where a scan belongs and how it stands: what an audit event about it needs."""

    scan_id: int
    site_id: int
    study_id: int
    state: ScanState
    failure: str | None


def scan_places(session: Session, scan_ids: Sequence[int]) -> list[ScanPlace]:
    """Site, study and state of these scans, in order of their id."""
    rows = session.execute(
        select(Scan.id, Scan.site_id, Site.study_id, Scan.state, Scan.failure)
        .join(Site, Site.id == Scan.site_id)
        .where(Scan.id.in_(scan_ids))
        .order_by(Scan.id)
    )
    return [ScanPlace(row.id, row.site_id, row.study_id, ScanState(row.state), row.failure) for row in rows]


def waiting_lanes(session: Session) -> dict[ScanKind, int]:
    """How many scans of each lane are ready to be claimed at this moment; lanes without any are absent."""
    rows = session.execute(
        select(Scan.kind, func.count())
        .where(Scan.state == ScanState.QUEUED, or_(Scan.not_before_at.is_(None), Scan.not_before_at <= func.now()))
        .group_by(Scan.kind)
    )
    return {ScanKind(kind): count for kind, count in rows}
