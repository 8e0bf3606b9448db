"""From a layer network's probabilities to boundaries below the size of a pixel, one retina, no invented columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.scoring.lanes.layer_scheme import Labels, labels_of_boundaries
from core.scoring.lanes.retina_likeness import retina_features

Probabilities = NDArray[np.float32]
Rows = NDArray[np.float32]

_MARGIN = 3
"""Cells above and below the retina in which its soft edges are added up."""
_LEAST_SHARE = 0.1
"""A second piece of retina (beyond a shadow) counts from this share of the largest one on."""
_LEAST_THICKNESS = 2
"""Cells: a thinner run is no retina."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of one B-scan at its own size.

    Attributes
    ----------
    boundary_row_px : float32 (n, width)
        Rows from 0 at the top pixel's centre, from the innermost boundary to the outermost, never crossing; NaN in
        columns where no retina was found.
    labels : uint8 (height, width)
    cut_top, cut_bottom : bool (width,)
        Columns where the retina reaches the frame's upper or lower edge, so that its thickness is not known.
    features : float64 (5,)
        How it looks as a retina (core.scoring.lanes.retina_likeness); None where too little was found, or not asked.
    """

    boundary_row_px: Rows
    labels: Labels
    cut_top: NDArray[np.bool_]
    cut_bottom: NDArray[np.bool_]
    features: NDArray[np.float64] | None = None

    @property
    def has_retina(self) -> bool:
        """Whether any column shows retina."""
        return bool(np.isfinite(self.boundary_row_px).any())


def layers_of(
    probabilities: Probabilities, height_px: int, width_px: int, canvas: NDArray[np.uint8] | None = None
) -> Layers:
    """Boundaries and labels at the B-scan's size from class probabilities (classes, S, S).

    With the grey levels of the ``canvas`` (S, S), also how it looks as a retina.
    """
    cells, cut_top, cut_bottom = _boundaries(probabilities)
    canvas_px = probabilities.shape[1]
    boundary = (_to_columns(cells, width_px) + 0.5) * (height_px / canvas_px) - 0.5
    nearest = np.minimum((np.arange(width_px) + 0.5) * canvas_px / width_px, canvas_px - 1).astype(np.int64)
    rows = np.asarray(boundary, np.float32)
    features = None if canvas is None else retina_features(cells, probabilities, canvas)
    return Layers(rows, labels_of_boundaries(rows, height_px), cut_top[nearest], cut_bottom[nearest], features)


def _boundaries(probabilities: Probabilities) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Boundaries in canvas cells (classes, width), and the columns cut at the frame's edges.

    A layer's thickness is the sum of its probabilities down the column, so that boundaries lie between rows and never
    cross: the layers are stacked on the innermost boundary, which is the number of background rows above the retina.
    """
    height = probabilities.shape[1]
    retina = one_retina(probabilities[0] < 0.5)  # noqa: PLR2004 - likelier than not
    found = retina.sum(axis=0) >= _LEAST_THICKNESS
    top = np.where(found, retina.argmax(axis=0), 0)
    bottom = np.where(found, height - 1 - retina[::-1].argmax(axis=0), 0)
    rows = np.arange(height)[:, None]
    near = (rows >= top - _MARGIN) & (rows <= bottom + _MARGIN)
    inside = (rows > top + 1) & (rows < bottom - 1)
    background = np.where(inside, 0.0, probabilities[0])  # a hole within the retina is retina
    above = near & (rows <= (top + bottom) // 2)
    start = np.maximum(top - _MARGIN, 0) - 0.5 + (background * above).sum(axis=0)
    thickness = (probabilities[1:].astype(np.float64) * near[None]).sum(axis=1)  # (classes - 1, width)
    total = ((1.0 - background) * near).sum(axis=0)
    thickness *= total / np.maximum(thickness.sum(axis=0), 1e-6)  # the layers share what a hole in them took
    boundary = np.concatenate([start[None], start[None] + np.cumsum(thickness, axis=0)])
    boundary[:, ~found] = np.nan
    return boundary, found & (top == 0), found & (bottom == height - 1)


def one_retina(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest piece of a mask (height, width), and pieces beside it that lie in other columns."""
    pieces, n_pieces = ndimage.label(mask)
    if n_pieces == 0:
        return mask
    sizes = np.bincount(pieces.ravel())[1:]
    kept = np.zeros_like(mask)
    for number in np.argsort(-sizes):
        if sizes[number] < _LEAST_SHARE * sizes.max():
            break
        piece = pieces == number + 1
        taken = np.asarray(kept.any(axis=0), np.bool_)
        kept |= piece & ~taken[None, :]
    return kept


def _to_columns(cells: NDArray[np.float64], width_px: int) -> NDArray[np.float64]:
    """Boundaries of the canvas's columns at each column of the B-scan; NaN where a neighbour has none."""
    canvas_px = cells.shape[1]
    place = (np.arange(width_px) + 0.5) * (canvas_px / width_px) - 0.5
    place = np.clip(place, 0.0, canvas_px - 1.0)
    left = np.minimum(place.astype(np.int64), canvas_px - 2)
    share = place - left
    # A weight of zero must not spread the neighbour's NaN.
    first = np.where(share < 1.0, cells[:, left], 0.0) * (1.0 - share)
    second = np.where(share > 0.0, cells[:, left + 1], 0.0) * share
    return np.asarray(first + second, np.float64)
