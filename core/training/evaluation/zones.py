"""Figures of the FAZ: overlap, boundary distance, area. Slabs and fields are never pooled."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import ReportedMetric
from core.training.evaluation.agreement import Agreement, agreement_figures, agreement_of
from core.training.evaluation.cases import PHANTOM_SET, Case, Zone
from core.training.evaluation.figures import Sample, Topic
from core.vocabulary import CoipsGrade

REPEATABILITY_MM2 = {"manual": 0.022, "semi-automatic": 0.046, "automatic": 0.060}
"""Repeatability coefficients 2.77 Sw of the FAZ area in healthy eyes (Linderman et al. 2017,
doi:10.1167/tvst.6.3.16): what the half-width of the limits of agreement is held against."""

_REPEATABILITY_WORDS = ", ".join(f"{name} {value:.3f}" for name, value in REPEATABILITY_MM2.items())

GOOD = "graded gradable or better"

_UNITS = {
    "FAZ mean surface distance": "px",
    "FAZ HD95": "px",
    "FAZ mean surface distance in mm": "mm",
    "FAZ HD95 in mm": "mm",
}


def faz_figures(cases: Sequence[Case], protocol: str) -> list[ReportedMetric]:
    """Every figure of the FAZ per set, slab and field."""
    return [metric for label, members in _sets(cases, protocol) for metric in _of_set(members, label)]


def area_agreements(cases: Sequence[Case], protocol: str) -> list[Agreement]:
    """The areas of every set of known field, for the plots."""
    return [
        found
        for label, members in _sets(cases, protocol)
        for found in zone_agreements([zone_of(case) for case in members], _sample(label, members))
    ]


def zone_agreements(zones: Sequence[Zone], sample: Sample) -> list[Agreement]:
    """The areas of one set, as a list of one; empty where no field is known."""
    known = f"Repeatability coefficients of Linderman 2017: {_REPEATABILITY_WORDS} mm²."
    reach = REPEATABILITY_MM2["semi-automatic"]
    return agreement_of(sample, _areas_mm2(zones), "FAZ area", "mm²", reach=reach, words=known)


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
    return zone_figures([zone_of(case) for case in members], _sample(label, members))


def _sample(label: str, members: Sequence[Case]) -> Sample:
    return Sample(Topic.FAZ, label, tuple(case.group for case in members))


def zone_figures(zones: Sequence[Zone], sample: Sample) -> list[ReportedMetric]:
    """Overlap, distance of the boundaries and, where every field is known, area; a zone per image of the sample."""
    overlaps = [zone.overlap for zone in zones]
    everywhere = {
        "FAZ Dice": [overlap.dice for overlap in overlaps],
        "FAZ Jaccard": [overlap.jaccard for overlap in overlaps],
        "FAZ precision": [overlap.precision or 0.0 for overlap in overlaps],
        "FAZ recall": [overlap.recall or 0.0 for overlap in overlaps],
    }
    missed = np.array([overlap.mean_surface_px is None for overlap in overlaps], bool)
    found_in = sample.only(np.flatnonzero(~missed))
    return [
        *sample.means(everywhere),
        *sample.share("FAZ missed", missed),
        *_distance_figures([zone for zone, is_missed in zip(zones, missed, strict=True) if not is_missed], found_in),
        *_area_figures(zones, sample),
    ]


def _distance_figures(zones: Sequence[Zone], sample: Sample) -> list[ReportedMetric]:
    """Boundary distances where both masks hold something; in mm where every field is known."""
    mean = np.array([zone.overlap.mean_surface_px for zone in zones], np.float64)
    worst = np.array([zone.overlap.hausdorff95_px for zone in zones], np.float64)
    columns = {"FAZ mean surface distance": mean, "FAZ HD95": worst}
    scales = [zone.mm_per_px for zone in zones if zone.mm_per_px is not None]
    if len(scales) == len(zones):
        columns |= {"FAZ mean surface distance in mm": mean * scales, "FAZ HD95 in mm": worst * scales}
    return sample.means(columns, _UNITS)


def _area_figures(zones: Sequence[Zone], sample: Sample) -> list[ReportedMetric]:
    areas = _areas_mm2(zones)
    return agreement_figures(sample, areas, "FAZ area", "mm²") if len(areas) == len(zones) else []


def _areas_mm2(zones: Sequence[Zone]) -> NDArray[np.float64]:
    """Area found and area drawn (n, 2) of the zones whose field is known."""
    areas = [zone.area_mm2 for zone in zones]
    return np.array([area for area in areas if area is not None], np.float64).reshape(-1, 2)
