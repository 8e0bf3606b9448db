"""The simulated retina itself: seven layers whose thickness is known in closed form. Draws nothing, reads nothing."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]

N_LAYERS = 7
"""ILM-RNFL, GCL-IPL, INL, OPL, ONL-ISM, ISE, OS-RPE: the layers of Chiu et al. 2015 (doi:10.1364/BOE.6.001155)."""

_RIM_UM = (30.0, 100.0, 44.0, 36.0, 72.0, 24.0, 42.0)
"""Thickness that the swelling around the fovea reaches towards: 348 um in all. Round figures, no norms."""
_FOVEA_UM = (7.0, 12.0, 12.0, 16.0, 105.0, 26.0, 44.0)
"""Thickness at the bottom of the pit, 222 um in all: the inner layers part, the outer nuclear layer thickens."""
_FAR_UM = (24.0, 58.0, 34.0, 28.0, 58.0, 22.0, 38.0)
"""Thickness that the layers approach at the edge of the macula, 262 um in all."""


@dataclass(frozen=True, slots=True)
class RetinaShape:
    """Layer thickness as a sum of Gaussians of the distance from the fovea.

    With g_s(r) = exp(-r^2 / (2 s^2)) each layer is
    ``fovea g_pit + (far + swell g_macula) (1 - g_pit)``: the pit of one width, the macula's swelling of another. Means
    over rings are then integrals of Gaussians, so that a measurement can be compared with a figure that no grid made.

    Attributes
    ----------
    fovea_um, far_um, swell_um : tuple of 7
        Per layer from the inner to the outer one.
    pit_mm, macula_mm : float
        Widths (standard deviations) of pit and macula.
    nasal_slope_um_per_mm : float
        How much thicker the nerve fibre layer gets per mm to the right (negative: to the left), < 3.
    """

    fovea_um: tuple[float, ...] = _FOVEA_UM
    far_um: tuple[float, ...] = _FAR_UM
    swell_um: tuple[float, ...] = tuple(rim - far for rim, far in zip(_RIM_UM, _FAR_UM, strict=True))
    pit_mm: float = 0.48
    macula_mm: float = 2.0
    nasal_slope_um_per_mm: float = 0.0

    def layers_um(self, x_mm: NDArray[np.floating], y_mm: NDArray[np.floating] | float) -> Curve:
        """Thickness of the layers, (7, ...), at places given in mm from the fovea, x right and y down."""
        x = np.asarray(x_mm, np.float64)
        squared = x * x + np.square(np.asarray(y_mm, np.float64))
        pit = np.exp(-squared / (2.0 * self.pit_mm**2))
        macula = np.exp(-squared / (2.0 * self.macula_mm**2))
        thickness = [
            fovea * pit + (far + swell * macula) * (1.0 - pit)
            for fovea, far, swell in zip(self.fovea_um, self.far_um, self.swell_um, strict=True)
        ]
        thickness[0] = thickness[0] + self.nasal_slope_um_per_mm * x * (1.0 - pit)
        return np.stack(thickness)

    def total_um(self, x_mm: NDArray[np.floating], y_mm: NDArray[np.floating] | float) -> Curve:
        """Thickness from the ILM to Bruch's membrane at places in mm from the fovea."""
        return np.asarray(self.layers_um(x_mm, y_mm).sum(axis=0), np.float64)

    def ring_mean_um(self, inner_mm: float, outer_mm: float) -> float:
        """Mean total thickness between two radii around the fovea, exact; inner 0 gives the disc."""
        pit, macula = self.pit_mm, self.macula_mm
        both = 1.0 / math.sqrt(1.0 / pit**2 + 1.0 / macula**2)
        fovea, far, swell = (sum(part) for part in (self.fovea_um, self.far_um, self.swell_um))
        return (
            far
            + (fovea - far) * _ring_mean_of_gaussian(pit, inner_mm, outer_mm)
            + swell * _ring_mean_of_gaussian(macula, inner_mm, outer_mm)
            - swell * _ring_mean_of_gaussian(both, inner_mm, outer_mm)
        )

    def volume_mm3(self, radius_mm: float) -> float:
        """Total thickness integrated over a disc around the fovea, exact."""
        return self.ring_mean_um(0.0, radius_mm) * 1e-3 * math.pi * radius_mm**2


def _ring_mean_of_gaussian(width_mm: float, inner_mm: float, outer_mm: float) -> float:
    """Mean of exp(-r^2 / (2 s^2)) over the ring: its integral is 2 pi s^2 times a difference of exponentials."""
    twice = 2.0 * width_mm**2
    fall = math.exp(-(inner_mm**2) / twice) - math.exp(-(outer_mm**2) / twice)
    return twice * fall / (outer_mm**2 - inner_mm**2)


def random_shape(rng: np.random.Generator) -> RetinaShape:
    """A healthy eye: layers vary by some 10 % together and by some 8 % each, the pit by a fifth."""
    common = 1.0 + 0.07 * float(np.clip(rng.standard_normal(), -2.0, 2.0))
    own = common * (1.0 + 0.08 * np.clip(rng.standard_normal((3, N_LAYERS)), -2.0, 2.0))
    far = np.array(_FAR_UM) * own[0]
    swell = (np.array(_RIM_UM) - np.array(_FAR_UM)) * own[1]
    fovea = np.array(_FOVEA_UM) * own[2]
    fovea[:4] *= rng.uniform(0.25, 1.6)  # some pits are bare, in some the inner layers go on
    return RetinaShape(
        fovea_um=tuple(fovea.tolist()),
        far_um=tuple(far.tolist()),
        swell_um=tuple(swell.tolist()),
        pit_mm=float(rng.uniform(0.36, 0.62)),
        macula_mm=float(rng.uniform(1.6, 2.4)),
        nasal_slope_um_per_mm=float(rng.uniform(-2.5, 2.5)),
    )
