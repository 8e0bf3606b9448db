"""What waits to be scored, who scores it, and what could not be scored."""

from datetime import datetime

from pydantic import Field

from core.vocabulary import Laterality, ScanKind, ScanState, Slab
from dashboard.api.documents.base import Document


class LaneDocument(Document):
    """One kind of scan in the queue."""

    lane: ScanKind
    n_waiting: int
    n_ready: int
    n_postponed: int = Field(description="Tried, and waiting for the next try.")
    n_scoring: int
    n_failed: int
    n_quarantined: int
    oldest_at: datetime | None = Field(description="When the oldest of those that wait was sent; null: none waits.")
    n_scored_last_hour: int


class ScoredHourDocument(Document):
    """One hour of the clock."""

    started_at: datetime
    n_scored: int


class ProcessDocument(Document):
    """A worker or the keeper; workers score for all studies."""

    name: str
    kind: str
    started_at: datetime
    beaten_at: datetime = Field(description="Its last sign of life.")
    ended_at: datetime | None = Field(description="Null while it runs, or where it was killed.")


class QueueDocument(Document):
    """The queue now, and the last 24 hours."""

    as_of: datetime
    lanes: list[LaneDocument]
    hours: list[ScoredHourDocument]
    processes: list[ProcessDocument]


class StuckScanDocument(Document):
    """A scan that could not be scored, with why."""

    scan_id: int
    state: ScanState
    failure: str
    attempts: int
    worker_losses: int = Field(description="How often its worker ended while scoring it.")
    study_id: int
    study_code: str
    site_id: int
    site_code: str
    subject_code: str
    visit_code: str
    device_code: str
    laterality: Laterality
    slab: Slab
    submitted_at: datetime
