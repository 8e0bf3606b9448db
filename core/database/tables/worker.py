"""What runs the program: processes of workers and keepers, and their hours of work. Holds nothing of a site."""

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id


class WorkerProcess(Created, Base):
    """One process of a worker or keeper since it was started: its last sign of life and what it told of itself.

    No site, no scan: which models are loaded where, and how much memory they hold.
    """

    __tablename__ = "worker_process"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    """host:process:start, never reused."""
    kind: Mapped[str]
    """worker or keeper."""
    beaten_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    """When it stopped in order; a process that was killed has none and falls silent."""
    facts: Mapped[dict[str, Any]]
    """Worker: lanes, models, device, memory. Keeper: when each duty was last done, and its last failure."""


class WorkerHour(Base):
    """What one process did in one hour of the clock (UTC)."""

    __tablename__ = "worker_hour"

    process_id: Mapped[int] = mapped_column(ForeignKey("worker_process.id", ondelete="CASCADE"), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    n_scored: Mapped[int]
    n_failed: Mapped[int]
    n_lost: Mapped[int]
    seconds: Mapped[float] = mapped_column(Float)
    """Time at work, without waiting."""
