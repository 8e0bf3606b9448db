"""The published values, the learning rate of each epoch, and what a user may change."""

import math
from pathlib import Path

import pytest

from core.errors import UsageError
from core.training.supervised.recipe import (
    PUBLISHED_BACKBONES,
    SUPERVISED_RECIPES,
    Augmentation,
    QualityRecipe,
    supervised_recipe,
)
from core.training.supervised.schedule import learning_rate


def quality(**settings):
    return supervised_recipe("coips-quality", settings)


def test_the_five_backbones_come_with_their_size_and_optimiser():
    assert {value.paper_name: value.image_px for value in PUBLISHED_BACKBONES.values()} == {
        "ResNet-101": 224, "Inception-V3": 224, "EfficientNet-B7": 600, "SE-ResNeXt-101": 224,
        "Swin-Transformer-Large": 384,
    }  # fmt: skip
    swin, resnet = quality(backbone="Swin-L"), quality(backbone="resnet101")
    assert (swin.backbone, swin.optimiser, swin.learning_rate) == ("swin_large_patch4_window12_384", "adamw", 5e-4)
    assert (swin.warmup_epochs, swin.warmup_from, swin.image_px) == (20, 5e-7, 384)
    assert (resnet.optimiser, resnet.learning_rate, resnet.warmup_epochs) == ("adam", 1e-3, 0)
    assert (resnet.epochs, resnet.patience, resnet.cosine_epochs, resnet.trained_layers) == (300, 20, 5, "last")
    assert (resnet.augmentation.horizontal_flip, resnet.augmentation.rotation_deg) == (0.5, 15)


def test_what_the_user_says_overrules_the_published_backbone():
    recipe = quality(backbone="Swin-L", image_px="224", learning_rate="0.001")
    assert (recipe.image_px, recipe.learning_rate, recipe.optimiser) == (224, 1e-3, "adamw")


def test_the_faz_recipe_is_the_papers():
    recipe = supervised_recipe("coips-faz", {})
    assert (recipe.image_px, recipe.batch_size, recipe.n_stages, recipe.n_folds) == (512, 64, 8, 5)
    assert (recipe.optimiser, recipe.learning_rate, recipe.momentum, recipe.poly_exponent) == ("sgd", 0.01, 0.99, 0.9)
    assert (recipe.entropy_share, recipe.dice_smoothing) == (0.5, 1)


def test_the_cosine_falls_over_five_epochs_and_rises_again():
    rates = [learning_rate(epoch, quality()) for epoch in range(11)]
    assert rates[0] == rates[10] == pytest.approx(1e-3)
    assert rates[5] == pytest.approx(0, abs=1e-12)
    assert rates[2] == pytest.approx(1e-3 * (1 + math.cos(2 * math.pi / 5)) / 2)


def test_the_warm_up_of_swin_is_linear():
    swin = quality(backbone="Swin-L")
    assert learning_rate(0, swin) == 5e-7
    assert learning_rate(10, swin) == pytest.approx((5e-7 + 5e-4) / 2)
    assert learning_rate(20, swin) == pytest.approx(5e-4)


def test_the_poly_rate_ends_at_nought():
    recipe = supervised_recipe("coips-faz", {"epochs": 10})
    assert learning_rate(5, recipe) == pytest.approx(0.01 * 0.5**0.9)
    assert learning_rate(10, recipe) == 0


def test_settings_are_read_from_text():
    recipe = quality(**{"patience": "none", "augmentation.rotation_deg": "5", "epochs": "7"})
    assert (recipe.patience, recipe.augmentation.rotation_deg, recipe.epochs) == (None, 5.0, 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": "7"}, "no setting 'epoch'"),
        ({"augmentation.turn": "7"}, "no setting 'augmentation.turn'"),
        ({"name": "other"}, "no setting 'name'"),
        ({"epochs": "many"}, "epochs='many' is not allowed"),
        ({"learning_rate": "-1"}, "learning_rate='-1' is not allowed"),
        ({"trained_layers": "some"}, "trained_layers='some' is not allowed"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        quality(**settings)


def test_a_recipe_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        QualityRecipe.model_validate(quality().model_dump()).epochs = 3


def test_every_setting_is_in_the_documentation():
    text = (Path(__file__).parents[4] / "docs" / "training.md").read_text(encoding="utf-8")
    fields = {name for recipe in SUPERVISED_RECIPES.values() for name in type(recipe).model_fields}
    documented = fields - {"name", "version", "starts_from", "augmentation"} | set(Augmentation.model_fields)
    assert {name for name in documented - {"zoom_range"} if f"`{name}`" not in text} == set()
