"""Levels that are fitted to a finished layer network: its answers stay, Q comes, and a command makes them again."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from layer_folders import SMALL
from safetensors.torch import load_file

from core.commands.train import command as train_command
from core.errors import UsageError
from core.networks.layers import LayerShape, build_layers
from core.phantom.bscan import BscanSpec, draw_bscan
from core.scoring.layers_card import LayersCard
from core.scoring.torch_backend.layers import LayerSegmenter
from core.training.layers.level_figures import TELLS, level_figures
from core.training.layers.levels import FrozenWithHeads, LevelsTask
from core.training.layers.recipe import layers_recipe
from core.training.layers.train import train_layers
from core.training.supervised.run import Request
from core.values import Measured

CPU = torch.device("cpu")
TOPIC = "Agreement of the network's levels"


@pytest.fixture(scope="module")
def leveled(layer_folder, layer_run, tmp_path_factory):
    """The tiny training's network with levels, by the command; its weights and card."""
    out = tmp_path_factory.mktemp("levels") / "out"
    options = ["--data", layer_folder, "--out", out, "--init", layer_run.weights, "--set", "level_epochs=2"]
    done = CliRunner().invoke(train_command, ["layers", "--keep-network", *map(str, options)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    weights = out / "layers.safetensors"
    return weights, LayersCard.beside(weights)


def test_fitting_levels_changes_no_answer_by_a_single_bit_and_gives_every_b_scan_a_q(layer_run, leveled):
    weights, card = leveled
    before, after = load_file(layer_run.weights), load_file(weights)
    assert set(after) - set(before) == {f"level_heads.{at}.{part}" for at in range(3) for part in ("weight", "bias")}
    assert all(torch.equal(after[name], value) for name, value in before.items())
    images = [draw_bscan(BscanSpec(height_px=96, width_px=96, z_mm_per_px=0.02), seed).image for seed in range(3)]
    plain = LayerSegmenter.load(layer_run.weights, layer_run.card, CPU).readings(images)
    with_q = LayerSegmenter.load(weights, card, CPU).readings(images)
    for (old, no_q), (new, q) in zip(plain, with_q, strict=True):
        np.testing.assert_array_equal(old.boundary_row_px, new.boundary_row_px)
        assert not isinstance(no_q, Measured)
        assert isinstance(q, Measured)


def test_the_card_keeps_what_was_trained_before_and_says_what_came_to_it(layer_run, leveled):
    _, card = leveled
    assert card.training == layer_run.card.training
    assert (card.seen_pixels, card.likeness, card.data) == (
        layer_run.card.seen_pixels, layer_run.card.likeness, layer_run.card.data,
    )  # fmt: skip
    assert card.confusion == layer_run.card.confusion
    assert [metric for metric in card.metrics if metric.topic != TOPIC] == list(layer_run.card.metrics)
    assert card.levels is not None
    assert card.levels.n_epochs == 2
    assert {f"dice_level_{level}" for level in (1, 2, 3)} <= set(card.levels.watched)
    told = {metric.name for metric in card.metrics if metric.topic == TOPIC}
    assert {f"Dice of level {level} of 4" for level in (1, 2, 3, 4)} < told
    assert any("--keep-network" in command for command in card.commands)
    assert any("stayed as it was" in choice for choice in card.choices)


def test_levels_of_levels_are_fitted_anew_and_come_out_the_same(layer_folder, leveled, tmp_path):
    weights, _ = leveled
    options = ["--data", layer_folder, "--out", tmp_path / "again", "--init", weights, "--keep-network"]
    CliRunner().invoke(train_command, ["layers", *map(str, options)], catch_exceptions=False)
    first, again = load_file(weights), load_file(tmp_path / "again/layers.safetensors")
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_one_training_with_levels_is_the_training_without_them_and_then_the_levels(
    layer_folder, layer_run, leveled, tmp_path
):
    recipe = layers_recipe(SMALL | {"level_epochs": "2"})
    whole = train_layers(Request(recipe, layer_folder, tmp_path / "out"))
    one, other = load_file(whole.weights), load_file(leveled[0])
    assert all(torch.equal(one[name], other[name]) for name in other)
    assert whole.card.training == layer_run.card.training
    assert whole.card.levels == leveled[1].levels


def test_only_the_heads_learn_and_the_network_s_statistics_stand_still():
    recipe = layers_recipe(SMALL | {"level_epochs": "1"})
    built = build_layers(recipe.shape.model_copy(update={"has_levels": False}), seed=4).state_dict()
    task = LevelsTask(recipe, built)
    frozen = task.build().train()
    assert isinstance(frozen, FrozenWithHeads)
    image, shares = torch.rand(2, 1, 64, 64), torch.rand(2, 8, 64, 64).softmax(dim=1)
    task.loss(frozen(image), shares).backward()
    assert all((value.grad is not None) == ("level_heads" in name) for name, value in frozen.named_parameters())
    assert all(torch.equal(frozen.network.state_dict()[name], value) for name, value in built.items())


def test_the_levels_of_a_u_net_end_in_its_answer_at_the_size_of_the_image():
    shape = LayerShape(n_classes=8, image_px=64, base_channels=4, column_stride=2, has_levels=True)
    network = build_layers(shape, seed=2).eval()
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        levels = network.levels(image)
        assert levels.shape == (1, 4, 8, 64, 64)
        assert torch.equal(levels[:, -1], network(image))
        assert torch.equal(levels[:, -2:], network.levels(image, last=2))


def test_what_would_not_keep_the_network_or_suit_it_is_refused_by_name(layer_folder, layer_run, tmp_path):
    def refused(*options):
        given = ["layers", "--data", str(layer_folder), "--out", str(tmp_path / "out"), *options]
        with pytest.raises(UsageError) as error:
            CliRunner().invoke(train_command, given, catch_exceptions=False)
        return str(error.value)

    kept = ["--keep-network", "--init", str(layer_run.weights)]
    assert "keeps the network of --init" in refused("--keep-network")
    assert "epochs would change nothing" in refused(*kept, "--set", "epochs=9")
    assert "fitted to network=unet" in refused("--set", "network=qunet", "--set", "level_epochs=2")
    other = layer_run.card.model_copy(update={"seen_pixels": layer_run.card.seen_pixels[1:]})
    copied = tmp_path / "other.safetensors"
    copied.write_bytes(layer_run.weights.read_bytes())
    copied.with_suffix(".json").write_text(other.model_dump_json())
    assert "are not those that" in refused("--keep-network", "--init", str(copied))


def test_figures_of_levels_tell_a_level_that_reads_layers_from_one_that_does_not(leveled):
    """A third level that sees background everywhere has a Dice of 0 and agrees with nothing; the answer stays."""
    weights, card = leveled
    segmenter = LayerSegmenter.load(weights, card, CPU)
    drawn = [draw_bscan(BscanSpec(height_px=96, width_px=96, z_mm_per_px=0.02), seed) for seed in range(6)]

    def figures():
        images, truths = [each.image for each in drawn], [each.labels for each in drawn]
        return {m.name: m.value for m in level_figures(segmenter, images, truths, list("abcdef"), "drawn")}

    told = figures()
    with torch.no_grad():
        network = segmenter._network
        network.level_heads[-1].bias.copy_(torch.eye(8)[0] * 1e6)  # everything is background
    blind = figures()
    assert blind["Dice of level 3 of 4"] == 0.0 < told["Dice of level 3 of 4"]
    assert blind["Dice of level 4 of 4"] == told["Dice of level 4 of 4"]
    assert blind["Q, the agreement of the last two levels"] == 0.0
    assert TELLS not in blind


def test_a_card_without_levels_is_read_as_one(layer_run):
    stored = json.loads(layer_run.card.model_dump_json())
    del stored["levels"], stored["network"]["has_levels"]
    card = LayersCard.model_validate(stored)
    assert card.levels is None
    assert not LayerSegmenter.load(layer_run.weights, card, CPU).has_levels
