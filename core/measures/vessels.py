"""Vessel measures of an OCTA en-face image: large-vessel area, perfusion and skeleton density, FD-300. Pure.

Densities of capillaries come from a stated binarisation of the whole image, never from a network that was taught large
vessels alone. They depend on device, slab, field and method: compare them only within one set-up (Mehta et al. 2019,
doi:10.1016/j.ajo.2019.03.008). Their bias on phantoms of known density stands in docs/metrics.md.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy import ndimage
from skimage.morphology import skeletonize

from core.measures.faz import NO_FAZ, NO_SCALE, faz_component
from core.measures.regions import box_of
from core.values import ArtifactScore, Measure, Measured, NotComputable, Scale, VesselMetrics
from core.vocabulary import ArtifactType, Severity

ANALYSIS_PX = 400
"""Larger images are brought down to this longer side first: devices write 304 to 400 lines, more is interpolation."""

SMOOTHING_PX = 0.8
"""Sigma of the Gaussian that takes single-pixel speckle away; a capillary of 10 um is one pixel of a 3 mm field."""

WINDOW_FRACTION = 1 / 20
"""Side of the local window as a share of the longer side: 0.15 mm of a 3 mm field, several meshes of the capillary bed.
A share and no length, so that density needs no scale; ImageJ's usual radius of 15 px is twice that."""

PHANSALKAR_K, PHANSALKAR_R, PHANSALKAR_P, PHANSALKAR_Q = 0.25, 0.5, 2.0, 10.0
"""The constants of Phansalkar et al. 2011 for intensities in [0, 1]."""

FD_ANNULUS_MM = 0.3
"""Width of FD-300's ring around the FAZ."""

LOWEST_MEAN_LEVEL = 28.0
"""Mean grey level (0..255) below which a local threshold finds grain and no vessels.

Half the mean level of the darkest of the 200 graded public scans that both readers call gradable (57)."""

NO_LARGE_VESSEL_HEAD = NotComputable("the model has no large-vessel head")
LOW_SIGNAL = NotComputable("low signal")
SHADOW = NotComputable("severe shadow")

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def vessel_metrics(
    image: Image,
    scale: Scale | None,
    *,
    faz_mask: Mask,
    large_vessel_mask: Mask | None,
    artifacts: tuple[ArtifactScore, ...],
) -> VesselMetrics:
    """All vessel measures of a scan; masks are boolean (height, width) like ``image`` (levels 0..255).

    - ``large_vessel_area_density_percent`` (%, 0..100): share of the field under large vessels, by the network's mask;
      not computable where the model has no such head (``large_vessel_mask`` None).
    - ``perfusion_density_percent`` (%, 0..100): share of the field that ``binarise`` calls vessel. "Vessel area
      density" of Chu et al. 2016, doi:10.1117/1.JBO.21.6.066008.
    - ``skeleton_density_per_mm`` (mm/mm^2, > 0): length of the one-pixel skeleton of the same binarisation over the
      area ("vessel skeleton density", Chu et al. 2016). Needs a scale.
    - ``fd_300_percent`` (%, 0..100): perfusion density in the ring of 0.3 mm around the FAZ (Rosen et al. 2019,
      doi:10.1016/j.ajo.2019.01.012). Needs a scale and a FAZ, and the ring must lie inside the field.

    The last three are not computable under severe low signal or severe shadow: what is not lit cannot be told from
    what is not perfused.
    """
    large = NO_LARGE_VESSEL_HEAD if large_vessel_mask is None else area_density_percent(large_vessel_mask)
    hidden = _why_hidden(image, artifacts)
    if hidden is not None:
        return VesselMetrics(large, hidden, hidden, hidden)
    vessels = binarise(image)
    return VesselMetrics(
        large_vessel_area_density_percent=large,
        perfusion_density_percent=area_density_percent(vessels),
        skeleton_density_per_mm=skeleton_density_per_mm(vessels, image.shape, scale),
        fd_300_percent=fd_300_percent(vessels, faz_mask, scale),
    )


def area_density_percent(mask: Mask) -> Measured:
    """Share of the pixels of ``mask`` (height, width) that are set, in percent."""
    return Measured(100.0 * np.count_nonzero(mask) / mask.size)


def binarise(image: Image) -> Mask:
    """Vessels of the whole ``image`` (height, width; levels 0..255) by Phansalkar's local threshold.

    Longer side at most ANALYSIS_PX, so the mask may be smaller than the image. A Gaussian of SMOOTHING_PX, then
    t = m (1 + p exp(-q m) + k (s / r - 1)) with m and s the mean and standard deviation in a square window of
    WINDOW_FRACTION of the longer side (Phansalkar et al. 2011, eq. 4, doi:10.1109/ICCSP.2011.5739305).
    """
    levels = _reduced(image)
    smooth = ndimage.gaussian_filter(levels.astype(np.float32) / np.float32(255), SMOOTHING_PX, truncate=3.0)
    window = 2 * round(WINDOW_FRACTION * max(levels.shape) / 2.0) + 1
    mean = ndimage.uniform_filter(smooth, window)
    deviation = np.sqrt(np.maximum(ndimage.uniform_filter(smooth * smooth, window) - mean * mean, 0))
    low_mean = PHANSALKAR_P * np.exp(-PHANSALKAR_Q * mean)
    threshold = mean * (1 + low_mean + PHANSALKAR_K * (deviation / PHANSALKAR_R - 1))
    return np.asarray(smooth > threshold, np.bool_)


def skeleton_density_per_mm(vessels: Mask, shape: tuple[int, ...], scale: Scale | None) -> Measure:
    """Length of the skeleton of ``vessels`` over the field's area, mm/mm^2; ``shape`` is the original image's.

    Thinning of Zhang & Suen 1984 (doi:10.1145/357994.358023). Each pair of neighbouring skeleton pixels adds its own
    distance, diagonals only where no corner pixel joins them already.
    """
    if scale is None:
        return NO_SCALE
    x_mm, y_mm = _spacing_mm(vessels, shape, scale)
    thin = np.asarray(skeletonize(vessels), np.bool_)  # type: ignore[no-untyped-call]
    across, down = thin[:, :-1] & thin[:, 1:], thin[:-1] & thin[1:]
    corner = across[:-1] | across[1:]
    falling = thin[:-1, :-1] & thin[1:, 1:] & ~corner & ~down[:, :-1] & ~down[:, 1:]
    rising = thin[1:, :-1] & thin[:-1, 1:] & ~corner & ~down[:, :-1] & ~down[:, 1:]
    diagonals = np.count_nonzero(falling) + np.count_nonzero(rising)
    straight_mm = np.count_nonzero(across) * x_mm + np.count_nonzero(down) * y_mm
    length_mm = straight_mm + diagonals * float(np.hypot(x_mm, y_mm))
    return Measured(length_mm / (vessels.size * x_mm * y_mm))


def fd_300_percent(vessels: Mask, faz_mask: Mask, scale: Scale | None) -> Measure:
    """Share (percent) of the ring of 0.3 mm around the FAZ that ``vessels`` covers; ``faz_mask`` is (height, width)."""
    if scale is None:
        return NO_SCALE
    zone = _resized(faz_component(faz_mask), vessels.shape)
    box = box_of(zone)
    if box is None:
        return NO_FAZ
    x_mm, y_mm = _spacing_mm(vessels, faz_mask.shape, scale)
    around = _widened(box, zone.shape, FD_ANNULUS_MM, (y_mm, x_mm))
    if around is None:
        return NotComputable("the ring around the FAZ leaves the field")
    from_faz_mm = ndimage.distance_transform_edt(~zone[around], sampling=(y_mm, x_mm))
    ring = (from_faz_mm > 0) & (from_faz_mm <= FD_ANNULUS_MM)
    return Measured(100.0 * float(vessels[around][ring].mean()))


def _why_hidden(image: Image, artifacts: tuple[ArtifactScore, ...]) -> NotComputable | None:
    severe = {artifact.type for artifact in artifacts if artifact.severity is Severity.SEVERE}
    if ArtifactType.LOW_SIGNAL in severe or float(image.mean()) < LOWEST_MEAN_LEVEL:
        return LOW_SIGNAL
    return SHADOW if ArtifactType.SHADOW in severe else None


def _reduced(image: Image) -> Image:
    height, width = image.shape
    ratio = ANALYSIS_PX / max(height, width)
    if ratio >= 1.0:
        return image
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(Picture.fromarray(image).resize(size, Picture.Resampling.BILINEAR))


def _resized(mask: Mask, shape: tuple[int, ...]) -> Mask:
    if mask.shape == shape:
        return mask
    return np.asarray(Picture.fromarray(mask).resize((shape[1], shape[0]), Picture.Resampling.NEAREST), np.bool_)


def _spacing_mm(vessels: Mask, shape: tuple[int, ...], scale: Scale) -> tuple[float, float]:
    """Millimetres per pixel (x, y) of the binarisation of an image of ``shape``."""
    return scale.x_mm_per_px * shape[1] / vessels.shape[1], scale.y_mm_per_px * shape[0] / vessels.shape[0]


def _widened(
    box: tuple[slice, slice], shape: tuple[int, ...], margin_mm: float, spacing_mm: tuple[float, float]
) -> tuple[slice, slice] | None:
    """The box widened by ``margin_mm``; None where it leaves the image of ``shape``, for the ring would be cut."""
    wide = []
    for extent, size, spacing in zip(box, shape, spacing_mm, strict=True):
        margin = int(np.ceil(margin_mm / spacing))
        if extent.start - margin < 0 or extent.stop + margin > size:
            return None
        wide.append(slice(extent.start - margin, extent.stop + margin))
    return wide[0], wide[1]
