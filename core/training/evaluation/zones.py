"""Figures of the FAZ: overlap, boundary distance, area. Slabs and fields are never pooled."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core.scoring.card import ReportedMetric
from core.statistics.agreement import intraclass_correlation, limits_of_agreement
from core.training.evaluation.cases import PHANTOM_SET, Case, Zone
from core.training.evaluation.figures import MIN_IMAGES, Sample, Topic
from core.vocabulary import CoipsGrade

REPEATABILITY_MM2 = {"manual": 0.022, "semi-automatic": 0.046, "automatic": 0.060}
"""Repeatability coefficients 2.77 Sw of the FAZ area in healthy eyes (Linderman et al. 2017,
doi:10.1167/tvst.6.3.16): what the half-width of the limits of agreement is held against."""

GOOD = "graded gradable or better"

_UNITS = {
    "FAZ mean surface distance": "px",
    "FAZ HD95": "px",
    "FAZ mean surface distance in mm": "mm",
    "FAZ HD95 in mm": "mm",
    "FAZ area bias": "mm²",
    "FAZ area: half-width of the 95 % limits of agreement": "mm²",
}


class AreaAgreement(BaseModel):
    """The points of a Bland-Altman plot, in mm²: area found and area drawn of each image."""

    model_config = ConfigDict(frozen=True)

    set: str
    found_mm2: tuple[float, ...]
    drawn_mm2: tuple[float, ...]


def faz_figures(cases: Sequence[Case], protocol: str) -> list[ReportedMetric]:
    """Every figure of the FAZ per set, slab and field."""
    return [metric for label, members in _sets(cases, protocol) for metric in _of_set(members, label)]


def area_agreements(cases: Sequence[Case], protocol: str) -> list[AreaAgreement]:
    """The areas of every set of known field, for the plots."""
    found = []
    for label, members in _sets(cases, protocol):
        areas = _areas_mm2(members)
        if len(areas) >= MIN_IMAGES:
            first, second = (tuple(round(float(area), 4) for area in column) for column in areas.T)
            found.append(AreaAgreement(set=label, found_mm2=first, drawn_mm2=second))
    return found


def zone_of(case: Case) -> Zone:
    """The zone of a case that has one."""
    assert case.zone is not None  # chosen by _sets
    return case.zone


def _sets(cases: Sequence[Case], protocol: str) -> Iterator[tuple[str, list[Case]]]:
    """Sets in which somebody drew the FAZ, by slab and field; copies in graded sets would count the same scan twice."""
    drawn = [case for case in cases if case.zone is not None and case.set.startswith(("faz_", PHANTOM_SET))]
    keys = sorted({(case.set, case.slab, case.field_mm or 0.0) for case in drawn})
    for name, slab, field_mm in keys:
        members = [case for case in drawn if (case.set, case.slab, case.field_mm or 0.0) == (name, slab, field_mm)]
        field = f"{field_mm:g} mm" if field_mm else "field unknown"
        yield f"{name} {slab} {field}, {protocol}", members
        good = [case for case in members if (case.grade or CoipsGrade.UNGRADABLE) >= CoipsGrade.GRADABLE]
        if len(good) < len(members) and name != PHANTOM_SET:
            yield f"{name} {slab} {field}, {GOOD}, {protocol}", good


def _of_set(members: Sequence[Case], label: str) -> list[ReportedMetric]:
    overlaps = [zone_of(case).overlap for case in members]
    sample = Sample(Topic.FAZ, label, tuple(case.group for case in members))
    everywhere = {
        "FAZ Dice": [overlap.dice for overlap in overlaps],
        "FAZ Jaccard": [overlap.jaccard for overlap in overlaps],
        "FAZ precision": [overlap.precision or 0.0 for overlap in overlaps],
        "FAZ recall": [overlap.recall or 0.0 for overlap in overlaps],
    }
    missed = np.array([overlap.mean_surface_px is None for overlap in overlaps], bool)
    return [
        *sample.means(everywhere),
        *sample.share("FAZ missed", missed),
        *_distance_figures([case for case, is_missed in zip(members, missed, strict=True) if not is_missed], label),
        *_area_figures(members, label),
    ]


def _distance_figures(members: Sequence[Case], label: str) -> list[ReportedMetric]:
    """Boundary distances where both masks hold something; in mm where every field is known."""
    zones = [zone_of(case) for case in members]
    sample = Sample(Topic.FAZ, label, tuple(case.group for case in members))
    mean = np.array([zone.overlap.mean_surface_px for zone in zones], np.float64)
    worst = np.array([zone.overlap.hausdorff95_px for zone in zones], np.float64)
    columns = {"FAZ mean surface distance": mean, "FAZ HD95": worst}
    scales = [zone.mm_per_px for zone in zones if zone.mm_per_px is not None]
    if len(scales) == len(zones):
        columns |= {"FAZ mean surface distance in mm": mean * scales, "FAZ HD95 in mm": worst * scales}
    return sample.means(columns, _UNITS)


def _area_figures(members: Sequence[Case], label: str) -> list[ReportedMetric]:
    areas = _areas_mm2(members)
    if len(areas) != len(members):
        return []
    sample = Sample(Topic.FAZ, label, tuple(case.group for case in members))

    def statistic(index: NDArray[np.intp]) -> dict[str, float | None]:
        limits = limits_of_agreement(areas[index, 0], areas[index, 1])
        correlation = intraclass_correlation(areas[index])
        return {
            "FAZ area bias": None if limits is None else limits.bias,
            "FAZ area: half-width of the 95 % limits of agreement": None if limits is None else limits.half_width,
            "FAZ area ICC(2,1)": None if correlation is None else correlation.agreement,
            "FAZ area ICC(3,1)": None if correlation is None else correlation.consistency,
        }

    return sample.figures(statistic, _UNITS)


def _areas_mm2(members: Sequence[Case]) -> NDArray[np.float64]:
    """Area found and area drawn (n, 2) of the members whose field is known."""
    areas = [zone_of(case).area_mm2 for case in members]
    return np.array([area for area in areas if area is not None], np.float64).reshape(-1, 2)
