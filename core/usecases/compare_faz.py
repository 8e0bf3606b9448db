"""FAZ metrics of one slab and field: by site or device, against norms, between eyes and visits, by quality grade."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.measures.faz_norms import (
    DIMENSIONS,
    NORMS,
    Norm,
    PublishedRepeatability,
    corrected_for_axial_length,
    repeatability_of,
)
from core.policy.scan_types import scan_type
from core.statistics.means import (
    FARTHEST_ROBUST_Z,
    PairedDifferences,
    clustered_difference,
    clustered_mean,
    paired_differences,
    robust_z,
)
from core.statistics.resampling import Interval
from core.store.faz import FazReading, FazReadings, read_faz
from core.store.scan_filter import ScanFilter
from core.values import Measured, NotComputable
from core.vocabulary import CoipsGrade, Laterality, ScaleSource, ScanKind

MOST_GROUPS = 40
"""So many strips still fit a page: those of most scans."""
Floats = NDArray[np.float64]


class FazBy(StrEnum):
    """What the distribution is broken down by."""

    SITE = "site"
    DEVICE = "device"


class Magnification(StrEnum):
    """Which millimetres: as the device had them, or at the eye's own axial length where that is given."""

    NOMINAL = "nominal"
    CORRECTED = "corrected"


class PairKind(StrEnum):
    """Two measurements of the same patient that are held against each other."""

    EYES = "eyes"
    """Right minus left eye at one visit."""
    VISITS = "visits"
    """One eye at a visit minus the same at the visit before."""
    REPEATS = "repeats"
    """One eye taken twice at one visit: later minus earlier."""


@dataclass(frozen=True, slots=True)
class FazPoint:
    """One scan's value of the chosen metric. ``z`` is robust, None where there are too few to call any an outlier."""

    reading: FazReading
    value: float
    group: str
    z: float | None = None

    @property
    def is_outlier(self) -> bool:
        """Whether it lies beyond the robust limits of all scans of this slab and field together."""
        return self.z is not None and abs(self.z) > FARTHEST_ROBUST_Z


@dataclass(frozen=True, slots=True)
class FazGroup:
    """The distribution at one site or device; quartiles in the metric's unit, ``mean`` over patients."""

    name: str
    points: tuple[FazPoint, ...]
    n_patients: int
    quartiles: tuple[float, float, float]
    mean: Interval | NotComputable

    @property
    def n_outliers(self) -> int:
        """Scans beyond the robust limits."""
        return sum(point.is_outlier for point in self.points)

    def share_outside(self, norm: Norm) -> float:
        """Share of scans outside the norm's mean -/+ 1.96 deviations, 0..1; 0.05 is to be expected of healthy eyes."""
        return sum(not norm.low <= point.value <= norm.high for point in self.points) / len(self.points)


@dataclass(frozen=True, slots=True)
class FazPair:
    """Two values of one patient, and by how much the second exceeds the first."""

    kind: PairKind
    first: FazPoint
    second: FazPoint

    @property
    def difference(self) -> float:
        """Second minus first: right minus left, later minus earlier."""
        return self.second.value - self.first.value


@dataclass(frozen=True, slots=True)
class FazPairs:
    """All pairs of one kind with their bias and repeatability."""

    kind: PairKind
    pairs: tuple[FazPair, ...]
    found: PairedDifferences | NotComputable

    def n_beyond(self, limit: float) -> int:
        """Pairs that differ by more than ``limit``."""
        return sum(abs(pair.difference) > limit for pair in self.pairs)


@dataclass(frozen=True, slots=True)
class GradeValues:
    """The metric among scans of one final grade, ungradable ones included."""

    ordinal: int
    values: tuple[float, ...]
    n_patients: int
    mean: Interval | NotComputable


@dataclass(frozen=True, slots=True)
class GradeEffect:
    """What the grade does to the metric: differences of means with intervals over patients, in the metric's unit."""

    grades: tuple[GradeValues, ...]
    ungradable: Interval | NotComputable
    """Ungradable minus all that are gradable or better."""
    middle: Interval | NotComputable
    """Gradable (1) minus outstanding (2)."""


@dataclass(frozen=True, slots=True)
class FazComparison:
    """Everything that the page shows of one metric in one slab and field."""

    as_of: datetime
    column: str
    norm: Norm | None
    repeatability: PublishedRepeatability | None
    groups: tuple[FazGroup, ...]
    n_groups: int
    points: tuple[FazPoint, ...]
    why_no_outliers: str
    """Why none could be called one; empty where they were looked for."""
    pairs: tuple[FazPairs, ...]
    effect: GradeEffect
    cut_off: tuple[FazReading, ...]
    """Released scans whose zone touches the border: only its visible part is measured, so they are left out."""
    missing: Mapping[str, int]
    """Released scans without a value, by reason."""
    sources: Mapping[ScaleSource | None, int]
    """All scans by where their millimetres come from; None: no scale, so no metric."""
    n_scans: int
    n_ungradable: int
    n_with_axial_length: int
    is_cut: bool
    per_device: int


def compare_faz(
    session: Session, chosen: ScanFilter, column: str, by: FazBy, magnification: Magnification
) -> FazComparison:
    """One metric (a column of ``FAZ_COLUMNS``) under ``chosen``, which must name slab and scan type."""
    return compare_readings(read_faz(session, chosen, column), column, by, magnification, _norm(chosen, column))


def _norm(chosen: ScanFilter, column: str) -> Norm | None:
    """The published norm of this metric, slab and field; None where there is none to be cited."""
    for norm in NORMS:
        field = scan_type(ScanKind.OCTA_ENFACE, norm.field_mm, norm.field_mm)
        if (norm.column, norm.slab, field) == (column, chosen.slab, chosen.scan_type):
            return norm
    return None


def compare_readings(
    found: FazReadings, column: str, by: FazBy, magnification: Magnification, norm: Norm | None = None
) -> FazComparison:
    """The same of readings that are there already."""
    released = [reading for reading in found.readings if reading.is_released]
    whole = [reading for reading in released if not reading.touches_border]
    name, value_of = _NAMES[by], _value(column, magnification)
    points, why = _points(whole, name, value_of)
    groups, n_groups = _groups(points)
    missing = Counter(value.reason for value in map(value_of, whole) if isinstance(value, NotComputable))
    return FazComparison(
        as_of=found.as_of,
        column=column,
        norm=norm,
        repeatability=repeatability_of(column),
        groups=groups,
        n_groups=n_groups,
        points=points,
        why_no_outliers=why,
        pairs=tuple(_pairs(kind, points) for kind in PairKind),
        effect=_effect([reading for reading in found.readings if not reading.touches_border], value_of),
        cut_off=tuple(reading for reading in released if reading.touches_border),
        missing=missing,
        sources=Counter(reading.scale_source for reading in found.readings),
        n_scans=len(found.readings),
        n_ungradable=len(found.readings) - len(released),
        n_with_axial_length=sum(reading.axial_length_mm is not None for reading in found.readings),
        is_cut=found.is_cut,
        per_device=found.per_device,
    )


_NAMES: dict[FazBy, Callable[[FazReading], str]] = {
    FazBy.SITE: lambda reading: reading.site_code,
    FazBy.DEVICE: lambda reading: reading.device_code,
}
_ValueOf = Callable[[FazReading], float | NotComputable]


def _value(column: str, magnification: Magnification) -> _ValueOf:
    def value(reading: FazReading) -> float | NotComputable:
        measure = reading.measure
        if not isinstance(measure, Measured):
            return measure
        if magnification is Magnification.NOMINAL or column not in DIMENSIONS:
            return measure.value
        if reading.axial_length_mm is None:
            return NotComputable("no axial length")
        return corrected_for_axial_length(measure.value, column, reading.axial_length_mm)

    return value


def _points(
    readings: Sequence[FazReading], name: Callable[[FazReading], str], value_of: _ValueOf
) -> tuple[tuple[FazPoint, ...], str]:
    measured = [(reading, value) for reading in readings if isinstance(value := value_of(reading), float)]
    z = robust_z(np.array([value for _, value in measured]))
    if isinstance(z, NotComputable):
        return tuple(FazPoint(reading, value, name(reading)) for reading, value in measured), z.reason
    return tuple(
        FazPoint(reading, value, name(reading), each)
        for (reading, value), each in zip(measured, z.tolist(), strict=True)
    ), ""


def _groups(points: Sequence[FazPoint]) -> tuple[tuple[FazGroup, ...], int]:
    """Those of most scans, and how many there are in all."""
    by_name: dict[str, list[FazPoint]] = defaultdict(list)
    for point in points:
        by_name[point.group].append(point)
    largest = sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(_group(name, own) for name, own in largest[:MOST_GROUPS]), len(largest)


def _group(name: str, points: Sequence[FazPoint]) -> FazGroup:
    values = np.array([point.value for point in points])
    patients = [str(point.reading.subject_id) for point in points]
    low, median, high = (float(each) for each in np.quantile(values, [0.25, 0.5, 0.75]))
    mean = clustered_mean(values, patients)
    return FazGroup(name, tuple(points), len(set(patients)), (low, median, high), mean)


def _pairs(kind: PairKind, points: Sequence[FazPoint]) -> FazPairs:
    pairs = tuple(FazPair(kind, first, second) for first, second in _PAIRED[kind](points))
    differences = np.array([pair.difference for pair in pairs])
    patients = [str(pair.first.reading.subject_id) for pair in pairs]
    return FazPairs(kind, pairs, paired_differences(differences, patients))


_Couples = list[tuple[FazPoint, FazPoint]]


def _eyes(points: Sequence[FazPoint]) -> _Couples:
    """Left and right eye of each visit, each by its latest scan."""
    latest = {(point.reading.visit_id, point.reading.laterality): point for point in _in_time(points)}
    visits = dict.fromkeys(visit for visit, _ in latest)
    return [
        (latest[visit, Laterality.OS], latest[visit, Laterality.OD])
        for visit in visits
        if {(visit, Laterality.OS), (visit, Laterality.OD)} <= latest.keys()
    ]


def _visits(points: Sequence[FazPoint]) -> _Couples:
    """Each eye at consecutive visits, each by its latest scan there."""
    by_eye: dict[tuple[int, Laterality], dict[int, FazPoint]] = defaultdict(dict)
    for point in _in_time(points):
        by_eye[point.reading.subject_id, point.reading.laterality][point.reading.visit_id] = point
    return [pair for visits in by_eye.values() for pair in _consecutive(tuple(visits.values()))]


def _repeats(points: Sequence[FazPoint]) -> _Couples:
    """Each eye taken more than once at a visit, each time and the next."""
    by_visit: dict[tuple[int, Laterality], list[FazPoint]] = defaultdict(list)
    for point in _in_time(points):
        by_visit[point.reading.visit_id, point.reading.laterality].append(point)
    return [pair for taken in by_visit.values() for pair in _consecutive(taken)]


_PAIRED: dict[PairKind, Callable[[Sequence[FazPoint]], _Couples]] = {
    PairKind.EYES: _eyes,
    PairKind.VISITS: _visits,
    PairKind.REPEATS: _repeats,
}


def _in_time(points: Sequence[FazPoint]) -> list[FazPoint]:
    return sorted(points, key=lambda point: (point.reading.acquired_at, point.reading.scan_id))


def _consecutive(points: Sequence[FazPoint]) -> _Couples:
    return list(pairwise(points))


def _effect(readings: Sequence[FazReading], value_of: _ValueOf) -> GradeEffect:
    measured = [(reading, value) for reading in readings if isinstance(value := value_of(reading), float)]
    values = np.array([value for _, value in measured])
    ordinals = np.array([reading.ordinal for reading, _ in measured], np.intp)
    patients = np.array([str(reading.subject_id) for reading, _ in measured])
    graded = ordinals >= CoipsGrade.GRADABLE
    return GradeEffect(
        tuple(_grade(int(grade), values[ordinals == grade], patients[ordinals == grade]) for grade in CoipsGrade),
        clustered_difference(values, ~graded, patients.tolist()),
        clustered_difference(values[graded], ordinals[graded] == CoipsGrade.GRADABLE, patients[graded].tolist()),
    )


def _grade(ordinal: int, values: Floats, patients: NDArray[np.str_]) -> GradeValues:
    names = patients.tolist()
    return GradeValues(ordinal, tuple(values.tolist()), len(set(names)), clustered_mean(values, names))
