"""Draws overlays as small PNGs: masks in fixed colours, Grad-CAM in a colour map, outlines. Knows no route.

Colours: Okabe & Ito's set, told apart with any colour vision (https://jfly.uni-koeln.de/color/); the colour map is
viridis (van der Walt & Smith 2015), whose lightness rises evenly, read at five of its points and interpolated.
"""

from collections.abc import Iterable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.vocabulary import ArtifactType

ARTIFACT_COLOURS = {
    ArtifactType.MOTION: "#d55e00",
    ArtifactType.SHADOW: "#56b4e9",
    ArtifactType.DEFOCUS: "#f0e442",
    ArtifactType.LOW_SIGNAL: "#cc79a7",
    ArtifactType.SHALLOW: "#f0e442",
    ArtifactType.DARK: "#56b4e9",
}
"""Shallow and dark loss share colours with artifacts of OCTA scans, which they never stand beside."""
LANE_MASKS = {
    "onh.png": ("Optic nerve head", "#00c38a"),
    "lesion.png": ("Lesion", "#d55e00"),
    "unasked-lesion.png": ("Lesion, though normal", "#cc79a7"),
}
"""Pictures of a lane that the viewer lays over the scan, by file name: what they show, and the colour."""
MASKS_SHOWN_WHEN_ASKED = frozenset({"unasked-lesion.png"})
"""Of those, what is switched off until somebody switches it on."""
MASKS_SHOWN = tuple(name for name in LANE_MASKS if name not in MASKS_SHOWN_WHEN_ASKED)
"""Of those, what a gallery shows."""
LAYERS_PICTURE = "layers.png"
"""The label map of a volume's central B-scan: it brings its own colours (core.scoring.lanes.layer_scheme)."""
FAZ_COLOUR = "#00c38a"
"""Okabe-Ito's bluish green (#009e73) made lighter: an outline of 2 px on dark tissue needs it."""
CAM_COLOURS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Viridis at 0, 1/4, 1/2, 3/4 and 1."""
MASK_ALPHA = 140
"""55 % of 255: the tissue under a mask stays readable."""


def shrink(png: bytes, size_px: int) -> bytes:
    """The image, reduced so that its longer side is at most ``size_px``; never enlarged."""
    return _png(_reduced(png, size_px, Image.Resampling.LANCZOS))


def tint_artifacts(masks: dict[ArtifactType, bytes | None], size_px: int) -> bytes:
    """All masks in one transparent PNG; where two overlap the later type of the vocabulary lies on top."""
    return _tinted(((ARTIFACT_COLOURS[type_], png) for type_, png in masks.items()), size_px)


def tint_findings(masks: dict[str, bytes | None], size_px: int) -> bytes:
    """The same of what a lane marks beside artifacts, by the picture's file name."""
    return _tinted(((LANE_MASKS[name][1], png) for name, png in masks.items()), size_px)


def tint_layers(png: bytes, size_px: int) -> bytes:
    """A label map in its own colours, transparent where it is background."""
    with Image.open(BytesIO(png)) as opened:
        labels = opened.resize(_size_within(opened.size, size_px), Image.Resampling.NEAREST)
    coloured = np.array(labels.convert("RGBA"))  # (height, width, RGBA)
    coloured[..., 3] = np.where(np.asarray(labels) > 0, MASK_ALPHA, 0)
    return _png(Image.fromarray(coloured, "RGBA"))


def _tinted(masks: Iterable[tuple[str, bytes | None]], size_px: int) -> bytes:
    canvas: NDArray[np.uint8] | None = None
    for colour, png in masks:
        if png is None:
            continue
        is_hit = np.asarray(_reduced(png, size_px, Image.Resampling.NEAREST)) > 127  # noqa: PLR2004 - half of 255
        if canvas is None:
            canvas = np.zeros((*is_hit.shape, 4), np.uint8)  # (height, width, RGBA)
        canvas[is_hit] = (*_rgb(colour), MASK_ALPHA)
    return _png(Image.fromarray(canvas if canvas is not None else np.zeros((1, 1, 4), np.uint8), "RGBA"))


def tint_cam(png: bytes, size_px: int) -> bytes:
    """The Grad-CAM in colour, the more opaque the stronger."""
    cam = np.asarray(_reduced(png, size_px, Image.Resampling.BILINEAR))  # (height, width)
    stops = np.linspace(0, 255, len(CAM_COLOURS))
    palette = np.array([_rgb(colour) for colour in CAM_COLOURS])
    channels = [np.interp(cam, stops, palette[:, channel]) for channel in range(3)]
    return _png(Image.fromarray(np.dstack([*channels, cam * 0.8]).astype(np.uint8), "RGBA"))


def trace_outline(png: bytes, size_px: int) -> bytes:
    """The outline of a mask: its pixels that touch a pixel outside."""
    inside = np.asarray(_reduced(png, size_px, Image.Resampling.NEAREST)) > 127  # noqa: PLR2004 - half of 255
    padded = np.pad(inside, 1)
    is_core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    canvas = np.zeros((*inside.shape, 4), np.uint8)
    canvas[inside & ~is_core] = (*_rgb(FAZ_COLOUR), 255)
    return _png(Image.fromarray(canvas, "RGBA"))


def _reduced(png: bytes, size_px: int, resampling: Image.Resampling) -> Image.Image:
    with Image.open(BytesIO(png)) as opened:
        image = opened.convert("L")
    wanted = _size_within(image.size, size_px)
    return image if wanted == image.size else image.resize(wanted, resampling)


def _size_within(size: tuple[int, int], size_px: int) -> tuple[int, int]:
    """Width and height with the longer side at most ``size_px``; never enlarged."""
    factor = min(1.0, size_px / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=False, compress_level=3)
    return buffer.getvalue()
