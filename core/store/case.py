"""What scoring and judging need to know of each claimed scan: image, scale, slab, protocol, window. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Device, Scan, Site, Visit
from core.store.protocol import ProtocolInForce, ProtocolTimeline, read_protocols
from core.values import Scale
from core.vocabulary import Laterality, ScaleSource, ScanKind, Slab


@dataclass(frozen=True, slots=True)
class ScanCase:
    """One scan as the scorer and the policy see it."""

    scan_id: int
    acquisition_id: int
    expected_scan_id: int
    site_id: int
    study_id: int
    kind: ScanKind
    scan_type: str
    slab: Slab
    laterality: Laterality
    image_sha256: str
    volume_sha256: str | None
    """Of a volume: the blob that holds all of it (core.intake.volume_blob)."""
    width_px: int
    height_px: int
    field_mm: tuple[float, float] | None
    """Width and height as entered; None where not stated."""
    scale: Scale | None
    device_id: int
    technician_id: int | None
    device_model: str
    """Manufacturer and model, as a protocol lists its certified devices."""
    software_version: str
    """Empty: not stated."""
    acquired_at: datetime
    window_ends_on: date | None
    in_force: ProtocolInForce | None
    """The protocol version in force when the scan was taken; None where its study has none."""

    def is_window_open(self, today: date) -> bool:
        """Whether the scan could still be taken again for its visit; always, where the protocol sets no window."""
        return self.window_ends_on is None or today <= self.window_ends_on


def read_cases(session: Session, scan_ids: Sequence[int]) -> dict[int, ScanCase]:
    """The cases of these scans by scan id."""
    rows = session.execute(
        select(
            Scan.id,
            Scan.acquisition_id,
            Acquisition.expected_scan_id,
            Scan.site_id,
            Site.study_id,
            Scan.kind,
            Acquisition.scan_type,
            Scan.slab,
            Acquisition.laterality,
            Scan.image_sha256,
            Scan.volume_sha256,
            Scan.width_px,
            Scan.height_px,
            Acquisition.field_width_mm,
            Acquisition.field_height_mm,
            Acquisition.scale_source,
            Acquisition.device_id,
            Acquisition.technician_id,
            Acquisition.software_version,
            Device.manufacturer,
            Device.model,
            Acquisition.acquired_at,
            Visit.window_ends_on,
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Site, Site.id == Scan.site_id)
        .where(Scan.id.in_(scan_ids))
    ).all()
    timeline = read_protocols(session, {row.study_id for row in rows})
    return {row.id: _case(row, timeline) for row in rows}


def _case(row: Any, timeline: ProtocolTimeline) -> ScanCase:
    return ScanCase(
        scan_id=row.id,
        acquisition_id=row.acquisition_id,
        expected_scan_id=row.expected_scan_id,
        site_id=row.site_id,
        study_id=row.study_id,
        kind=ScanKind(row.kind),
        scan_type=row.scan_type,
        slab=Slab(row.slab),
        laterality=Laterality(row.laterality),
        image_sha256=row.image_sha256,
        volume_sha256=row.volume_sha256,
        width_px=row.width_px,
        height_px=row.height_px,
        field_mm=_field(row.field_width_mm, row.field_height_mm),
        scale=_scale(row.field_width_mm, row.field_height_mm, row.width_px, row.height_px, source=row.scale_source),
        device_id=row.device_id,
        technician_id=row.technician_id,
        device_model=f"{row.manufacturer} {row.model}",
        software_version=row.software_version,
        acquired_at=row.acquired_at,
        window_ends_on=row.window_ends_on,
        in_force=timeline.at(row.study_id, row.acquired_at),
    )


def _field(width_mm: float | None, height_mm: float | None) -> tuple[float, float] | None:
    return None if width_mm is None or height_mm is None else (width_mm, height_mm)


def _scale(
    width_mm: float | None, height_mm: float | None, width_px: int, height_px: int, *, source: str | None
) -> Scale | None:
    """The scale, where the field's size is known and its source was recorded; never a guess."""
    if width_mm is None or height_mm is None or source is None:
        return None
    return Scale.of_field(width_mm, height_mm, width_px, height_px, ScaleSource(source))
