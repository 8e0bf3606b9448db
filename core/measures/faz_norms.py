"""What healthy eyes show and how well repeats agree, as published, each for its own slab, field and method."""

from dataclasses import dataclass

from core.vocabulary import Slab


@dataclass(frozen=True, slots=True)
class Norm:
    """A published distribution of one FAZ metric in healthy eyes; it holds for this slab and field and no other."""

    column: str
    """The metric as the assessment stores it."""
    slab: Slab
    field_mm: float
    mean: float
    deviation: float
    """Standard deviation between eyes."""
    population: str
    method: str
    source: str

    @property
    def low(self) -> float:
        """Lower end of mean -/+ 1.96 deviations: 95 of 100 healthy eyes, if they are normally distributed."""
        return self.mean - 1.96 * self.deviation

    @property
    def high(self) -> float:
        """Upper end of the same."""
        return self.mean + 1.96 * self.deviation


@dataclass(frozen=True, slots=True)
class PublishedRepeatability:
    """A published repeatability coefficient, 2.77 within-subject deviations, in the metric's unit."""

    column: str
    manual: float
    automatic: float
    source: str


LINDERMAN_2017 = "Linderman et al. 2017, doi:10.1167/tvst.6.3.16"
FALAVARJANI_2018 = "Falavarjani et al. 2018, doi:10.4103/jovr.jovr_173_17"
NORMS = (
    Norm(
        column="faz_area_mm2",
        slab=Slab.SUPERFICIAL,
        field_mm=3.0,
        mean=0.257,
        deviation=0.104,
        population="116 people without ocular disease, right eyes",
        method="outlined by hand on AngioVue scans of 3 × 3 mm",
        source=LINDERMAN_2017,
    ),
    Norm(
        column="faz_area_mm2",
        slab=Slab.DEEP,
        field_mm=3.0,
        mean=0.50,
        deviation=0.13,
        population="70 healthy Iranians of 9 to 71 years, one eye each",
        method="by the software of AngioVue on scans of 3 × 3 mm; deep plexus as the vendor then cut it",
        source=FALAVARJANI_2018,
    ),
)
"""Of areas only: the same zone gets another circularity from another algorithm (Grieshop et al. 2023,
doi:10.1167/tvst.12.6.26), so a norm of a shape would measure the program."""
REPEATABILITIES = (
    PublishedRepeatability("faz_area_mm2", manual=0.022, automatic=0.060, source=LINDERMAN_2017),
    PublishedRepeatability("faz_acircularity_index", manual=0.114, automatic=0.086, source=LINDERMAN_2017),
)

STANDARD_EYE_MM = 23.95
"""Axial length of the eye that AngioVue assumes (Linderman et al. 2017). Other makers assume other eyes."""
DIMENSIONS = {"faz_area_mm2": 2, "faz_perimeter_mm": 1}
"""The power of a length in each metric; ratios have none."""


def repeatability_of(column: str) -> PublishedRepeatability | None:
    """The published repeatability of a metric; None where there is none to be cited."""
    return next((found for found in REPEATABILITIES if found.column == column), None)


def corrected_for_axial_length(value: float, column: str, axial_length_mm: float) -> float:
    """A nominal FAZ metric at the eye's own magnification, in the same unit.

    A lateral distance grows in proportion to axial length over that of the device's standard eye, an area with its
    square (Linderman et al. 2017, Methods). Assumes that the device takes every eye to be ``STANDARD_EYE_MM`` long.
    """
    return float(value * (axial_length_mm / STANDARD_EYE_MM) ** DIMENSIONS.get(column, 0))
