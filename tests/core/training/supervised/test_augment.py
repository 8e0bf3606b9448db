"""Variation moves image and mask together and nothing else; samples depend on seed, epoch and place alone."""

import numpy as np
import pytest
import torch

from core.scoring.lanes.zscore import zscore
from core.training.supervised.augment import augment
from core.training.supervised.manifest import read_records
from core.training.supervised.picture import read_pictures
from core.training.supervised.recipe import NNUNET_AUGMENTATION, Augmentation, supervised_recipe
from core.training.supervised.record import Label
from core.training.supervised.samples import Draw, Samples, epoch_draws, load, plain_draws

STILL = Augmentation(horizontal_flip=0, rotation=0)


def blob(size=65):
    rows, columns = np.mgrid[:size, :size]
    mask = ((rows - 20) ** 2 + (columns - 40) ** 2 < 100).astype(np.uint8)
    return mask.astype(np.float32), mask


def test_z_scores_follow_equation_1():
    image = np.array([[0, 50], [100, 250]], np.uint8)
    assert zscore(image) == pytest.approx((image - 100.0) / np.sqrt((100**2 + 50**2 + 0 + 150**2) / 4))
    assert not zscore(np.full((4, 4), 7, np.uint8)).any()


def test_without_variation_nothing_changes():
    image, mask = blob()
    same, same_mask = augment(image, mask, STILL, np.random.default_rng(0))
    assert np.array_equal(same, image)
    assert np.array_equal(same_mask, mask)


@pytest.mark.parametrize("seed", range(5))
def test_the_mask_moves_with_the_image(seed):
    image, mask = blob()
    moved, moved_mask = augment(
        image, mask, NNUNET_AUGMENTATION.model_copy(update={"rotation": 1, "zoom": 1, "noise": 0, "gamma": 0, "contrast": 0}),
        np.random.default_rng(seed),
    )  # fmt: skip
    assert np.abs((moved > 0.5) ^ (moved_mask > 0)).mean() < 0.02
    assert set(np.unique(moved_mask)) <= {0, 1}


def test_a_horizontal_flip_mirrors_the_columns():
    image, mask = blob()
    flipped, flipped_mask = augment(image, mask, Augmentation(horizontal_flip=1, rotation=0), np.random.default_rng(0))
    assert np.array_equal(flipped, image[:, ::-1])
    assert np.array_equal(flipped_mask, mask[:, ::-1])


def test_a_sample_depends_on_seed_epoch_and_place_alone(masked_folder):
    recipe = supervised_recipe("coips-faz", {"image_px": 64, "batch_size": 4, "batches_per_epoch": 2, "n_stages": 4})
    pictures = read_pictures(masked_folder, read_records(masked_folder, Label.MASK))[:6]
    samples, again = Samples(pictures, recipe), Samples(pictures, recipe)
    draw = Draw(index=2, epoch=3, position=5)
    for one, other in zip(samples[draw], again[draw], strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(samples[draw][0], samples[Draw(2, 4, 5)][0])
    assert epoch_draws(6, recipe, 1) == epoch_draws(6, recipe, 1) != epoch_draws(6, recipe, 2)


def test_every_image_is_drawn_once_but_for_a_batch_that_is_not_full():
    recipe = supervised_recipe("coips-quality", {"batch_size": 4})
    batches = epoch_draws(11, recipe, 0)
    assert [len(batch) for batch in batches] == [4, 4]
    assert len({draw.index for batch in batches for draw in batch}) == 8
    assert [len(batch) for batch in epoch_draws(3, recipe, 0)] == [3]
    assert [draw.index for batch in plain_draws(5, 2) for draw in batch] == [0, 1, 2, 3, 4]


def test_batches_hold_images_and_labels_in_the_order_drawn(masked_folder):
    recipe = supervised_recipe("coips-faz", {"image_px": 64, "n_stages": 4})
    pictures = read_pictures(masked_folder, read_records(masked_folder, Label.MASK))[:3]
    (first, masks), (last, _) = load(Samples(pictures, recipe), plain_draws(3, 2), n_workers=0)
    assert (first.shape, masks.shape, last.shape) == ((2, 1, 64, 64), (2, 64, 64), (1, 1, 64, 64))
    assert masks.unique().tolist() == [0, 1]
