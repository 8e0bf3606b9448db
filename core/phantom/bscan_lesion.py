"""Drusen, CNV complexes and fluid of a simulated macula: where they lie and by how much they lift what is above."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]


class BscanLesion(StrEnum):
    """What a simulated B-scan is ill with."""

    NONE = "none"
    DRUSEN = "drusen"
    CNV = "cnv"
    FLUID = "fluid"


@dataclass(frozen=True, slots=True)
class Dome:
    """Something of round ground plan on the retina's map that lifts the layers above it.

    ``exponent`` shapes it: 0.5 is half an ellipsoid, larger ones are peaked.
    """

    x_mm: float
    y_mm: float
    radius_mm: float
    height_um: float
    exponent: float = 0.75

    def height_at_um(self, x_mm: Curve, y_mm: float) -> Curve:
        """Its height at places of one scan line, 0 outside."""
        squared = (np.square(x_mm - self.x_mm) + (y_mm - self.y_mm) ** 2) / self.radius_mm**2
        return np.asarray(self.height_um * np.maximum(0.0, 1.0 - squared) ** self.exponent, np.float64)


@dataclass(frozen=True, slots=True)
class Cyst:
    """An ellipsoid of fluid within a layer (0 the innermost), ``depth`` of the way through it."""

    x_mm: float
    y_mm: float
    radius_mm: float
    layer: int
    depth: float
    share: float
    """Its height as a share of the layer's thickness at its middle, 0..1."""


@dataclass(frozen=True, slots=True)
class Lesions:
    """All lesions of one macula; empty where it is healthy.

    Attributes
    ----------
    drusen, cnv : Domes between Bruch's membrane and the pigment epithelium
    subretinal : Domes of fluid between photoreceptors and pigment epithelium
    cysts : fluid within layers
    oedema : Domes by which inner nuclear and outer nuclear layer are swollen
    foci : how many bright exudates lie in the layers per mm of scan line
    """

    drusen: tuple[Dome, ...] = ()
    cnv: tuple[Dome, ...] = ()
    subretinal: tuple[Dome, ...] = ()
    cysts: tuple[Cyst, ...] = ()
    oedema: tuple[Dome, ...] = ()
    foci_per_mm: float = 0.0


def draw_lesions(rng: np.random.Generator, kind: BscanLesion, line_mm: float, half_width_mm: float) -> Lesions:
    """Lesions of one kind, the largest of them crossed by the scan line ``line_mm`` below the fovea.

    ``half_width_mm`` is half of what the line shows: lesions keep to its middle two thirds.
    """
    reach = 0.66 * half_width_mm
    match kind:
        case BscanLesion.NONE:
            return Lesions()
        case BscanLesion.DRUSEN:
            return Lesions(drusen=_drusen(rng, line_mm, reach))
        case BscanLesion.CNV:
            return _cnv(rng, line_mm, reach)
        case BscanLesion.FLUID:
            return _fluid(rng, line_mm, reach)


def _drusen(rng: np.random.Generator, line_mm: float, reach: float) -> tuple[Dome, ...]:
    found = []
    for number in range(int(rng.integers(4, 14))):
        radius = float(rng.uniform(0.06, 0.26))
        aside = 0.1 if number < 3 else 0.9  # noqa: PLR2004 - three of them are met by the line near their middle
        found.append(
            Dome(
                x_mm=float(rng.uniform(-reach, reach)),
                y_mm=line_mm + float(rng.uniform(-aside, aside)) * (radius if number < 3 else 1.0),  # noqa: PLR2004
                radius_mm=radius,
                height_um=float(rng.uniform(22.0, 45.0) + 190.0 * radius * rng.uniform(0.2, 1.0)),
                exponent=float(rng.uniform(0.5, 1.1)),
            )
        )
    return tuple(found)


def _cnv(rng: np.random.Generator, line_mm: float, reach: float) -> Lesions:
    centre, radius = float(rng.uniform(-0.5, 0.5)) * reach, float(rng.uniform(0.4, 0.95))
    main = Dome(centre, line_mm + float(rng.uniform(-0.2, 0.2)) * radius, radius, float(rng.uniform(90.0, 230.0)))
    others = tuple(
        Dome(
            centre + float(rng.uniform(-1.1, 1.1)) * radius,
            main.y_mm,
            radius * float(rng.uniform(0.3, 0.6)),
            main.height_um * float(rng.uniform(0.3, 0.8)),
        )
        for _ in range(int(rng.integers(0, 3)))
    )
    wet = rng.random() < 0.4  # noqa: PLR2004 - exudation is common, not the rule
    beside = centre + radius * float(rng.choice((-0.9, 0.9)))
    above = (Dome(beside, main.y_mm, radius * 0.9, float(rng.uniform(40.0, 130.0)), 0.6),) if wet else ()
    return Lesions(cnv=(main, *others), subretinal=above)


def _fluid(rng: np.random.Generator, line_mm: float, reach: float) -> Lesions:
    centre = float(rng.uniform(-0.4, 0.4)) * reach
    swelling = Dome(centre, line_mm, float(rng.uniform(0.9, 1.9)), float(rng.uniform(40.0, 260.0)), 1.2)
    below = rng.random() < 0.35  # noqa: PLR2004 - a third with fluid under the retina
    n_cysts = int(rng.integers(2, 10)) if not below or rng.random() < 0.6 else 0  # noqa: PLR2004
    cysts = tuple(
        Cyst(
            x_mm=centre + float(rng.normal(0.0, 0.45)) * swelling.radius_mm,
            y_mm=line_mm + float(rng.uniform(-0.05, 0.05)),
            radius_mm=float(rng.uniform(0.07, 0.32)),
            layer=int(rng.choice((2, 4, 4))),
            depth=float(rng.uniform(0.35, 0.65)),
            share=float(rng.uniform(0.45, 0.95)),
        )
        for _ in range(n_cysts)
    )
    pocket = (Dome(centre, line_mm, float(rng.uniform(0.4, 1.1)), float(rng.uniform(50.0, 200.0)), 0.7),)
    return Lesions(
        cysts=cysts,
        oedema=(swelling,),
        subretinal=pocket if below else (),
        foci_per_mm=float(rng.uniform(0.0, 4.0)),
    )


def height_um(domes: tuple[Dome, ...], x_mm: Curve, y_mm: float) -> Curve:
    """The highest of the domes at each place of one scan line, 0 where there is none."""
    heights = [np.zeros_like(x_mm), *(dome.height_at_um(x_mm, y_mm) for dome in domes)]
    return np.asarray(np.max(heights, axis=0), np.float64)
