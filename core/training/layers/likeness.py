"""What a layer network finds in B-scans, as a Gaussian: so that a picture of something else is told from them."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from core.scoring.card import Likeness
from core.scoring.lanes.likeness import distance
from core.scoring.lanes.retina_likeness import RETINA_FEATURES
from core.scoring.torch_backend.layers import LayerSegmenter
from core.training import strangers
from core.training.calibrate import fit_likeness
from core.training.layers.recipe import LayersRecipe
from core.training.layers.samples import draw_phantoms
from core.training.supervised.parts import Placed
from core.training.supervised.picture import read_grey_levels
from core.training.supervised.record import Part

_LEAST_RETINAS = 2 * len(RETINA_FEATURES)
"""Fewer say nothing of a spread in five figures: a training of a few images then tells no strangers."""

_STRANGER_SEED, _N_DRAWN = 50_000, 8
_NEAREST_STRANGERS = 0.05
"""Quantile of the strangers' distances: the very nearest may be of a kind that is nearly a B-scan."""

Features = list[NDArray[np.float64]]


def likeness_of(segmenter: LayerSegmenter, placed: Sequence[Placed], recipe: LayersRecipe) -> Likeness | None:
    """The spread of its findings by the training part; the limit half way from the part that watched to strangers.

    Phantoms are halved between both parts. One device's scans say little of how far another's lie, strangers say where
    to stop: hence the middle, as a ratio. None where the network finds too few retinas.
    """
    phantoms = [canvas.grey for canvas in draw_phantoms(recipe)]
    fitted = _features(segmenter, [*_images(placed, Part.TRAIN), *phantoms[::2]])
    watching = _features(segmenter, [*_images(placed, Part.VALIDATION), *phantoms[1::2]])
    if len(fitted) < _LEAST_RETINAS or not watching:
        return None
    likeness = fit_likeness(np.stack(fitted), np.stack(watching), RETINA_FEATURES)
    afar = [distance(found, likeness) for found in _features(segmenter, list(_strangers(recipe.seed)))]
    if not afar:  # it finds no retina in any of them
        return likeness
    nearest = float(np.quantile(afar, _NEAREST_STRANGERS))
    middle = math.sqrt(likeness.max_distance * max(nearest, likeness.max_distance))
    return likeness.model_copy(update={"max_distance": round(middle, 3)})


def _strangers(seed: int) -> Iterator[NDArray[np.uint8]]:
    """Photographs, and of every other kind but layers some that are drawn."""
    rng = np.random.default_rng([seed, _STRANGER_SEED])
    yield from (strangers.photograph(name) for name in strangers.TRAINING_PHOTOGRAPHS)
    for draw in (strangers.fundus, strangers.gradient, strangers.noise, strangers.text):
        yield from (draw(rng) for _ in range(_N_DRAWN))


def _images(placed: Sequence[Placed], part: Part) -> list[NDArray[np.uint8]]:
    return [read_grey_levels(item.picture.record.path) for item in placed if item.part is part]


def _features(segmenter: LayerSegmenter, images: Sequence[NDArray[np.uint8]]) -> Features:
    """Of the images in which it finds a retina."""
    return [found.features for found in segmenter.layers(images) if found.features is not None]
