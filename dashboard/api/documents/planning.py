"""What a study plans: a protocol version to publish, a calendar of visits, and what importing it does."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, field_validator

from core.intake.visit_calendar import MAX_PLANNED_VISITS, MAX_REASON_LENGTH
from core.store.visit_plan import Slot
from core.usecases.plan_visits import CalendarCheck, PlanChange
from core.vocabulary import Laterality
from dashboard.api.documents.base import Body, Code, Document, GivenDay, Text
from dashboard.api.documents.work import Words


class ProtocolBody(Body):
    """The study's next protocol version."""

    document: dict[str, Any] = Field(description="As GET /studies/{study_id}/protocol-versions gives it.")
    note: Words = Field(description="What changed and why.")
    effective_at: AwareDatetime | None = Field(None, description="From when on it is in force; left out: now.")

    @field_validator("document")
    @classmethod
    def _refuse_nul(cls, document: dict[str, Any]) -> dict[str, Any]:
        """PostgreSQL stores no NUL."""
        if "\\u0000" in json.dumps(document):
            raise ValueError("the document holds a NUL character")
        return document


class CalendarRowBody(Body):
    """One planned visit."""

    site: Code = Field(description="Code of the site.")
    subject: Code = Field(description="Pseudonym of the subject.")
    visit: Code = Field(description="The visit's name in the protocol.")
    planned_on: GivenDay
    window_ends_on: GivenDay | None = Field(
        None, description="Left out: the protocol's window from the planned day on."
    )
    called_off: Annotated[Text, Field(max_length=MAX_REASON_LENGTH)] = Field(
        "", description="Why it does not take place; empty: it does."
    )


class CalendarBody(Body):
    """A calendar, or the part of it that changed."""

    rows: Annotated[list[CalendarRowBody], Field(min_length=1, max_length=MAX_PLANNED_VISITS)]
    dry_run: bool = Field(default=False, description="Only say what it would change.")
    is_whole: bool = Field(
        default=False,
        description="The rows name every visit of their sites: planned ones that they leave out and that sent nothing "
        "are called off. Not done where a row has a fault.",
    )


class SlotDocument(Document):
    """An expected scan."""

    laterality: Laterality
    scan_type: str

    @classmethod
    def of(cls, slots: Iterable[Slot]) -> "list[SlotDocument]":
        """In their order."""
        return [cls(laterality=laterality, scan_type=scan_type) for laterality, scan_type in slots]


class CalendarLineDocument(Document):
    """What one row changes."""

    line: int | None = Field(description="Number of the row, from 1; null of a visit that no row names.")
    site: str
    subject: str
    visit: str
    change: PlanChange
    planned_on: date
    window_ends_on: date | None = Field(description="Null: the window stays open.")
    added: list[SlotDocument] = Field(description="What a known visit expects from now on.")
    removed: list[SlotDocument] = Field(description="What it no longer expects, as nothing of it arrived.")


class CalendarProblemDocument(Document):
    """What is wrong with a row, or to be known of the calendar."""

    code: str
    message: str
    remedy: str
    is_blocking: bool = Field(description="The row is not taken.")


class CalendarDocument(Document):
    """What importing a calendar does, or did."""

    lines: list[CalendarLineDocument]
    problems: list[CalendarProblemDocument]

    @classmethod
    def of(cls, check: CalendarCheck) -> "CalendarDocument":
        """As the use case answers it."""
        lines = [
            CalendarLineDocument(
                line=each.row.line,
                site=each.row.site,
                subject=each.row.subject,
                visit=each.row.visit,
                change=each.change,
                planned_on=each.row.planned_on,
                window_ends_on=each.window_ends_on,
                added=SlotDocument.of(each.added),
                removed=SlotDocument.of(each.removed),
            )
            for each in check.lines
        ]
        return cls(lines=lines, problems=[CalendarProblemDocument.model_validate(each) for each in check.problems])


class VisitPlanDocument(Document):
    """A visit as it is planned."""

    visit_id: int
    site_id: int
    subject: str
    visit: str
    planned_on: date | None
    window_ends_on: date | None
    called_off_at: datetime | None = Field(description="Null: it takes place.")
    called_off_reason: str
    is_received: bool = Field(description="At least one scan of it arrived.")
