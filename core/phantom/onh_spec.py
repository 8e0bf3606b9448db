"""What a simulated en-face scan of the optic nerve head shows, the rule of its grade, random ones. Draws nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.vocabulary import OnhGrade

BACKGROUND, DISC, SHALLOW, DARK, MOTION = range(5)
"""Values of a label map: the poster's five classes, in the order of the network's channels."""
ONH_CLASSES = ("background", "onh", "shallow", "dark", "motion")

SHALLOW_WEIGHT = 0.5
"""A dimmed area counts half: what lies in it can still be read."""
MOST_BURDEN = (0.20, 0.06, 0.01)
"""Burden up to which a scan may be graded 1, 2 and 3. 1 % is where a mask counts as an artifact at all (contracts)."""
LEAST_SIGNAL = (0.35, 0.55, 0.75)
"""Signal from which a scan may be graded 1, 2 and 3."""
MOST_DISC_LOST = 0.5
"""With more of the disc's area dark, broken or outside the field the scan is unusable: its centre cannot be found."""

SOURCE, LICENCE = "octaudit ONH phantoms", "Apache-2.0 (made by octaudit phantom)"
"""How manifests name where phantoms come from; a model card tells by it that no real scan was seen."""

POSTER_COUNTS = (358, 327, 257, 349)
"""Images of grades 0 to 3 in the poster; random phantoms come in these shares."""

_DISC_RADIUS_MM = (0.88, 0.95)
"""Mean half width and half height of the disc: 1.76 mm x 1.92 mm (Jonas et al. 1988, IOVS 29:1151)."""


@dataclass(frozen=True, slots=True)
class OnhPhantomSpec:
    """One scan to simulate.

    Attributes
    ----------
    size_px : int
        Height and width of the image, >= 64.
    field_mm : float
        Width and height of the field on the retina, 4..12 mm.
    shallow, dark : float, 0..0.9
        Share of the field whose signal is dimmed, and whose signal is lost.
    motion : float, 0..0.6
        Share of the scan lines at a break or a blink.
    signal : float, 0..1
        Overall strength of the signal against the noise of the detector.
    disc_mm : (float, float)
        Where the disc's centre lies from the image's, x right and y down.
    cup_ratio : float, 0.1..0.9
        Vertical cup-to-disc ratio.
    fibre_loss, atrophy : float, 0..1
        A wedge of lost nerve fibres and a bright crescent beside the disc: pathology, no artifact, never labelled.
    """

    size_px: int = 256
    field_mm: float = 6.0
    shallow: float = 0.0
    dark: float = 0.0
    motion: float = 0.0
    signal: float = 1.0
    disc_mm: tuple[float, float] = (0.0, 0.0)
    disc_radius_mm: tuple[float, float] = _DISC_RADIUS_MM
    cup_ratio: float = 0.45
    fibre_loss: float = 0.0
    atrophy: float = 0.0
    is_right_eye: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        limits = {"shallow": 0.9, "dark": 0.9, "motion": 0.6, "signal": 1.0, "fibre_loss": 1.0, "atrophy": 1.0}
        for name, most in limits.items():
            value = float(getattr(self, name))
            if not 0.0 <= value <= most:
                raise ValueError(f"{name} is a share from 0 to {most}, got {value}")
        if self.size_px < 64 or not 4.0 <= self.field_mm <= 12.0:  # noqa: PLR2004 - the limits named in the docstring
            raise ValueError(f"size must be >= 64 px and field 4..12 mm, got {self.size_px} px and {self.field_mm} mm")


@dataclass(frozen=True, slots=True)
class OnhPhantom:
    """A rendered scan and the truth about it.

    Attributes
    ----------
    image : uint8 (height, width)
    labels : uint8 (height, width)
        0 background, 1 optic nerve head, 2 shallow, 3 dark, 4 motion; where several hold, the greatest.
    line_fraction : share of scan lines at a break, 0..1
    disc_lost_fraction : share of the disc's area that is dark, broken or outside the field, 0..1
    """

    spec: OnhPhantomSpec
    seed: int
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    line_fraction: float
    disc_lost_fraction: float

    def share(self, label: int) -> float:
        """Share of the field with this label, 0..1."""
        return float((self.labels == label).mean())

    @property
    def grade(self) -> OnhGrade:
        """The grade by the rule, from what came out and not from what was asked for."""
        burden = burden_of(shallow=self.share(SHALLOW), dark=self.share(DARK), motion=self.share(MOTION))
        return onh_grade(burden, self.spec.signal, self.disc_lost_fraction)


def burden_of(*, shallow: float, dark: float, motion: float) -> float:
    """Share of the field that is lost, 0..1, dimmed areas counted half."""
    return dark + motion + SHALLOW_WEIGHT * shallow


def onh_grade(burden: float, signal: float, disc_lost_fraction: float = 0.0) -> OnhGrade:
    """The rule of the phantoms: the worse of what artifacts and what the overall signal allow.

    The poster (Wu et al., paper 000) grades by "the presence of artifacts and the overall strength of the signal" and
    prints no borders; these are ours.
    """
    if disc_lost_fraction > MOST_DISC_LOST:
        return OnhGrade.UNUSABLE
    by_burden = sum(burden <= most for most in MOST_BURDEN)
    by_signal = sum(signal >= least for least in LEAST_SIGNAL)
    return OnhGrade(min(by_burden, by_signal))


def random_onh_spec(rng: np.random.Generator, *, size_px: int = 256) -> OnhPhantomSpec:
    """One scan of a practice like the poster's: grades in its shares, artifacts singly and together.

    The drawn grade steers burden and signal; the phantom's own ``grade`` is what counts.
    """
    shares = np.array(POSTER_COUNTS) / sum(POSTER_COUNTS)
    wanted = int(rng.choice(4, p=shares))
    burden, signal = _burden_and_signal(rng, wanted)
    shallow, dark, motion = _kinds(rng, burden)
    is_far_off = rng.random() < 0.04  # noqa: PLR2004 - rare, yet seen
    offset = rng.normal(0.0, 1.1 if is_far_off else 0.18, 2)
    radius = rng.normal(1.0, 0.1) * np.array(_DISC_RADIUS_MM) * rng.normal(1.0, 0.03, 2)
    return OnhPhantomSpec(
        size_px=size_px,
        shallow=shallow,
        dark=dark,
        motion=motion,
        signal=signal,
        disc_mm=(float(offset[0]), float(offset[1])),
        disc_radius_mm=(float(radius[0]), float(radius[1])),
        cup_ratio=float(np.clip(rng.normal(0.48, 0.16), 0.12, 0.88)),
        fibre_loss=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.25 else 0.0,  # noqa: PLR2004 - one in four diseased
        atrophy=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.3 else 0.0,  # noqa: PLR2004 - common in myopia
        is_right_eye=bool(rng.random() < 0.5),  # noqa: PLR2004 - a fair coin
    )


def _burden_and_signal(rng: np.random.Generator, wanted: int) -> tuple[float, float]:
    """What makes this grade: artifacts, a weak signal, or both; never on the very border."""
    burdens = ((0.23, 0.60), (0.075, 0.185), (0.016, 0.054), (0.0, 0.007))[wanted]
    signals = ((0.12, 0.32), (0.38, 0.52), (0.58, 0.72), (0.79, 1.0))[wanted]
    cause = rng.choice(["artifacts", "signal", "both"], p=[0.6, 0.25, 0.15])
    least_burden = burdens[0] if cause != "signal" else 0.0
    best_signal = signals[1] if cause != "artifacts" else 1.0
    if wanted == OnhGrade.NO_CONCERN and rng.random() < 0.7:  # noqa: PLR2004 - most clean scans are wholly clean
        return 0.0, float(rng.uniform(signals[0], best_signal))
    return float(rng.uniform(least_burden, burdens[1])), float(rng.uniform(signals[0], best_signal))


def _kinds(rng: np.random.Generator, burden: float) -> tuple[float, float, float]:
    """Shares of shallow, dark and motion that make up a burden; often one kind alone."""
    if burden <= 0.0:
        return 0.0, 0.0, 0.0
    weights = rng.dirichlet((0.7, 0.7, 0.45))
    weights = np.where(weights < 0.12, 0.0, weights)  # noqa: PLR2004 - traces would be labels nobody sees
    weights = weights / weights.sum()
    shallow = float(min(weights[0] * burden / SHALLOW_WEIGHT, 0.85))
    return shallow, float(weights[1] * burden), float(min(weights[2] * burden, 0.5))
