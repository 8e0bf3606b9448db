"""Reports that were asked for, and how they are sent."""

from datetime import date, datetime

from pydantic import AliasPath, Field

from core.vocabulary import DeliveryState, ReasonCode, ReportKind, ReportState, SchedulePace, ScheduleState
from dashboard.api.documents.base import Document


class MadeDocument(Document):
    """What was made, and its hashes."""

    made_at: datetime
    pdf_sha256: str
    content_sha256: str = Field(description="Of what it says; equal for equal reports.")
    n_pages: int


class ReportDocument(Document):
    """One report."""

    id: int
    kind: ReportKind
    study_id: int
    study_code: str
    site_id: int | None
    site_code: str | None
    since: date | None
    until: date | None = Field(description="Exclusive.")
    batch_id: int | None
    reason: ReasonCode | None
    asked_by: str
    asked_at: datetime
    state: ReportState
    error: str | None
    made: MadeDocument | None = Field(description="Null: not made yet.")


class ScheduleDocument(Document):
    """A report that is made and sent again and again."""

    id: int
    kind: ReportKind
    study_id: int
    study_code: str
    site_id: int | None
    site_code: str | None
    every: SchedulePace = Field(validation_alias=AliasPath("timing", "every"))
    on_day: int = Field(validation_alias=AliasPath("timing", "on_day"))
    hour: int = Field(validation_alias=AliasPath("timing", "hour"), description="UTC.")
    n_weeks: int = Field(description="Weeks that each report looks back.")
    next_at: datetime
    created_by: str
    state: ScheduleState
    recipients: list[str]
    recipient_ids: list[int]


class SendingDocument(Document):
    """How sending a report to one person went."""

    name: str
    state: DeliveryState
    at: datetime
    error: str | None
