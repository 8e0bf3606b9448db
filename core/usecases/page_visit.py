"""One person's look at the pages, as the questions of core.usecases.page_questions are asked on it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.scan_filter import ScanFilter


@dataclass(frozen=True, slots=True)
class Visit:
    """One person's look at the pages: the moment, and a scan and a batch that this person may see."""

    now: datetime
    scan_id: int
    batch_id: int
    scan_type: str

    @property
    def today(self) -> date:
        """The day of the moment."""
        return self.now.date()

    def weeks(self, n: int) -> ScanFilter:
        """The last ``n`` whole weeks, as dashboard.filters has them."""
        until = self.today + timedelta(days=7 - self.today.weekday())
        return ScanFilter(since=until - timedelta(weeks=n), until=until)


SOMEBODY = Actor(user_id=1, name="somebody", display_name="Somebody", grants=())
"""Whose drafts and decisions are asked for; row-level security goes by the session alone."""


Question = Callable[[Session, Visit], object]
