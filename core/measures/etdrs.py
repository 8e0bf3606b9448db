"""The nine ETDRS sectors of a thickness map, its central subfield and total volume. Pure, micrometres and mm^3."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.measures.fovea import Fovea
from core.measures.thickness_map import FundusMap
from core.values import Measure, Measured, NotComputable
from core.vocabulary import Laterality

DIAMETERS_MM = (1.0, 3.0, 6.0)
"""Circles of the macular grid of optical tomography, cut at 45, 135, 225 and 315 degrees (DICOM PS3.17, UU.5)."""

MIN_SAMPLED = 0.95
"""Share of a sector's area that must have been measured before its mean is reported."""

NO_EYE = NotComputable("the eye is not known, so nasal and temporal are not either")


class EtdrsSector(StrEnum):
    """The sectors, from the middle outwards."""

    CENTRAL = "central"
    INNER_SUPERIOR = "inner_superior"
    INNER_NASAL = "inner_nasal"
    INNER_INFERIOR = "inner_inferior"
    INNER_TEMPORAL = "inner_temporal"
    OUTER_SUPERIOR = "outer_superior"
    OUTER_NASAL = "outer_nasal"
    OUTER_INFERIOR = "outer_inferior"
    OUTER_TEMPORAL = "outer_temporal"


_QUADRANTS = ("right", "superior", "left", "inferior")
"""By angle from the right, counter-clockwise as seen, each 90 degrees wide around its own direction."""


@dataclass(frozen=True, slots=True)
class EtdrsThickness:
    """What the grid says of one eye.

    Attributes
    ----------
    sectors : mapping of EtdrsSector to Measure
        Mean thickness in um; NotComputable where less than MIN_SAMPLED of the sector was measured, and for nasal and
        temporal where the eye is unknown.
    sampled_fraction : mapping of EtdrsSector to float
        Share of each sector's area that was measured, 0..1; a sector that cannot be told apart is left out.
    total_volume_mm3 : Measure
        Thickness integrated over the circle of 6 mm.
    """

    sectors: Mapping[EtdrsSector, Measure]
    sampled_fraction: Mapping[EtdrsSector, float]
    total_volume_mm3: Measure

    @property
    def central_subfield_um(self) -> Measure:
        """Mean thickness of the circle of 1 mm at the fovea, in um."""
        return self.sectors[EtdrsSector.CENTRAL]


def etdrs_thickness(
    thickness: FundusMap, fovea: Fovea | NotComputable, laterality: Laterality | None
) -> EtdrsThickness | NotComputable:
    """Means of the nine sectors around the fovea, of a total-thickness map in um.

    On the fundus image the optic disc, and with it nasal, lies to the right of the fovea in a right eye and to the
    left in a left eye; superior is up. A sector's mean is that of its measured cells.

    Total volume (mm^3) is the sum over the nine sectors of mean thickness times the sector's whole area, so that an
    unmeasured rest of up to 5 % counts with its own sector's mean; NotComputable as soon as one sector has too little.
    """
    if isinstance(fovea, NotComputable):
        return fovea
    distance, angle = _polar(thickness, fovea)
    means: dict[tuple[int, str], Measure] = {}
    shares: dict[tuple[int, str], float] = {}
    for place in _places():
        inside = _inside(distance, angle, place)
        shares[place] = min(1.0, float((inside & thickness.sampled).sum()) * thickness.cell_mm2 / _area_mm2(place))
        means[place] = _mean(thickness.values[inside & thickness.sampled], shares[place])
    named = _names(laterality)
    return EtdrsThickness(
        sectors={sector: NO_EYE if place is None else means[place] for sector, place in named.items()},
        sampled_fraction={sector: shares[place] for sector, place in named.items() if place is not None},
        total_volume_mm3=_volume_mm3(means),
    )


def _places() -> list[tuple[int, str]]:
    return [(0, "centre"), *((ring, quadrant) for ring in (1, 2) for quadrant in _QUADRANTS)]


def _polar(thickness: FundusMap, fovea: Fovea) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance in mm and angle in degrees (0 right, 90 up) of every cell from the fovea."""
    right = thickness.x_mm[None, :] - fovea.x_mm
    up = fovea.y_mm - thickness.y_mm[:, None]
    return np.hypot(right, up), np.degrees(np.arctan2(*np.broadcast_arrays(up, right)))


def _inside(distance: NDArray[np.float64], angle: NDArray[np.float64], place: tuple[int, str]) -> NDArray[np.bool_]:
    ring, quadrant = place
    inner_mm = 0.0 if ring == 0 else DIAMETERS_MM[ring - 1] / 2.0
    in_ring = (distance >= inner_mm) & (distance < DIAMETERS_MM[ring] / 2.0)
    if ring == 0:
        return np.asarray(in_ring, np.bool_)
    turned = (angle - 90.0 * _QUADRANTS.index(quadrant) + 180.0) % 360.0 - 180.0
    return np.asarray(in_ring & (turned >= -45.0) & (turned < 45.0), np.bool_)  # noqa: PLR2004 - half of a quadrant


def _area_mm2(place: tuple[int, str]) -> float:
    ring, _ = place
    if ring == 0:
        return float(np.pi * (DIAMETERS_MM[0] / 2.0) ** 2)
    return float(np.pi / 4.0 * ((DIAMETERS_MM[ring] / 2.0) ** 2 - (DIAMETERS_MM[ring - 1] / 2.0) ** 2))


def _mean(values: NDArray[np.float32], share: float) -> Measure:
    if share < MIN_SAMPLED:
        return NotComputable(f"{share:.0%} of the sector was scanned; {MIN_SAMPLED:.0%} are needed")
    return Measured(float(values.mean(dtype=np.float64)))


def _names(laterality: Laterality | None) -> dict[EtdrsSector, tuple[int, str] | None]:
    """Which place each sector is; None where that needs the eye."""
    nasal = {Laterality.OD: "right", Laterality.OS: "left"}.get(laterality) if laterality else None
    sides = {"superior": "superior", "inferior": "inferior", "nasal": nasal}
    sides["temporal"] = None if nasal is None else ("left" if nasal == "right" else "right")
    named: dict[EtdrsSector, tuple[int, str] | None] = {EtdrsSector.CENTRAL: (0, "centre")}
    for ring, word in ((1, "inner"), (2, "outer")):
        for side in ("superior", "nasal", "inferior", "temporal"):
            place = sides[side]
            named[EtdrsSector(f"{word}_{side}")] = None if place is None else (ring, place)
    return named


def _volume_mm3(means: Mapping[tuple[int, str], Measure]) -> Measure:
    total = 0.0
    for place, mean in means.items():
        if isinstance(mean, NotComputable):
            return NotComputable("less than 95 % of a sector of the 6 mm circle was scanned")
        total += mean.value * 1e-3 * _area_mm2(place)
    return Measured(total)
