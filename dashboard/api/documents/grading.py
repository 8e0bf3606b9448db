"""Masked grading by several people: how far it is, what was settled, and what checks of accepted scans found."""

from datetime import date, datetime

from pydantic import Field

from core.policy.grading_plan import Settlement
from core.vocabulary import CheckCause, GradingState, Laterality, ScanState, Slab
from dashboard.api.documents.base import Document, MaybeRange, Number


class GraderProgressDocument(Document):
    """How far one grader is."""

    name: str
    is_disabled: bool
    n_open: int
    n_overdue: int
    n_done: int = Field(description="Since the day named above the list, repeats included.")


class GradingProgressDocument(Document):
    """What the page Grading shows a manager of the work that is under way."""

    since: date = Field(description="Finished work is counted from this day on.")
    n_by_state: dict[GradingState, int] = Field(description="Scans that were drawn and are not settled.")
    n_without_adjudicator: int = Field(description="Of those that wait for one.")
    graders: list[GraderProgressDocument]


class SettledScanDocument(Document):
    """A scan with the consensus of its graders, beside what the model says."""

    grading_id: int
    scan_id: int
    site_code: str
    device_code: str
    slab: Slab
    model_ordinal: int | None = Field(description="Null where the model abstained.")
    consensus_ordinal: int
    settlement: Settlement
    is_senior_check: bool
    ordinals: list[int] = Field(description="The graders' own grades, the lowest first.")


class DeviceCheckDocument(Document):
    """Checks of one device's accepted scans."""

    device_code: str
    site_code: str
    overturned: MaybeRange


class AcceptanceCheckDocument(Document):
    """What people found of the accepted scans that were drawn for them; intervals are exact."""

    overturned: MaybeRange = Field(description="Share of the accepted scans that are ungradable, 0..1.")
    accepted_share: Number = Field(description="Share of the latest scored scans that is accepted, 0..1.")
    devices: list[DeviceCheckDocument]


class CalibratedReviewerDocument(Document):
    """A reviewer who grades each scan before seeing what the model says of it."""

    user_id: int
    name: str
    since: datetime
    reason: str


class OpenCheckDocument(Document):
    """An accepted scan that waits for a look by the caller; nothing of what the model said."""

    scan_id: int
    version: int
    state: ScanState
    study_id: int
    site_id: int
    site_code: str
    device_code: str
    subject_code: str
    laterality: Laterality
    scan_type: str
    slab: Slab
    cause: CheckCause = Field(description="Drawn by the protocol's share, or found ungradable by graders.")
    drawn_at: datetime
