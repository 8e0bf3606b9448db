"""FAZ outlines by hand: scans to outline, outlines that came back, and each beside what the model measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Device, FazOutline, Scan, Site, Subject
from core.store.assessment import FAZ_COLUMNS
from core.store.calibration_mode import is_model_shown
from core.store.scan_filter import ScanFilter, filter_conditions
from core.store.scan_name import scan_file_name
from core.values import FazMetrics, Measure, Measured, NotComputable, Scale
from core.vocabulary import CoipsGrade, Laterality, ScaleSource, ScanKind

MOST_OUTLINES = 5_000
"""The newest: more than anybody draws, and bounded work."""
_UNRECORDED = "not computed by the model of that time"


@dataclass(frozen=True, slots=True)
class ScanToOutline:
    """A scan that can be outlined: its image, its size, and its scale where that is known."""

    scan_id: int
    site_id: int
    study_id: int
    image_sha256: str
    width_px: int
    height_px: int
    scale: Scale | None

    @property
    def name(self) -> str:
        """What its image and its outline are called."""
        return scan_file_name(self.scan_id)


@dataclass(frozen=True, slots=True)
class Outlined:
    """One reader's outline of one scan with the model's metrics beside it, by column of the assessment."""

    scan_id: int
    subject_id: int
    subject_code: str
    site_code: str
    device_code: str
    laterality: Laterality
    acquired_at: datetime
    ordinal: int
    """A person's grade where there is one, else the model's."""
    reader: str
    by_hand: Mapping[str, Measure]
    by_model: Mapping[str, Measure]
    touches_border: bool
    """By hand or by the model: only the visible part of the zone was measured."""

    @property
    def is_released(self) -> bool:
        """Metrics count from gradable on."""
        return self.ordinal >= CoipsGrade.GRADABLE


@dataclass(frozen=True, slots=True)
class OutlinedScans:
    """Outlines in order of scan and reader, read at ``as_of``; ``is_cut``: there are older ones."""

    as_of: datetime
    items: tuple[Outlined, ...]
    is_cut: bool


def _to_outline() -> Any:
    return (
        select(
            Scan.id, Scan.site_id, Site.study_id, Scan.image_sha256, Scan.width_px, Scan.height_px,
            Acquisition.field_width_mm, Acquisition.field_height_mm, Acquisition.scale_source,
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
    )  # fmt: skip


def find_scans(session: Session, scan_ids: Iterable[int]) -> dict[int, ScanToOutline]:
    """Those of these OCTA scans that the person may see, by id."""
    wanted = sorted(set(scan_ids))
    rows = session.execute(_to_outline().where(Scan.id.in_(wanted), Scan.kind == ScanKind.OCTA_ENFACE))
    return {row.id: _scan(row) for row in rows}


def draw_scans(session: Session, chosen: ScanFilter, *, n: int, among: int = 2_000) -> list[ScanToOutline]:
    """``n`` gradable scans under ``chosen`` (slab and scan type named), one per subject, by id.

    Drawn by a hash of the scan's number from the newest ``among``: nobody chooses them, and anybody can repeat it.
    """
    is_gradable = func.coalesce(Scan.human_ordinal, Assessment.grade_ordinal) >= CoipsGrade.GRADABLE
    newest = (
        select(Scan.id, Acquisition.subject_id, func.md5(func.concat("faz-outline ", Scan.id)).label("lot"))
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .where(*_of(chosen), is_gradable, Acquisition.is_phantom.is_(False), is_model_shown())
        .order_by(Scan.id.desc())
        .limit(among)
        .subquery()
    )
    one_each = (
        select(newest.c.id, newest.c.lot)
        .ext(distinct_on(newest.c.subject_id))
        .order_by(newest.c.subject_id, newest.c.lot)
        .subquery()
    )
    drawn = select(one_each.c.id).order_by(one_each.c.lot).limit(n)
    return [_scan(row) for row in session.execute(_to_outline().where(Scan.id.in_(drawn)).order_by(Scan.id))]


def _of(chosen: ScanFilter) -> list[ColumnElement[bool]]:
    return [Scan.kind == ScanKind.OCTA_ENFACE, *filter_conditions(chosen)]


def _scan(row: Row[Any]) -> ScanToOutline:
    scale = None
    if row.field_width_mm is not None and row.field_height_mm is not None and row.scale_source is not None:
        source = ScaleSource(row.scale_source)
        scale = Scale.of_field(row.field_width_mm, row.field_height_mm, row.width_px, row.height_px, source)
    return ScanToOutline(row.id, row.site_id, row.study_id, row.image_sha256, row.width_px, row.height_px, scale)


def add_outline(
    session: Session, scan: ScanToOutline, reader: str, mask_sha256: str, found: FazMetrics, *, by_id: int
) -> None:
    """Write down a reader's outline with what was measured from it."""
    metrics = {column: _written(getattr(found, name)) for column, name in FAZ_COLUMNS.items()}
    session.add(
        FazOutline(
            scan_id=scan.scan_id, site_id=scan.site_id, reader=reader, mask_sha256=mask_sha256, metrics=metrics,
            is_touching_border=found.touches_border, imported_by_id=by_id,
        )
    )  # fmt: skip
    session.flush()


def read_outlined(session: Session, chosen: ScanFilter) -> OutlinedScans:
    """The newest outline of every scan and reader under ``chosen``, which must name a slab and a scan type.

    Raises ValueError where it names none: slabs show different zones and fields different pixels.
    """
    if chosen.slab is None or chosen.scan_type is None:
        raise ValueError("outlines are read for one slab and one scan type; the filter names none")
    latest = func.max(FazOutline.id).label("id")
    newest = select(latest).group_by(FazOutline.scan_id, FazOutline.reader).order_by(latest.desc()).limit(MOST_OUTLINES)
    rows = session.execute(
        select(
            FazOutline.reader, FazOutline.metrics, FazOutline.is_touching_border, Scan.id, Scan.human_ordinal,
            Acquisition.subject_id, Subject.code.label("subject_code"), Site.code.label("site_code"),
            Device.code.label("device_code"), Acquisition.laterality, Acquisition.acquired_at,
            Assessment.grade_ordinal, Assessment.is_faz_touching_border, Assessment.not_computable,
            *(getattr(Assessment, name) for name in FAZ_COLUMNS),
        )
        .join(Scan, Scan.id == FazOutline.scan_id)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Device, Device.id == Acquisition.device_id)
        .join(Site, Site.id == Scan.site_id)
        .where(FazOutline.id.in_(newest), *_of(chosen), is_model_shown())
        .order_by(Scan.id, FazOutline.reader)
    ).all()  # fmt: skip
    n_all = session.scalar(select(func.count()).select_from(newest.subquery())) or 0
    as_of: datetime = session.execute(select(func.now())).scalar_one()
    return OutlinedScans(as_of, tuple(_outlined(row) for row in rows), n_all >= MOST_OUTLINES)


def _outlined(row: Row[Any]) -> Outlined:
    return Outlined(
        scan_id=row.id,
        subject_id=row.subject_id,
        subject_code=row.subject_code,
        site_code=row.site_code,
        device_code=row.device_code,
        laterality=Laterality(row.laterality),
        acquired_at=row.acquired_at,
        ordinal=row.grade_ordinal if row.human_ordinal is None else row.human_ordinal,
        reader=row.reader,
        by_hand={column: _read(row.metrics.get(column)) for column in FAZ_COLUMNS},
        by_model={column: _by_model(row, column) for column in FAZ_COLUMNS},
        touches_border=row.is_touching_border or bool(row.is_faz_touching_border),
    )


def _written(measure: Measure) -> float | dict[str, str]:
    return measure.value if isinstance(measure, Measured) else {"not_computable": measure.reason}


def _read(stored: float | dict[str, str] | None) -> Measure:
    if isinstance(stored, float | int):
        return Measured(float(stored))
    return NotComputable(stored["not_computable"] if stored else "not measured")


def _by_model(row: Row[Any], column: str) -> Measure:
    value: float | None = getattr(row, column)
    if value is not None:
        return Measured(value)
    reasons: Mapping[str, str] = row.not_computable
    return NotComputable(reasons.get(column, reasons.get("faz", _UNRECORDED)))
