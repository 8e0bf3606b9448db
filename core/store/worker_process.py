"""Processes of workers and keepers as they tell of themselves, and what each did by the hour (the database's clock)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from core.database.tables import WorkerHour, WorkerProcess

MOST_PROCESSES = 200
"""Shown and read at most: a process that is started anew after each fault leaves a row behind."""


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One process. ``facts`` is what it told last; ``ended_at`` is None while it runs, or where it was killed."""

    id: int
    name: str
    kind: str
    started_at: datetime
    beaten_at: datetime
    ended_at: datetime | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HourOfWork:
    """What one process did in one hour; ``seconds`` at work, without waiting."""

    process_id: int
    started_at: datetime
    n_scored: int
    n_failed: int
    n_lost: int
    seconds: float


def add_process(session: Session, *, name: str, kind: str, facts: Mapping[str, Any]) -> int:
    """A process has started; its id."""
    row = {"name": name, "kind": kind, "facts": dict(facts), "beaten_at": func.clock_timestamp(), "ended_at": None}
    return session.execute(insert(WorkerProcess).values(row).returning(WorkerProcess.id)).scalar_one()


def beat(session: Session, process_id: int, facts: Mapping[str, Any]) -> None:
    """A process is alive."""
    session.execute(
        update(WorkerProcess)
        .where(WorkerProcess.id == process_id)
        .values(beaten_at=func.clock_timestamp(), facts=dict(facts))
    )


def end_process(session: Session, process_id: int) -> None:
    """A process stops in order."""
    moment = func.clock_timestamp()
    session.execute(
        update(WorkerProcess).where(WorkerProcess.id == process_id).values(beaten_at=moment, ended_at=moment)
    )


def add_work(session: Session, process_id: int, *, n_scored: int, n_failed: int, n_lost: int, seconds: float) -> None:
    """Add to the present hour of a process."""
    row = {
        "process_id": process_id, "started_at": func.date_trunc("hour", func.clock_timestamp()),
        "n_scored": n_scored, "n_failed": n_failed, "n_lost": n_lost, "seconds": seconds,
    }  # fmt: skip
    added = upsert(WorkerHour).values(row)
    counted = {name: getattr(WorkerHour, name) + row[name] for name in ("n_scored", "n_failed", "n_lost", "seconds")}
    session.execute(
        added.on_conflict_do_update(index_elements=[WorkerHour.process_id, WorkerHour.started_at], set_=counted)
    )


def read_processes(session: Session, *, since: datetime) -> tuple[ProcessView, ...]:
    """The processes that gave a sign of life since then, the youngest first; none for who is no manager or admin."""
    rows = session.scalars(
        select(WorkerProcess)
        .where(WorkerProcess.beaten_at >= since)
        .order_by(WorkerProcess.id.desc())
        .limit(MOST_PROCESSES)
    )
    return tuple(
        ProcessView(row.id, row.name, row.kind, row.created_at, row.beaten_at, row.ended_at, row.facts) for row in rows
    )


def read_hours(session: Session, *, since: datetime) -> tuple[HourOfWork, ...]:
    """What the processes did, hour by hour since then, oldest first."""
    rows = session.scalars(
        select(WorkerHour).where(WorkerHour.started_at >= since).order_by(WorkerHour.started_at, WorkerHour.process_id)
    )
    return tuple(
        HourOfWork(row.process_id, row.started_at, row.n_scored, row.n_failed, row.n_lost, row.seconds) for row in rows
    )


def prune_processes(session: Session, *, before: datetime) -> int:
    """Forget processes that were last alive before then, with their hours; return how many."""
    gone = session.scalars(
        delete(WorkerProcess).where(WorkerProcess.beaten_at < before).returning(WorkerProcess.id)
    ).all()
    return len(gone)
