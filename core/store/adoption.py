"""Letting another model's scores count, as rows: the order, the scans still to be seen to, what it did to each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, Assessment, Rescoring, RescoringScan, Scan
from core.store.rescoring import OPEN, RescoringRow, read_rescoring
from core.vocabulary import AdoptionOutcome, RescoredState, Verdict

_Known = aliased(Assessment)
"""What the other model said, beside what counts."""


@dataclass(frozen=True, slots=True)
class Rescored:
    """One scan that another model has scored, beside what counts."""

    scan_id: int
    site_id: int
    expected_scan_id: int
    assessment_id: int
    protocol_version_id: int
    verdict: Verdict
    counting_id: int | None
    counting_protocol_id: int | None
    counting_verdict: Verdict | None


def adopt_rescoring(session: Session, id_: int, *, by_id: int, reason: str, at: datetime) -> bool:
    """Order that an ended order's scores count; False where somebody did before, or it is still open."""
    adopted = (
        update(Rescoring)
        .where(Rescoring.id == id_, Rescoring.adopted_at.is_(None), Rescoring.state.not_in(OPEN))
        .values(adopted_at=at, adopted_by_id=by_id, adoption_reason=reason)
        .returning(Rescoring.id)
    )
    return bool(session.scalars(adopted).all())


def lock_next_adoption(session: Session) -> RescoringRow | None:
    """The oldest adoption that is not carried out, locked; None where there is none or others have it."""
    locked = session.scalars(
        select(Rescoring.id)
        .where(Rescoring.adopted_at.is_not(None), Rescoring.adoption_ended_at.is_(None))
        .order_by(Rescoring.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return None if locked is None else read_rescoring(session, locked)


def next_rescored(session: Session, id_: int, *, after: int, limit: int) -> tuple[Rescored, ...]:
    """The next scans of an order, behind that id, that were not adopted so far, in order of their id."""
    wanted = _rescored(id_).where(RescoringScan.outcome.is_(None), Scan.id > after)
    rows = session.execute(wanted.limit(limit))
    return tuple(_rescored_row(row) for row in rows)


def _rescored(id_: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Scan.id, Scan.site_id, Acquisition.expected_scan_id, RescoringScan.assessment_id,
            _Known.protocol_version_id, _Known.verdict, Scan.assessment_id.label("counting_id"),
            Assessment.protocol_version_id.label("counting_protocol_id"),
            Assessment.verdict.label("counting_verdict"),
        )
        .select_from(RescoringScan)
        .join(Scan, Scan.id == RescoringScan.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(_Known, _Known.id == RescoringScan.assessment_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(RescoringScan.rescoring_id == id_, RescoringScan.state == RescoredState.SCORED)
        .order_by(Scan.id)
    )  # fmt: skip


def _rescored_row(row: Any) -> Rescored:
    return Rescored(
        row.id, row.site_id, row.expected_scan_id, row.assessment_id, row.protocol_version_id, Verdict(row.verdict),
        row.counting_id, row.counting_protocol_id,
        None if row.counting_verdict is None else Verdict(row.counting_verdict),
    )  # fmt: skip


def note_outcome(session: Session, id_: int, rescored: Rescored, outcome: AdoptionOutcome) -> None:
    """Write down what adopting did to one scan, and what had counted."""
    session.execute(
        update(RescoringScan)
        .where(RescoringScan.rescoring_id == id_, RescoringScan.scan_id == rescored.scan_id)
        .values(outcome=outcome, former_assessment_id=rescored.counting_id)
    )


def end_adoption(session: Session, id_: int, *, at: datetime) -> None:
    """Say that every scan of an adoption was seen to."""
    session.execute(update(Rescoring).where(Rescoring.id == id_).values(adoption_ended_at=at))
