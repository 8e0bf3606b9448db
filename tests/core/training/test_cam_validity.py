"""Grad-CAM of the bundled weights lies on the fault more than chance has it, and depends on what was learned."""

import numpy as np
import pytest

from core.scoring.lanes.canvas import place
from core.scoring.registry import load_scorer
from core.training.cam_validity import (
    LEAST_AREA,
    MOST_AREA,
    Localisation,
    energy_inside,
    energy_ratio,
    localise,
    one_artifact_phantoms,
    randomisation_check,
    randomised,
    rank_correlation,
    ungradable_maps,
)
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, ScanKind

N_PHANTOMS = 6
"""Per kind: enough for an interval, and a minute's tenth to draw."""


@pytest.fixture(scope="module")
def scorer():
    return load_scorer(ScanKind.OCTA_ENFACE, device="cpu")


@pytest.fixture(scope="module")
def phantoms():
    return {kind: list(one_artifact_phantoms(kind, N_PHANTOMS, seed=5)) for kind in OCTA_ARTIFACTS}


@pytest.fixture(scope="module")
def canvases(phantoms):
    return np.stack([place(members[0].image)[0] for members in phantoms.values()])


def test_each_phantom_has_one_artifact_and_it_leaves_room_to_miss_it(phantoms):
    for kind, members in phantoms.items():
        assert len(members) == N_PHANTOMS
        for phantom in members:
            assert LEAST_AREA <= phantom.artifact_masks[kind].mean() <= MOST_AREA
            assert not any(phantom.artifact_masks[other].any() for other in OCTA_ARTIFACTS if other is not kind)


def test_a_map_that_knows_nothing_has_the_energy_of_chance():
    mask = np.zeros((200, 200), np.bool_)
    mask[:80, :50] = True
    found = energy_inside(np.ones((8, 8)), mask, ArtifactType.SHADOW)
    assert found.energy_fraction == pytest.approx(found.area_fraction)
    assert found.area_fraction == pytest.approx(0.1, abs=0.005)


def test_a_map_on_the_mask_has_all_its_energy_inside_and_one_beside_it_none():
    mask = np.zeros((256, 256), np.bool_)
    mask[64:128, :] = True
    on, beside = np.full((8, 8), -1.0), np.full((8, 8), -1.0)
    on[2:4], beside[6] = 2.0, 2.0
    assert energy_inside(on, mask, ArtifactType.MOTION).energy_fraction == pytest.approx(1.0, abs=0.01)
    assert energy_inside(beside, mask, ArtifactType.MOTION).energy_fraction == pytest.approx(0.0, abs=0.01)
    assert energy_inside(-np.ones((8, 8)), mask, ArtifactType.MOTION).energy_fraction is None


def test_the_padding_of_a_wide_image_is_no_place_to_have_energy():
    wide = np.ones((128, 256), np.bool_)
    found = energy_inside(np.random.default_rng(1).random((8, 8)), wide, ArtifactType.SHADOW)
    assert found.energy_fraction == pytest.approx(1.0)
    assert found.area_fraction == pytest.approx(1.0)


def test_the_ratio_to_chance_has_an_interval_that_holds_it():
    rng = np.random.default_rng(2)
    found = [Localisation(ArtifactType.SHADOW, float(area * 2), float(area)) for area in rng.uniform(0.1, 0.3, 20)]
    ratio = energy_ratio([*found, Localisation(ArtifactType.SHADOW, None, 0.2)])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2.0, 2.0, 2.0))
    assert (ratio.n, ratio.n_without_evidence) == (20, 1)
    with pytest.raises(ValueError, match="two are the least"):
        energy_ratio([Localisation(ArtifactType.SHADOW, None, 0.2)] * 5)


def test_what_speaks_for_ungradable_lies_on_the_artifact_more_than_chance_has_it(scorer, phantoms):
    found = [item for kind, members in phantoms.items() for item in localise(scorer, members, kind)]
    ratio = energy_ratio(found)
    assert ratio.low > 1.0, ratio


def test_a_network_without_training_has_the_energy_of_chance(scorer, phantoms):
    """The check must be able to fail: over several untrained encoders and heads the ratio is about 1."""
    kind = ArtifactType.SHADOW
    untrained = [
        scorer.with_network(randomised(randomised(scorer.network, "encoder", seed=seed), "grade_head", seed=seed))
        for seed in range(4)
    ]
    found = [item for other in untrained for item in localise(other, phantoms[kind], kind)]
    assert energy_ratio(found).value < 2.0


@pytest.mark.parametrize("part", ["grade_head", "encoder"])
def test_maps_change_when_what_was_learned_is_drawn_anew(scorer, canvases, part):
    check = randomisation_check(scorer, canvases, part, n_draws=4)
    assert check.n_maps == 16
    assert abs(check.mean) < 0.5, check


def test_drawing_anew_is_seeded_and_leaves_the_network_as_it_was(scorer, canvases):
    before = ungradable_maps(scorer, canvases)
    one = ungradable_maps(scorer.with_network(randomised(scorer.network, "grade_head", seed=3)), canvases)
    two = ungradable_maps(scorer.with_network(randomised(scorer.network, "grade_head", seed=3)), canvases)
    assert np.array_equal(one, two)
    assert not np.allclose(one, before)
    assert np.array_equal(ungradable_maps(scorer, canvases), before)


def test_rank_correlation_is_one_for_any_rising_change_and_nought_for_a_flat_map():
    cam = np.random.default_rng(4).normal(size=(8, 8))
    assert rank_correlation(cam, np.exp(3 * cam)) == pytest.approx(1.0)
    assert rank_correlation(cam, -cam) == pytest.approx(-1.0)
    assert rank_correlation(cam, np.ones((8, 8))) == 0.0
