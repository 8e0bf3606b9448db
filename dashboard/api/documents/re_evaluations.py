"""Re-evaluations: what was judged anew by which protocol version, why, and what became of each scan."""

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import Field

from core.store.re_evaluation import ReEvaluationRow
from core.vocabulary import Outcome, ReEvaluationState, Verdict
from dashboard.api.documents.base import Document


class ReEvaluationDocument(Document):
    """One act of judging stored scores by a protocol version."""

    id: int
    site_code: str | None = Field(description="Null: every site of the study.")
    since: date | None = Field(description="First day of capture that was meant; null: from the first.")
    until: date | None = Field(description="Day before which captures were meant; null: to the last.")
    version_id: int
    version_number: int
    reason: str
    requested_by: str
    requested_at: datetime
    state: ReEvaluationState
    foreseen: dict[Outcome, int] = Field(description="Scans by outcome, as the preview said.")
    counts: dict[Outcome, int] = Field(description="Scans by outcome, so far.")
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, row: ReEvaluationRow, counts: Mapping[Outcome, int]) -> "ReEvaluationDocument":
        """As it stands."""
        return cls(
            id=row.id,
            site_code=row.site_code,
            since=row.reach.since,
            until=row.reach.until,
            version_id=row.version_id,
            version_number=row.version_number,
            reason=row.reason,
            requested_by=row.requested_by,
            requested_at=row.requested_at,
            state=row.state,
            foreseen={Outcome(name): n for name, n in row.foreseen.items()},
            counts=dict(counts),
            started_at=row.started_at,
            ended_at=row.ended_at,
        )


class ScanOutcomeDocument(Document):
    """What a re-evaluation did to one scan."""

    scan_id: int
    site_id: int
    outcome: Outcome
    version_before_id: int = Field(description="Id of the protocol version that it was judged by before.")
    verdict_before: Verdict
    verdict_after: Verdict | None = Field(description="Null: it was left alone.")
