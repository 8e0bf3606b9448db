"""What a simulated OCTA en-face scan is asked to show, and what a rendered one holds. Draws nothing."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.phantom.family import FAMILIES, random_look
from core.phantom.look import DeviceLook
from core.values import Scale
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade, Severity, Slab

HEALTHY_FAZ_MEAN_MM2 = 0.257
"""Mean manual FAZ area of healthy eyes (Linderman et al. 2017, doi:10.1167/tvst.6.3.16)."""
HEALTHY_FAZ_SD_MM2 = 0.104
"""Standard deviation of the same (Linderman et al. 2017)."""

SLABS = (Slab.SUPERFICIAL, Slab.DEEP, Slab.INNER_RETINA)
"""The slabs that can be rendered."""


@dataclass(frozen=True, slots=True)
class OctaPhantomSpec:
    """One scan to simulate.

    Artifact strengths run from 0 (none) to 1 (worst). Where the curve of ``core.phantom.strength`` puts
    them: up to 0.1 negligible, 0.1 to 0.4 mild, above 0.4 severe; the truth masks say what really came out.

    Attributes
    ----------
    size_px : int
        Height and width of the image, >= 64.
    field_mm : float
        Width and height of the field on the retina, 2..9 mm.
    motion, shadow, defocus, low_signal : float, 0..1
        Strength of each artifact.
    decentration : float, 0..1
        How far the fovea lies from the image centre; 1 puts it at 0.35 of the field's width.
    nonperfusion : float, 0..1
        Capillary drop-out as in diabetic retinopathy: pathology, no artifact, never masked.
    faz_area_mm2 : float or None
        FAZ area of the superficial slab; None draws it from the healthy distribution.
    has_faz : bool
        False renders an eye whose FAZ cannot be seen (foveal hypoplasia, wrong fixation).
    eye_seed, capture_seed : int or None
        Same eye_seed: same vessels and FAZ (slabs, visits). Same capture_seed: same artifact places (the slabs
        of one acquisition move together). None: taken from the seed of the rendering.
    """

    size_px: int = 304
    field_mm: float = 3.0
    slab: Slab = Slab.SUPERFICIAL
    motion: float = 0.0
    shadow: float = 0.0
    defocus: float = 0.0
    low_signal: float = 0.0
    decentration: float = 0.0
    nonperfusion: float = 0.0
    faz_area_mm2: float | None = None
    has_faz: bool = True
    is_right_eye: bool = True
    look: DeviceLook = field(default_factory=DeviceLook)
    eye_seed: int | None = None
    capture_seed: int | None = None

    def strength(self, artifact: ArtifactType) -> float:
        """Strength of one artifact type, 0..1."""
        return float(getattr(self, artifact.value))

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        for name in (*(a.value for a in OCTA_ARTIFACTS), "decentration", "nonperfusion"):
            value = float(getattr(self, name))
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is a strength from 0 to 1, got {value}")
        if self.slab not in SLABS:
            raise ValueError(f"no phantom of slab {self.slab}; choose one of {', '.join(SLABS)}")
        if self.size_px < 64 or not 2.0 <= self.field_mm <= 9.0:  # noqa: PLR2004 - the limits named in the docstring
            raise ValueError(f"size must be >= 64 px and field 2..9 mm, got {self.size_px} px and {self.field_mm} mm")


@dataclass(frozen=True, slots=True)
class OctaPhantom:
    """A rendered scan and the truth about it.

    Attributes
    ----------
    image : uint8 (height, width)
    artifact_masks : bool (height, width) per type; always all four types, empty where there is none
    line_fraction : share of scan lines hit by motion, 0..1
    faz_mask : bool (height, width); the FAZ as it appears in the image, empty where not visible
    vessel_mask : bool (height, width); every vessel that carries blood in this slab, capillaries too, as it appears in
        the image (moved by motion, not hidden by shadow or low signal)
    large_vessel_mask : bool (height, width); arcades, branches and twigs only; empty in the deep slab, which shows no
        vessel of its own but capillaries, and the large ones as projections
    capillary_density_fraction : share of the whole field (FAZ and large vessels included) under capillaries that carry
        blood, 0..1, before motion
    faz_area_mm2, faz_perimeter_mm : of the drawn outline itself, analytic, before motion tears it; None without FAZ
    centre_offset_mm : (x right, y down) of the FAZ's centroid from the image centre; None without FAZ
    """

    spec: OctaPhantomSpec
    seed: int
    image: NDArray[np.uint8]
    artifact_masks: dict[ArtifactType, NDArray[np.bool_]]
    line_fraction: float
    faz_mask: NDArray[np.bool_]
    vessel_mask: NDArray[np.bool_]
    large_vessel_mask: NDArray[np.bool_]
    capillary_density_fraction: float
    faz_area_mm2: float | None
    faz_perimeter_mm: float | None
    centre_offset_mm: tuple[float, float] | None
    severities: dict[ArtifactType, Severity]
    centration_severity: Severity | None
    ordinal: CoipsGrade
    scale: Scale

    def area_fraction(self, artifact: ArtifactType) -> float:
        """Share of the whole field under one artifact, 0..1."""
        return float(self.artifact_masks[artifact].mean())


def random_spec(rng: np.random.Generator, *, size_px: int = 304, family: str | None = None) -> OctaPhantomSpec:
    """A scan as training wants it: every slab, field, look and artifact, about half without any artifact of a type.

    ``family`` (a name of core.phantom.family) keeps slab, field and look to one source's. Without it a source is drawn,
    and its slab and field come in another source's look in a third of cases, so that neither tells of the other.
    """
    strengths = {a: _random_strength(rng) for a in OCTA_ARTIFACTS}
    if rng.random() < 0.35:  # noqa: PLR2004 - a third clean, so that "outstanding" is common enough to learn
        strengths = dict.fromkeys(strengths, 0.0)
    slab, field_mm, look = _random_source(rng) if family is None else _source(rng, family)
    return OctaPhantomSpec(
        size_px=size_px,
        motion=strengths[ArtifactType.MOTION],
        shadow=strengths[ArtifactType.SHADOW],
        defocus=strengths[ArtifactType.DEFOCUS],
        low_signal=strengths[ArtifactType.LOW_SIGNAL],
        field_mm=field_mm,
        slab=slab,
        decentration=float(rng.beta(1.0, 6.0)),
        nonperfusion=float(rng.uniform(0.2, 1.0)) if rng.random() < 0.2 else 0.0,  # noqa: PLR2004 - one in five diseased
        has_faz=bool(rng.random() > 0.03),  # noqa: PLR2004 - rare, yet seen
        is_right_eye=bool(rng.random() < 0.5),  # noqa: PLR2004 - a fair coin
        look=look,
    )


def _source(rng: np.random.Generator, family: str) -> tuple[Slab, float, DeviceLook]:
    known = FAMILIES[family]
    return known.slab, known.field_mm, random_look(rng, family)


def _random_source(rng: np.random.Generator) -> tuple[Slab, float, DeviceLook]:
    """Slab, field in mm and look of a drawn source; one in eight with the other field, a third with another look."""
    names = list(FAMILIES)
    weights = np.array([family.weight for family in FAMILIES.values()])
    name = str(rng.choice(names, p=weights / weights.sum()))
    slab, field_mm, look = _source(rng, name)
    if rng.random() < 1 / 8:
        field_mm = 9.0 - field_mm
    if rng.random() < 1 / 3:
        look = random_look(rng)
    return slab, field_mm, look


def _random_strength(rng: np.random.Generator) -> float:
    return float(rng.beta(1.3, 1.8)) if rng.random() < 0.32 else 0.0  # noqa: PLR2004 - two in three artifact-free
