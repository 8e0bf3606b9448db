"""What is asked of reports and their schedules."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.usecases.ask_report import LONGEST_WEEKS
from core.usecases.schedule_reports import LAST_DAYS, LAST_HOUR
from core.vocabulary import ReportKind, SchedulePace, ScheduleState
from dashboard.api.documents.base import Body, Document, Id

MOST_RECIPIENTS = 100
Weeks = Annotated[int, Field(ge=1, le=LONGEST_WEEKS, description="Whole weeks, the present one included.")]
Recipients = Annotated[list[Id], Field(min_length=1, max_length=MOST_RECIPIENTS)]


class ReportBody(Body):
    """Which report, of what, over how long."""

    kind: ReportKind = Field(description="`site` with a site, or `study` without one.")
    study_id: Id
    site_id: Id | None = None
    n_weeks: Weeks


class ScheduledReportBody(ReportBody):
    """A report that is made and sent again and again."""

    every: SchedulePace
    on_day: int = Field(ge=1, le=max(LAST_DAYS.values()), description="1 (Monday) to 7, or 1 to 28 of the month.")
    hour: int = Field(ge=0, le=LAST_HOUR, description="UTC.")
    recipient_ids: Recipients = Field(description="Accounts; see GET /report-addressees.")


class RecipientsBody(Body):
    """Who gets a schedule's reports from now on."""

    recipient_ids: Recipients


class ScheduleStateBody(Body):
    """What becomes of a schedule. An ended one stays ended."""

    state: ScheduleState


class AddresseesQuery(BaseModel):
    """Of which report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ReportKind
    study: Id
    site: Id | None = None


class AddresseeDocument(Document):
    """A person whose rights reach a report."""

    user_id: int
    name: str
    has_address: bool = Field(description="An e-mail address is confirmed.")
