"""Requests for new scans with their course, questions to sites, actions, alerts; and what moves them."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from core.store.completeness import SlotState
from core.store.query_thread import ThreadState
from core.store.unit import UnitKind
from core.vocabulary import (
    ActionKind,
    ActionState,
    AlertChannel,
    AlertKind,
    DeliveryState,
    Laterality,
    QueryAct,
    QuerySide,
    ReasonCode,
    RequestState,
    ScanState,
    Slab,
    StepKind,
)
from dashboard.api.documents.base import Body, Document, GivenDay, MaybeRange, Rate, Text
from dashboard.api.documents.quality import CauseCountsDocument


class RequestDocument(Document):
    """One request to take a scan again."""

    id: int
    version: int
    state: RequestState
    study_id: int
    site_id: int
    study_code: str
    site_code: str
    subject_code: str
    visit_code: str
    laterality: Laterality
    scan_type: str
    slab: Slab
    scan_id: int
    expected_scan_id: int
    reason: ReasonCode
    text: str
    remedy: str
    due_on: date | None
    owner: str | None = Field(description="Who sees to it at the site.")
    round_number: int = Field(description="Requests of the same expected scan are counted from 1.")
    n_rounds: int
    created_at: datetime
    received_at: datetime | None
    closed_at: datetime | None
    replacement_scan_id: int | None
    is_link_found: bool = Field(description="The program found the replacement; nobody named it.")


class RequestStepDocument(Document):
    """One step of a request."""

    number: int
    kind: StepKind
    state: RequestState
    who: str | None = Field(description="Null: the program.")
    note: str
    at: datetime


class RequestCourseDocument(Document):
    """One request with all its steps."""

    request: RequestDocument
    steps: list[RequestStepDocument]


class MessageDocument(Document):
    """One message between reading centre and site."""

    id: int
    author: str
    side: QuerySide
    act: QueryAct
    text: str
    at: datetime


class ThreadDocument(Document):
    """The questions about one scan."""

    scan_id: int
    state: ThreadState
    messages: list[MessageDocument]


class ActionDocument(Document):
    """What was agreed with a site about a unit."""

    id: int
    study_id: int
    study_code: str
    site_id: int
    site_code: str
    kind: ActionKind
    unit_kind: UnitKind
    unit_key: str
    unit_label: str
    device_id: int | None
    text: str
    owner: str
    due_on: date | None
    state: ActionState
    opened_by: str
    opened_at: datetime
    closed_at: datetime | None
    closing: str = Field(description="How it ended; empty while it is open.")


class AlertDocument(Document):
    """What is or was flagged, overdue or stalled."""

    id: int
    study_id: int
    study_code: str
    site_id: int | None
    site_code: str | None
    kind: AlertKind
    subject: str
    detail: dict[str, Any]
    since: datetime
    ended_at: datetime | None = Field(description="Null: it stands.")


class LatestSendingDocument(Document):
    """How the latest telling of a subscription went."""

    state: DeliveryState
    at: datetime
    error: str | None


class SubscriptionDocument(Document):
    """How the caller is told of alerts."""

    id: int
    study_id: int
    study_code: str
    channel: AlertChannel
    wanted: dict[AlertKind, str] = Field(description="Kind of alert: how soon.")
    latest: LatestSendingDocument | None = Field(default=None, description="Null: nothing was told yet.")


Version = Annotated[int, Field(ge=0, le=2**31, description="`version` of the scan as it was seen.")]
Ordinal = Annotated[
    int,
    Field(ge=0, le=3, description="On the scale of the scan's kind; for OCTA 0 ungradable, 1 gradable, 2 outstanding."),
]
Words = Annotated[Text, Field(min_length=1)]


class AcceptBody(Body):
    """Accept a scan as it is."""

    seen_version: Version
    ordinal: Ordinal | None = Field(None, description="Your grade; left out: the model's stands.")
    reason: Text = ""


class OverrideBody(Body):
    """Decide against the model, with the reason."""

    seen_version: Version
    ordinal: Ordinal
    reason: Words


class ReacquireBody(Body):
    """Ask the site for a new scan; reason, text and remedy are the model's unless given."""

    seen_version: Version
    reason_code: ReasonCode | None = None
    text: Text = ""
    remedy: Text = ""


class QueryBody(Body):
    """Ask the site a question."""

    seen_version: Version
    question: Words


class AnswerBody(Body):
    """Answer the reading centre's question."""

    answer: Words


class NoteBody(Body):
    """A step that may carry a note."""

    note: Text = ""


class ScheduleBody(NoteBody):
    """When the new scan is planned."""

    planned_on: GivenDay


class NotPossibleBody(Body):
    """Why the scan cannot be taken again."""

    reason: Words


class DecidedDocument(Document):
    """Where the scan stands after a step."""

    scan_id: int
    version: int
    state: ScanState


class QuantileDocument(Document):
    """The time by which a share of the requests is answered, in days."""

    value: float
    low: float
    high: float | None = Field(description="Null: not known yet.")


class ReceiptPointDocument(Document):
    """One step of the Kaplan-Meier curve of days to receipt."""

    days: float
    received: float = Field(description="Share of requests whose replacement has come by then, 0..1.")
    low: float = Field(description="Lower end of the pointwise 95 % band, 0..1.")
    high: float


class SiteQueriesDocument(Document):
    """Scans of first captures that a site was asked about, of those scored."""

    site_id: int
    site_code: str
    rate: Rate


class RequestFiguresDocument(Document):
    """What comes of requests."""

    as_of: datetime
    n_requests: int
    n_cases: int = Field(description="Expected scans that were asked for again, however often.")
    n_open: int
    success: MaybeRange = Field(description="Share of cases that ended with an accepted scan, 0..1.")
    within_window: MaybeRange = Field(description="Share received by the day that they were due, 0..1.")
    n_received: int | None
    median_to_receipt_days: QuantileDocument | None
    p90_to_receipt_days: QuantileDocument | None
    not_computable: str | None = Field(description="Why there is no time to receipt; null where there is one.")
    receipt: list[ReceiptPointDocument] = Field(description="Requests that still wait count as long as they have.")
    queries: list[SiteQueriesDocument] = Field(description="By site; `rate.value` times 100 is per 100 scans.")
    all_queries: MaybeRange = Field(description="All sites together, 0..1.")


class SlotDocument(Document):
    """One expected scan of a visit."""

    slot_id: int
    laterality: Laterality
    scan_type: str
    state: SlotState
    scan_id: int | None


class VisitDocument(Document):
    """What one visit owes."""

    visit_id: int
    site_id: int
    site_code: str
    subject_code: str
    visit_code: str
    planned_on: date | None = Field(description="Null: nobody planned it; its first scan made it known.")
    called_off_reason: str = Field(description="Why it does not take place; empty: it does.")
    window_ends_on: date | None
    slots: list[SlotDocument]


class SiteCompletenessDocument(Document):
    """How much of what was expected one site has sent."""

    site_id: int
    study_code: str
    site_code: str
    site_name: str
    n_expected: int
    n_received: int
    n_missing_open: int = Field(description="Missing, and the visit's window is open.")
    n_missing_closed: int = Field(description="Missing, and the window has closed.")


class FeedbackDocument(Document):
    """A technician's own first-pass rate beside the study's median; of others the median alone."""

    study_code: str
    site_code: str
    technician_code: str | None
    since: date
    until: date = Field(description="Exclusive.")
    gradable: Rate
    n_received: int
    n_patients: int
    is_judged: bool
    study_median: MaybeRange = Field(description="Of units with at least 30 decided captures, 0..1.")
    n_units: int | None = Field(description="Units behind the median.")
    causes: CauseCountsDocument
