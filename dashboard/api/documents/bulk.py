"""Bulk acceptances and the decision that can be undone."""

from datetime import datetime

from pydantic import Field

from core.vocabulary import BulkState, Laterality, ReviewDecision, SampleMark, Slab
from dashboard.api.documents.base import Body, Document, Id, Text


class BulkItemDocument(Document):
    """One scan of a bulk acceptance."""

    scan_id: int
    site_code: str
    subject_code: str
    visit_code: str
    laterality: Laterality
    slab: Slab
    looked_at: datetime | None = Field(description="Of a sampled scan; null: not looked at yet.")
    mark: SampleMark | None
    left_out: str = Field(description="Why it is decided one by one; empty: it is accepted with the others.")
    is_accepted: bool
    review_id: int | None = Field(description="Of its acceptance: POST /decisions/undo takes it back alone.")
    is_taken_back: bool = Field(description="Its acceptance was undone since.")


class BulkDocument(Document):
    """A list that is accepted after a look at a sample of it."""

    id: int
    study_id: int
    reviewer_id: int
    state: BulkState
    created_at: datetime
    ended_at: datetime | None
    is_agreed: bool = Field(description="Every scan of the sample was agreed to.")
    n_waiting: int = Field(description="Scans that are still to be accepted.")
    sample: list[BulkItemDocument]
    accepted: list[BulkItemDocument]
    left_out: list[BulkItemDocument]


class MarkBody(Body):
    """What the look at a sampled scan came to."""

    mark: SampleMark = Field(description="One `disagree` stops the whole list.")


class UndoableDocument(Document):
    """The caller's own last decision, as long as it can be taken back."""

    review_id: int
    scan_id: int
    decision: ReviewDecision
    until: datetime


class UndoBody(Body):
    """Why a decision is taken back."""

    review_id: Id = Field(description="Of GET /decisions/last or of a bulk acceptance.")
    reason: Text = ""
