"""Where a scan stands in the list that somebody walks through: its number, the scans beside it, the total."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from core.store.scan_filter import ScanFilter
from core.store.worklist import WorklistTab, listed_scans


@dataclass(frozen=True, slots=True)
class ListPlace:
    """``number`` counts from 1; None: the scan is not (or no longer) in the list, and the next one is its first."""

    number: int | None
    total: int
    previous_id: int | None
    next_id: int | None
    first_id: int | None


def read_place(session: Session, chosen: ScanFilter, tab: WorklistTab, *, today: date, scan_id: int) -> ListPlace:
    """The place of a scan in one list of the worklist, in that list's order."""
    ids = session.scalars(listed_scans(chosen, tab, today=today)).all()
    if scan_id not in ids:
        first = ids[0] if ids else None
        return ListPlace(None, len(ids), None, first, first)
    at = ids.index(scan_id)
    return ListPlace(at + 1, len(ids), ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None, ids[0])
