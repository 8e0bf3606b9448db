"""How much what a layer network found looks like a retina: a network draws layers into any picture that it is given.

A retina in a B-scan is a smooth band, brighter than what lies above and below it, and the network is sure of it. In a
fundus photograph, an en-face image, text or noise one of these fails. Fitted on the network's own findings in B-scans
(core.training.layers), as a Gaussian around five figures.
"""

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import Likeness
from core.scoring.lanes.likeness import distance

RETINA_FEATURES = ("log_inner_roughness", "log_outer_roughness", "contrast", "log_doubt", "log_thickness")
_LEAST_COLUMNS = 0.05
"""Share of columns with retina below which nothing can be said of its shape."""
_FLOOR = 0.01
"""Cells: keeps a perfectly smooth border from being infinitely smooth."""


def retina_features(
    cells: NDArray[np.floating], probabilities: NDArray[np.float32], canvas: NDArray[np.uint8]
) -> NDArray[np.float64] | None:
    """The figures (5,) of one B-scan on its canvas; None where too little retina was found to say anything.

    Parameters
    ----------
    cells : (n, S)
        Boundaries in rows of the canvas, NaN where no retina was found.
    probabilities : (classes, S, S)
        Of background and layers.
    canvas : (S, S)
        Grey levels.
    """
    inner, outer = cells[0], cells[-1]
    found = np.isfinite(inner)
    rows = np.arange(canvas.shape[0], dtype=np.float64)[:, None]
    inside = (rows >= inner[None]) & (rows < outer[None])  # NaN compares False
    bends = [np.abs(np.diff(border, 2)) for border in (inner, outer)]
    if found.mean() < _LEAST_COLUMNS or not inside.any() or inside.all() or not np.isfinite(bends[0]).any():
        return None
    grey = canvas.astype(np.float64)
    doubt = 1.0 - float(probabilities.max(axis=0)[inside].mean())
    return np.array(
        [
            *(np.log(np.nanmedian(bend) + _FLOOR) for bend in bends),
            (grey[inside].mean() - grey[~inside].mean()) / (grey.std() + 1.0),
            np.log(doubt + 1e-4),
            np.log(np.mean((outer - inner)[found]) / canvas.shape[0] + 1e-3),
        ],
        np.float64,
    )


def is_like_retina(features: NDArray[np.float64] | None, likeness: Likeness | None) -> bool:
    """Whether the findings lie within what the card allows; a card without likeness (of before) allows everything."""
    if likeness is None:
        return True
    return features is not None and distance(features, likeness) <= likeness.max_distance
