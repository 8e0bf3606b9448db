"""Whether a picture looks like a B-scan: the band's statistics on pictures whose band is known, and the decision."""

import numpy as np
import pytest

from core.scoring.card import Likeness
from core.scoring.lanes.bscan_likeness import NAMES, band_features, bscan_features, is_like_bscan
from core.scoring.lanes.likeness import FEATURE_NAMES

SIDE = 256


def band(top: int, height: int, *, slope: float = 0.0) -> np.ndarray:
    """A bright band in the dark that falls by ``slope`` rows per column."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    depth = rows - top - slope * columns
    return np.where((depth >= 0) & (depth < height), 200, 20).astype(np.uint8)


def named(square: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES[-5:], band_features(square), strict=True))


def test_a_level_band_is_whole_does_not_move_and_lies_at_no_edge() -> None:
    found = named(band(100, 50))
    assert found["band_share"] == pytest.approx(50 / SIDE, abs=0.01)
    assert found["band_wholeness"] == 1
    assert found["band_jump"] == pytest.approx(0, abs=0.01)
    assert found["band_at_edge"] == 0
    assert found["band_gradient_ratio"] > 3


def test_a_falling_band_moves_as_much_as_it_falls() -> None:
    inside = np.exp(named(band(40, 50, slope=0.25))["band_jump"]) - 1
    assert inside == pytest.approx(8 * 0.25, abs=0.2)


def test_two_bands_are_not_whole_and_one_at_the_top_is_at_the_edge() -> None:
    assert named(np.maximum(band(60, 30), band(160, 30)))["band_wholeness"] == pytest.approx(60 / 130, abs=0.03)
    assert named(band(0, 60))["band_at_edge"] == 1


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_even_picture_has_finite_statistics(level: int) -> None:
    assert np.isfinite(bscan_features(np.full((SIDE, SIDE), level, np.uint8))).all()


def test_the_statistics_that_a_card_names_decide_so_that_older_cards_still_do() -> None:
    picture = band(100, 50)
    values = bscan_features(picture)
    for names in (NAMES, FEATURE_NAMES):
        n = len(names)
        near = Likeness(
            feature_names=names, mean=tuple(values[:n]), precision=tuple(map(tuple, np.eye(n))), max_distance=0.5
        )
        assert is_like_bscan(picture, near)
        assert not is_like_bscan(picture, near.model_copy(update={"mean": tuple(values[:n] + 1)}))
