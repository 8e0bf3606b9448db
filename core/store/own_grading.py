"""A grader's own scans to grade, by way of the database's functions: the tables behind them are closed to graders.

Nothing here tells a repeat from a first look but what the program needs when the grade is written.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class OwnWork:
    """One scan that this person is to grade."""

    assignment_id: int
    scan_id: int
    due_on: date


@dataclass(frozen=True, slots=True)
class OwnProgress:
    """How many scans this person has to grade, how many of them are late, and how many are done."""

    n_open: int
    n_overdue: int
    n_done: int


@dataclass(frozen=True, slots=True)
class LockedWork:
    """A scan of this person's while its grade is written."""

    scan_id: int
    is_repeat: bool


def read_own_work(session: Session, *, limit: int) -> tuple[OwnWork, ...]:
    """The next scans that the session's person is to grade, the soonest due first."""
    rows = session.execute(text("select * from own_grading_work(:n)"), {"n": limit})
    return tuple(OwnWork(*row) for row in rows)


def read_own_progress(session: Session, *, today: date) -> OwnProgress:
    """How far the session's person has come."""
    return OwnProgress(*session.execute(text("select * from own_grading_progress(:today)"), {"today": today}).one())


def lock_own_work(session: Session, assignment_id: int) -> LockedWork | None:
    """The scan, locked; None where the person has no such open one."""
    row = session.execute(text("select * from lock_own_grading(:id)"), {"id": assignment_id}).one_or_none()
    return None if row is None else LockedWork(*row)


def finish_own_repeat(session: Session, assignment_id: int, *, ordinal: int, at: datetime) -> bool:
    """Write the grade of a repeat; False where it was taken away in the meantime.

    A first look is finished by the masked grade itself (a trigger on review).
    """
    values = {"id": assignment_id, "ordinal": ordinal, "at": at}
    return bool(session.scalar(text("select finish_own_repeat(:id, :ordinal, :at)"), values))
