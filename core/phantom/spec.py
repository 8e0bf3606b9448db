"""What a simulated OCTA en-face scan is asked to show, and what a rendered one holds. Draws nothing."""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from core.values import Scale
from core.vocabulary import ArtifactType, CoipsGrade, Severity, Slab

HEALTHY_FAZ_MEAN_MM2 = 0.257
"""Mean manual FAZ area of healthy eyes (Linderman et al. 2017, doi:10.1167/tvst.6.3.16)."""
HEALTHY_FAZ_SD_MM2 = 0.104
"""Standard deviation of the same (Linderman et al. 2017)."""

SLABS = (Slab.SUPERFICIAL, Slab.DEEP, Slab.INNER_RETINA)
"""The slabs that can be rendered."""


@dataclass(frozen=True, slots=True)
class DeviceLook:
    """How a device and its export software draw the same eye: grain, contrast, noise floor.

    Attributes
    ----------
    native_px : int or None
        Lines the device really scans; the image is resampled from it. None: the image's own height.
    spread_px : float
        Blur of the export where it is not resampled, as the sigma of a Gaussian.
    speckle, floor, line_noise : float, 0..1
        Multiplicative grain, additive background noise, and line-to-line gain error.
    gain, black, gamma : float
        The export's tone curve: out = (gain * (signal - black)) ** gamma, clipped.
    mesh_gain : float
        How bright capillaries are against large vessels.
    """

    native_px: int | None = None
    spread_px: float = 0.62
    speckle: float = 0.62
    floor: float = 0.13
    line_noise: float = 0.05
    gain: float = 1.22
    black: float = 0.07
    gamma: float = 1.0
    mesh_gain: float = 1.0


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
        for name in (*(a.value for a in ArtifactType), "decentration", "nonperfusion"):
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


LOOKS: dict[str, DeviceLook] = {
    "crisp": DeviceLook(),
    "smooth": DeviceLook(native_px=256, speckle=0.5, floor=0.12, line_noise=0.12, gain=1.05, black=0.08),
    "harsh": DeviceLook(speckle=0.8, floor=0.12, line_noise=0.1, gain=1.6, black=0.12),
    "dim": DeviceLook(native_px=280, speckle=0.55, floor=0.16, line_noise=0.1, gain=0.9),
}
"""Four typical looks of real exports."""


def random_look(rng: np.random.Generator) -> DeviceLook:
    """A look between and somewhat beyond the named ones, so that a model cannot lean on one device's grain."""
    base = LOOKS[str(rng.choice(list(LOOKS)))]
    changed = {f.name: getattr(base, f.name) * rng.uniform(0.75, 1.3) for f in fields(base) if f.name != "native_px"}
    changed["gain"] = base.gain * rng.uniform(0.85, 1.12)
    changed["gamma"] = rng.uniform(0.8, 1.25)
    native = None if rng.random() < 0.5 else int(rng.integers(230, 400))  # noqa: PLR2004 - half the devices resample
    return DeviceLook(native_px=native, **changed)


def random_spec(rng: np.random.Generator, *, size_px: int = 304) -> OctaPhantomSpec:
    """A scan as training wants it: every slab, field, look and artifact, about half without any artifact of a type."""
    strengths = {a: _random_strength(rng) for a in ArtifactType}
    if rng.random() < 0.35:  # noqa: PLR2004 - a third clean, so that "outstanding" is common enough to learn
        strengths = dict.fromkeys(strengths, 0.0)
    return OctaPhantomSpec(
        size_px=size_px,
        motion=strengths[ArtifactType.MOTION],
        shadow=strengths[ArtifactType.SHADOW],
        defocus=strengths[ArtifactType.DEFOCUS],
        low_signal=strengths[ArtifactType.LOW_SIGNAL],
        field_mm=float(rng.choice([3.0, 3.0, 6.0])),
        slab=Slab(rng.choice([str(s) for s in SLABS], p=[0.45, 0.25, 0.3])),
        decentration=float(rng.beta(1.0, 6.0)),
        nonperfusion=float(rng.uniform(0.2, 1.0)) if rng.random() < 0.2 else 0.0,  # noqa: PLR2004 - one in five diseased
        has_faz=bool(rng.random() > 0.03),  # noqa: PLR2004 - rare, yet seen
        is_right_eye=bool(rng.random() < 0.5),  # noqa: PLR2004 - a fair coin
        look=random_look(rng),
    )


def _random_strength(rng: np.random.Generator) -> float:
    return float(rng.beta(1.3, 1.8)) if rng.random() < 0.32 else 0.0  # noqa: PLR2004 - two in three artifact-free
