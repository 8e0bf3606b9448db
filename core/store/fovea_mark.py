"""Where people marked the fovea of volumes: the newest word on each scan, and new ones appended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from core.database.tables import FoveaMark, User


@dataclass(frozen=True, slots=True)
class FoveaPoint:
    """The newest word on one scan. ``x_mm`` and ``y_mm`` are None where the program's own finding counts again."""

    x_mm: float | None
    y_mm: float | None
    who: str
    at: datetime
    reason: str


def read_fovea_marks(session: Session, scan_ids: Sequence[int]) -> dict[int, FoveaPoint]:
    """The newest mark of each of these scans that has one."""
    newest = select(func.max(FoveaMark.id)).where(FoveaMark.scan_id.in_(scan_ids)).group_by(FoveaMark.scan_id)
    rows = session.execute(
        select(FoveaMark, User.display_name)
        .outerjoin(User, User.id == FoveaMark.set_by_id)
        .where(FoveaMark.id.in_(newest))
    )
    return {
        mark.scan_id: FoveaPoint(mark.x_mm, mark.y_mm, name or "somebody of another site", mark.created_at, mark.reason)
        for mark, name in rows
    }


def add_fovea_mark(
    session: Session,
    scan_id: int,
    *,
    site_id: int,
    place_mm: tuple[float, float] | None,
    set_by_id: int,
    reason: str,
) -> int:
    """Append a mark; None as place says that the program's own finding counts again. Returns the row's id."""
    x_mm, y_mm = place_mm or (None, None)
    values = {
        "scan_id": scan_id, "site_id": site_id, "x_mm": x_mm, "y_mm": y_mm, "set_by_id": set_by_id, "reason": reason,
    }  # fmt: skip
    return session.scalars(insert(FoveaMark).values(values).returning(FoveaMark.id)).one()
