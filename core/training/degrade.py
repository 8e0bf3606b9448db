"""Artifacts drawn onto good real images, with the mask of what was drawn; no phantom anatomy.

Real images carry no artifact masks. Degrading good ones gives exact masks on real texture, and breaks the link
between source and grade: the cleanest source gets ungradable images too. Images are float32 (H, W) in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from core.phantom.strength import severity_of_share, true_ordinal
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade, Severity

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

SEEN_ATTENUATION = 0.35
"""A shadow counts where it takes at least this share of the signal away."""


@dataclass(slots=True)
class Degraded:
    """An image with the artifacts drawn so far."""

    image: Image
    masks: dict[ArtifactType, Mask] = field(default_factory=dict)

    def add(self, kind: ArtifactType, image: Image, mask: Mask) -> None:
        """Take the new image and unite the mask with what was there."""
        self.image = np.clip(image, 0, 1).astype(np.float32)
        self.masks[kind] = self.masks.get(kind, np.zeros_like(mask)) | mask


def degrade(image: Image, rng: np.random.Generator, kinds: list[ArtifactType]) -> Degraded:
    """Draw the artifacts asked for in random strength: shadow before blur, noise and motion, as light meets them."""
    result = Degraded(image.astype(np.float32))
    for kind, draw in _DRAWERS.items():
        if kind in kinds:
            result.add(kind, *draw(result.image, rng))
    return result


def grade_after(base: CoipsGrade | None, masks: dict[ArtifactType, Mask]) -> CoipsGrade | None:
    """The grade a degraded image has for certain, else None.

    The rule is the phantoms' (core.phantom.strength.true_ordinal; on the readers' severities it gives their grade in
    88 % of the real images). It is certain where the drawn artifacts alone make the image ungradable, where they are
    negligible, and on images without any other artifact; on others what was there before may count, too.
    """
    shares = dict.fromkeys(OCTA_ARTIFACTS, 0.0) | {kind: float(mask.mean()) for kind, mask in masks.items()}
    severities = {kind: severity_of_share(share) for kind, share in shares.items()}
    drawn = true_ordinal(severities, shares, Severity.NONE)
    if drawn is CoipsGrade.UNGRADABLE:
        return drawn
    if drawn is CoipsGrade.OUTSTANDING:
        return base
    return drawn if base is CoipsGrade.OUTSTANDING else None


def smooth_field(shape: tuple[int, int], rng: np.random.Generator, cells: int) -> Image:
    """Smooth noise (H, W) in [0, 1]: ``cells`` random values per side, interpolated."""
    coarse = gaussian_filter(rng.random((cells + 2, cells + 2)), 0.7)
    rows = np.linspace(0.5, cells + 0.5, shape[0])
    columns = np.linspace(0.5, cells + 0.5, shape[1])
    along = np.stack([np.interp(columns, np.arange(cells + 2), line) for line in coarse])
    field_values = np.stack([np.interp(rows, np.arange(cells + 2), line) for line in along.T], axis=1)
    low, high = field_values.min(), field_values.max()
    return np.asarray((field_values - low) / max(high - low, 1e-6), np.float32)


def _region(shape: tuple[int, int], rng: np.random.Generator, share: float) -> Mask:
    """A blotchy region that takes about ``share`` of the image."""
    values = smooth_field(shape, rng, int(rng.integers(2, 6)))
    return values > np.quantile(values, 1 - share)


def _draw_shadow(image: Image, rng: np.random.Generator) -> tuple[Image, Mask]:
    depth = rng.uniform(0.5, 0.97)
    if rng.random() < 0.6:  # noqa: PLR2004 - a floater or lid edge rather than vignetting
        core = _region(image.shape, rng, rng.uniform(0.02, 0.4))
        attenuation = depth * gaussian_filter(core.astype(np.float32), rng.uniform(1.5, 12))
    else:
        angle = rng.uniform(0, 2 * np.pi)
        rows, columns = np.mgrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
        ramp = np.cos(angle) * rows + np.sin(angle) * columns + 0.15 * smooth_field(image.shape, rng, 4)
        attenuation = depth / (1 + np.exp(-(ramp - rng.uniform(-0.2, 0.9)) * rng.uniform(3, 12)))
    shadowed = image * (1 - attenuation)
    return shadowed.astype(np.float32), attenuation > SEEN_ATTENUATION


def _draw_defocus(image: Image, rng: np.random.Generator) -> tuple[Image, Mask]:
    sigma = rng.uniform(1.3, 3.5)
    share = 1.0 if rng.random() < 0.5 else rng.uniform(0.1, 0.6)  # noqa: PLR2004 - half of them everywhere
    mask = np.ones(image.shape, bool) if share == 1.0 else _region(image.shape, rng, share)
    soft = gaussian_filter(mask.astype(np.float32), 4)
    blurred = gaussian_filter(image, sigma) + rng.normal(0, rng.uniform(0, 0.03), image.shape)
    return (image * (1 - soft) + blurred * soft).astype(np.float32), mask


def _draw_low_signal(image: Image, rng: np.random.Generator) -> tuple[Image, Mask]:
    share = 1.0 if rng.random() < 0.6 else rng.uniform(0.1, 0.6)  # noqa: PLR2004 - mostly everywhere
    mask = np.ones(image.shape, bool) if share == 1.0 else _region(image.shape, rng, share)
    soft = gaussian_filter(mask.astype(np.float32), 6)
    kept = rng.uniform(0.15, 0.5)
    floor = rng.uniform(0.02, 0.3)
    grain = gaussian_filter(rng.normal(0, 1, image.shape), rng.uniform(0, 0.9))
    grain = grain / grain.std() * rng.uniform(0.05, 0.16)
    weak = floor + kept * image + grain
    return (image * (1 - soft) + weak * soft).astype(np.float32), mask


def _draw_motion(image: Image, rng: np.random.Generator) -> tuple[Image, Mask]:
    moved, mask = image.copy(), np.zeros(image.shape, bool)
    for _ in range(int(rng.integers(1, 9))):
        height = int(np.clip(rng.exponential(7), 1, image.shape[0] // 5))
        top = int(rng.integers(0, image.shape[0] - height))
        rows = slice(top, top + height)
        moved[rows] = _MOTIONS[int(rng.integers(len(_MOTIONS)))](moved[rows], rng)
        mask[rows] = True
    return moved, mask


def _shifted(band: Image, rng: np.random.Generator) -> Image:
    return np.roll(band, int(rng.integers(4, 24)) * int(rng.choice([-1, 1])), axis=1)


def _saturated(band: Image, rng: np.random.Generator) -> Image:
    brightened = band * rng.uniform(0.5, 1.2) + rng.uniform(0.2, 0.6)
    return np.asarray(np.clip(brightened, 0, 1), np.float32)


def _dropped(band: Image, rng: np.random.Generator) -> Image:
    return band * rng.uniform(0, 0.3)


def _smeared(band: Image, rng: np.random.Generator) -> Image:
    line = band[int(rng.integers(len(band)))]
    return np.asarray(np.broadcast_to(line, band.shape) * rng.uniform(0.8, 1.2), np.float32)


def _jittered(band: Image, rng: np.random.Generator) -> Image:
    gains = rng.uniform(0.5, 1.6, (len(band), 1))
    rolled = np.stack([np.roll(line, int(rng.integers(-9, 10))) for line in band])
    return np.asarray(rolled * gains, np.float32)


_MOTIONS: tuple[Callable[[Image, np.random.Generator], Image], ...] = (
    _shifted,
    _saturated,
    _dropped,
    _smeared,
    _jittered,
)

_DRAWERS: dict[ArtifactType, Callable[[Image, np.random.Generator], tuple[Image, Mask]]] = {
    ArtifactType.SHADOW: _draw_shadow,
    ArtifactType.DEFOCUS: _draw_defocus,
    ArtifactType.LOW_SIGNAL: _draw_low_signal,
    ArtifactType.MOTION: _draw_motion,
}
