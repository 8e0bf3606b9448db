"""What a new capture is held against: the device as it was on record, and the last day of the visit."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database.tables import Annotation, Device, Visit
from core.store.mark import MarkKind


@dataclass(frozen=True, slots=True)
class DeviceOnRecord:
    """A device with its present software version, and since when it has that; None: from the beginning."""

    name: str
    software_version: str
    software_since: datetime | None

    def software_at(self, moment: datetime) -> str:
        """The version on record at ``moment``; empty before the last update, because older ones are not kept."""
        is_known = self.software_since is None or moment >= self.software_since
        return self.software_version if is_known else ""


def read_devices_on_record(session: Session, device_ids: Iterable[int]) -> dict[int, DeviceOnRecord]:
    """These devices by id."""
    updates = (
        select(Annotation.device_id, func.max(Annotation.happened_at).label("happened_at"))
        .where(Annotation.kind == MarkKind.SOFTWARE, Annotation.withdrawn_at.is_(None))
        .group_by(Annotation.device_id)
        .subquery()
    )
    rows = session.execute(
        select(Device.id, Device.manufacturer, Device.model, Device.software_version, updates.c.happened_at)
        .outerjoin(updates, updates.c.device_id == Device.id)
        .where(Device.id.in_(sorted(set(device_ids))))
    )
    return {id_: DeviceOnRecord(f"{maker} {model}", version, since) for id_, maker, model, version, since in rows}


def read_windows(session: Session, visit_ids: Iterable[int]) -> dict[int, date | None]:
    """The last day on which a scan counts for each of these visits; None: no window."""
    rows = session.execute(select(Visit.id, Visit.window_ends_on).where(Visit.id.in_(sorted(set(visit_ids)))))
    return {row.id: row.window_ends_on for row in rows}
