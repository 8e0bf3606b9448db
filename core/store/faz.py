"""A FAZ metric scan by scan, of one slab and field at a time, with what they rest on: grade, scale, axial length."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Device, Scan, Site, Subject
from core.store.assessment import FAZ_COLUMNS
from core.store.recent_scan import reach_of, recent_scans
from core.store.scan_filter import ScanFilter
from core.values import Measure, Measured, NotComputable
from core.vocabulary import CoipsGrade, Laterality, ScaleSource

_UNRECORDED = "not computed by the model of that time"


@dataclass(frozen=True, slots=True)
class FazReading:
    """One scan's metric as it is stored; lengths are nominal.

    ``ordinal`` is a person's grade where there is one, else the model's.
    """

    scan_id: int
    subject_id: int
    subject_code: str
    visit_id: int
    site_code: str
    device_code: str
    laterality: Laterality
    acquired_at: datetime
    ordinal: int
    scale_source: ScaleSource | None
    axial_length_mm: float | None
    touches_border: bool
    measure: Measure

    @property
    def is_released(self) -> bool:
        """Metrics count from gradable on (contracts: they are released by the final grade)."""
        return self.ordinal >= CoipsGrade.GRADABLE


@dataclass(frozen=True, slots=True)
class FazReadings:
    """Readings in order of time, read at ``as_of``; ``is_cut`` says that devices have older ones."""

    as_of: datetime
    readings: tuple[FazReading, ...]
    per_device: int
    is_cut: bool


_COLUMNS = (
    Scan.id, Scan.human_ordinal, Acquisition.subject_id, Subject.code.label("subject_code"), Acquisition.visit_id,
    Site.code.label("site_code"), Device.code.label("device_code"), Acquisition.device_id, Acquisition.laterality,
    Acquisition.acquired_at, Acquisition.scale_source, Acquisition.axial_length_mm, Assessment.grade_ordinal,
    Assessment.is_faz_touching_border,
)  # fmt: skip


def read_faz(session: Session, chosen: ScanFilter, metric: str) -> FazReadings:
    """The latest readings of every device under ``chosen``, which must name a slab and a scan type.

    ``metric`` is a column of ``FAZ_COLUMNS``, ValueError else. So is a filter without slab or scan type: slabs show
    different zones and fields different pixels.
    """
    if metric not in FAZ_COLUMNS:
        raise ValueError(f"{metric} is no FAZ metric")
    if chosen.slab is None or chosen.scan_type is None:
        raise ValueError("FAZ metrics are read for one slab and one scan type; the filter names none")
    reach = reach_of(session, chosen)
    as_of: datetime = session.execute(select(func.now())).scalar_one()
    if not reach.device_ids:
        return FazReadings(as_of, (), reach.per_device, is_cut=False)
    value = getattr(Assessment, metric)
    why_not = case((value.is_(None), Assessment.not_computable))  # most scans have a value: their reasons stay unread
    asked = (*_COLUMNS, value.label("value"), why_not.label("why_not"))
    rows = session.execute(recent_scans(chosen, reach, *asked)).all()
    counted: dict[int, int] = {}
    for row in rows:
        counted[row.device_id] = counted.get(row.device_id, 0) + 1
    is_cut = any(n >= reach.per_device for n in counted.values())
    return FazReadings(as_of, tuple(_reading(row, metric) for row in rows), reach.per_device, is_cut)


def _reading(row: Row[Any], metric: str) -> FazReading:
    return FazReading(
        scan_id=row.id,
        subject_id=row.subject_id,
        subject_code=row.subject_code,
        visit_id=row.visit_id,
        site_code=row.site_code,
        device_code=row.device_code,
        laterality=Laterality(row.laterality),
        acquired_at=row.acquired_at,
        ordinal=row.grade_ordinal if row.human_ordinal is None else row.human_ordinal,
        scale_source=None if row.scale_source is None else ScaleSource(row.scale_source),
        axial_length_mm=row.axial_length_mm,
        touches_border=bool(row.is_faz_touching_border),
        measure=_measure(row, metric),
    )


def _measure(row: Row[Any], column: str) -> Measure:
    if row.value is not None:
        return Measured(row.value)
    reasons: Mapping[str, str] = row.why_not
    return NotComputable(reasons.get(column, reasons.get("faz", _UNRECORDED)))
