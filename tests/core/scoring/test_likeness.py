"""Plain statistics of a picture: finite for anything, blind to the padding, telling noise from vessels."""

import numpy as np
import pytest

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.card import ModelCard
from core.scoring.lanes.canvas import place
from core.scoring.lanes.likeness import FEATURE_NAMES, distance, likeness_features
from core.scoring.registry import weights_path
from core.vocabulary import ScanKind


def features(image):
    return likeness_features(*place(image))


@pytest.mark.parametrize("level", [0, 64, 255])
def test_statistics_are_finite_even_for_a_blank_picture(level):
    found = features(np.full((90, 200), level, np.uint8))
    assert found.shape == (len(FEATURE_NAMES),)
    assert np.isfinite(found).all()


def test_the_padding_has_no_say():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (256, 128), dtype=np.uint8)
    canvas, placement = place(image)
    painted = canvas.copy()
    painted[:, : placement.left_px] = 255
    np.testing.assert_array_equal(likeness_features(canvas, placement), likeness_features(painted, placement))


def test_noise_lies_farther_from_octa_than_a_phantom_does():
    likeness = ModelCard.beside(weights_path(ScanKind.OCTA_ENFACE)).likeness
    noise = np.random.default_rng(1).normal(128, 60, (304, 304)).clip(0, 255).astype(np.uint8)
    phantom = render_octa(OctaPhantomSpec(), 3).image
    assert distance(features(phantom), likeness) <= likeness.max_distance < distance(features(noise), likeness)
