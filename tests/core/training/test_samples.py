"""Samples: a pure function of seed and step, with nothing unknown counted as known."""

import numpy as np
import pytest

from core.training.bank import cached_phantoms, fill_bank, render_phantoms
from core.training.degrade import degrade, grade_after
from core.training.folder import read_folder
from core.training.samples import FAZ_CHANNEL, UNKNOWN_GRADE, draw_batch
from core.training.splits import split
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade

SHARES = {"faz": 2, "pool": 2, "phantoms": 2, "strangers": 2}


@pytest.fixture(scope="module")
def bank(training_folder):
    return fill_bank(split(read_folder(training_folder), seed=1), phantoms=render_phantoms(3, seed=4))


def test_a_batch_depends_on_seed_and_step_alone(bank):
    one, same, other = (draw_batch(bank, SHARES, seed=5, step=step) for step in (7, 7, 8))
    for name in ("image", "masks", "weights", "grade", "is_octa"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.image, other.image)


def test_a_batch_has_the_shapes_the_network_takes(bank):
    batch = draw_batch(bank, SHARES, seed=5, step=0)
    assert batch.image.shape == (8, 1, 256, 256)
    assert batch.masks.shape == batch.weights.shape == (8, 6, 128, 128)
    assert 0 <= batch.masks.min() <= batch.masks.max() <= 1


def test_strangers_teach_neither_grade_nor_masks(bank):
    batch = draw_batch(bank, {"strangers": 6}, seed=5, step=1)
    assert (batch.is_octa == 0).all()
    assert (batch.grade == UNKNOWN_GRADE).all()
    assert (batch.weights == 0).all()


def test_no_grade_or_severity_of_a_reader_reaches_the_network(training_folder):
    images = split(read_folder(training_folder), seed=1)
    bank = fill_bank(images, phantoms=[])
    graded = {item.image.key for item in images if item.image.grade is not None}
    assert graded
    assert len(bank.faz) + len(bank.pool) + len(bank.strangers) < len(images) - len(graded) + 1
    assert all(canvas.grade is None for canvas in [*bank.faz, *bank.pool, *bank.strangers])


def test_what_a_folder_lacks_is_drawn_from_the_phantoms(training_folder):
    bank = fill_bank([], phantoms=render_phantoms(2, seed=4))
    batch = draw_batch(bank, {"faz": 1, "pool": 1}, seed=5, step=0)
    assert (batch.weights == 1).all()
    assert (batch.grade != UNKNOWN_GRADE).all()


def test_a_faz_image_without_grade_teaches_the_faz_and_only_drawn_artifacts(bank):
    for step in range(6):
        batch = draw_batch(bank, {"faz": 2}, seed=5, step=step)
        assert (batch.weights[:, FAZ_CHANNEL] == 1).all()
        artifacts = slice(0, FAZ_CHANNEL)
        assert (batch.masks[:, artifacts][batch.weights[:, artifacts] == 0] == 0).all()


@pytest.mark.parametrize("kind", list(OCTA_ARTIFACTS))
def test_each_drawn_artifact_changes_the_image_where_its_mask_says(kind):
    image = np.random.default_rng(1).random((256, 256)).astype(np.float32)
    changed, unchanged = [], []
    for seed in range(12):
        result = degrade(image, np.random.default_rng(seed), [kind])
        difference, mask = np.abs(result.image - image), result.masks[kind]
        if 0.02 < mask.mean() < 0.9:
            changed.append(difference[mask].mean())
            unchanged.append(difference[~mask].mean())
    assert np.mean(changed) > 3 * np.mean(unchanged)


def test_the_grade_falls_by_the_phantoms_rule():
    def masks(*shares):
        found = {}
        for kind, share in zip(ArtifactType, shares, strict=False):
            found[kind] = np.arange(1000) < share * 1000
        return found

    best = CoipsGrade.OUTSTANDING
    assert grade_after(None, masks(0.5, 0.2)) is CoipsGrade.UNGRADABLE
    assert grade_after(best, masks(0.2)) is CoipsGrade.GRADABLE
    assert grade_after(best, masks(0.05, 0.05)) is CoipsGrade.GRADABLE
    assert grade_after(best, masks(0.001)) is best
    assert grade_after(CoipsGrade.GRADABLE, masks(0.2)) is None


def test_phantoms_are_rendered_once_and_read_back_the_same(tmp_path):
    first = cached_phantoms(tmp_path / "phantoms.npz", 2, seed=9)
    again = cached_phantoms(tmp_path / "phantoms.npz", 2, seed=9)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.masks, other.masks)
        assert one.grade == other.grade
