"""What waits to be scored, who scores it, and what could not be scored."""

from datetime import datetime

from pydantic import Field

from core.vocabulary import Laterality, ScanKind, ScanState, Slab
from dashboard.api.documents.base import Document, Facts


class LaneDocument(Document):
    """One kind of scan in the queue."""

    lane: ScanKind
    n_waiting: int
    n_ready: int
    n_postponed: int = Field(description="Tried, and waiting for the next try.")
    n_scoring: int
    n_tried: int = Field(description="Of these, those that an attempt was already spent on.")
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

    id: int
    name: str
    kind: str
    started_at: datetime
    beaten_at: datetime = Field(description="Its last sign of life.")
    ended_at: datetime | None = Field(description="Null while it runs, or where it was killed.")
    facts: Facts = Field(
        description="What it told last. A worker: models, device, held_bytes, total_bytes. The keeper: duties, each "
        "with when it was last done and whether it failed; `return expired leases` is the reconcile sweep."
    )


class HourOfWorkDocument(Document):
    """What one process did in one hour of the clock."""

    process_id: int
    started_at: datetime
    n_scored: int
    n_failed: int
    n_lost: int
    seconds: float = Field(description="At work, without waiting.")


class QueueDocument(Document):
    """The queue now, and the last 24 hours."""

    as_of: datetime
    lanes: list[LaneDocument]
    hours: list[ScoredHourDocument]
    processes: list[ProcessDocument]
    work: list[HourOfWorkDocument] = Field(description="Throughput of each process by the hour.")


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
