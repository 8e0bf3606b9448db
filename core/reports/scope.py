"""What a report is about: a study, maybe one of its sites, over whole weeks."""

from dataclasses import dataclass, replace
from datetime import date

from core.store.scan_filter import ScanFilter


@dataclass(frozen=True, slots=True)
class Scope:
    """``since`` is the first day and ``until`` the day after the last, by day of acquisition (UTC)."""

    study_id: int
    site_id: int | None
    since: date
    until: date

    @property
    def chosen(self) -> ScanFilter:
        """The filter that shows the same on the pages."""
        return ScanFilter(study_id=self.study_id, site_id=self.site_id, since=self.since, until=self.until)

    @property
    def of_study(self) -> ScanFilter:
        """The whole study over the same weeks."""
        return replace(self.chosen, site_id=None)
