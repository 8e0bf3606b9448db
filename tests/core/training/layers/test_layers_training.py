"""The recipe `layers` from folder to card: checked, split by subject, resumed, judged beside the thesis."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from layer_folders import SMALL
from PIL import Image
from safetensors.torch import load_file

from core.commands.evaluate import command as evaluate_command
from core.errors import UsageError
from core.phantom.bscan import BscanLesion, BscanSpec, draw_bscan
from core.scoring.layers_card import LayersCard
from core.scoring.published import compare_layers, difference_of, published_figures
from core.scoring.registry import weights_path
from core.training.layers.data import labels_in, read_layer_folder
from core.training.layers.recipe import layers_recipe
from core.training.layers.samples import LayerSamples, draw_phantoms, labels_of_phantom
from core.training.layers.task import LayersTask, dice_loss
from core.training.layers.train import train_layers
from core.training.supervised.record import ManifestError
from core.training.supervised.run import Request
from core.training.supervised.samples import Draw
from core.vocabulary import LayerScheme, ScanKind


def test_a_training_writes_half_precision_weights_and_a_card_that_says_everything(layer_run):
    card = layer_run.card
    assert {value.dtype for value in load_file(layer_run.weights).values()} <= {torch.float16, torch.int64}
    assert card.kind.value == "volume"
    assert card.scheme is LayerScheme.DUKE_7
    assert [(row.name, row.licence) for row in card.data] == [
        ("phantoms", "made here"), ("phantoms", "made by this program"),
    ]  # fmt: skip
    assert card.calibration is None
    assert len(card.seen_pixels) == sum(row.n_train + row.n_tune for row in card.data[:1])
    assert {"mean Dice of the layers", "IoU of the whole retina"} <= {metric.name for metric in card.metrics}
    assert sum(map(sum, card.confusion)) == card.data[0].n_held_out * 96 * 96
    assert card.commands[0].startswith("octaudit train layers --data DIR --out DIR --set ")


def test_the_parts_share_no_subject(layer_run):
    rows = (layer_run.weights.parent / "splits.csv").read_text().splitlines()[1:]
    parts = {}
    for row in rows:
        _, subject, _, part, *_ = row.split(",")
        parts.setdefault(subject, set()).add(part)
    assert all(len(found) == 1 for found in parts.values())
    assert {part for found in parts.values() for part in found} == {"train", "validation", "test"}


def test_the_same_recipe_gives_the_same_weights_and_another_is_not_resumed(layer_folder, layer_run, tmp_path):
    request = Request(layers_recipe(SMALL), layer_folder, tmp_path / "out")
    again = train_layers(request)
    one, other = load_file(layer_run.weights), load_file(again.weights)
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(UsageError, match="already holds a training"):
        train_layers(request)
    longer = replace(request, recipe=layers_recipe({**SMALL, "epochs": "3"}), resume=True)
    with pytest.raises(UsageError, match="epochs 2 there, 3 here"):
        train_layers(longer)


def test_evaluate_leaves_out_whom_the_model_was_trained_with_and_prints_the_thesis(layer_folder, layer_run, tmp_path):
    wrote = tmp_path / "figures.json"
    done = CliRunner().invoke(
        evaluate_command,
        ["layers", "--data", str(layer_folder), "--model", str(layer_run.weights), "--json", str(wrote)],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    assert "FCN-ResNet-101" in done.stdout
    assert "0.9868" in done.stdout
    found = json.loads(wrote.read_text())
    assert found["n_images"] == layer_run.card.data[0].n_held_out
    assert found["n_images"] + found["n_left_out"] == 24
    of_card = {metric.name: metric.value for metric in layer_run.card.metrics if metric.topic == "Retinal layers"}
    printed = {row["name"]: row["value"] for row in found["metrics"] if row["topic"] == "Retinal layers"}
    assert printed == of_card


def test_label_maps_with_strange_values_are_named_with_the_cure(layer_folder, tmp_path):
    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    Image.fromarray(np.zeros((96, 96), np.uint8)).save(folder / "images/s1_0.png")
    Image.fromarray(np.full((96, 96), 99, np.uint8)).save(folder / "masks/s1_0.png")
    with pytest.raises(ManifestError, match="holds the values 99"):
        read_layer_folder(folder, LayerScheme.DUKE_7, licence="x")
    with pytest.raises(UsageError, match=r"neither manifest\.csv nor the folders images and masks"):
        read_layer_folder(folder / "images", LayerScheme.DUKE_7, licence="x")


def test_the_folders_images_and_masks_name_the_subject_before_the_last_underscore(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for name in ("s01_00.png", "s01_01.png", "s02_00.png"):
            Image.fromarray(np.eye(64, dtype=np.uint8) * 10).save(tmp_path / part / name)
    found = read_layer_folder(tmp_path, LayerScheme.DUKE_7, licence="own")
    assert [(p.record.subject, p.record.licence) for p in found] == [("s01", "own"), ("s01", "own"), ("s02", "own")]


def test_one_label_map_serves_every_scheme(tmp_path):
    path = Path(tmp_path / "map.png")
    Image.fromarray(np.arange(0, 80, 10, dtype=np.uint8)[None]).save(path)
    assert labels_in(path, LayerScheme.DUKE_7)[0].tolist() == list(range(8))
    assert labels_in(path, LayerScheme.FIVE)[0].tolist() == [0, 1, 1, 1, 1, 1, 2, 4]
    assert labels_in(path, LayerScheme.RETINA)[0].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    Image.fromarray(np.array([[0, 1, 2, 3, 4]], np.uint8)).save(path)
    assert labels_in(path, LayerScheme.FIVE)[0].tolist() == [0, 1, 2, 3, 4]


def test_phantoms_have_the_transition_that_the_public_set_lacks():
    phantom = draw_bscan(BscanSpec(lesion=BscanLesion.DRUSEN), 5)
    labels = labels_of_phantom(phantom, LayerScheme.FIVE)
    column = labels[:, 200]
    assert np.unique(column).tolist() == [0, 1, 2, 3, 4]
    assert (np.diff(np.flatnonzero(column)) == 1).all()


def test_a_sample_is_a_function_of_seed_epoch_and_place(layer_folder):
    recipe = layers_recipe(SMALL)
    pictures = read_layer_folder(layer_folder, recipe.scheme, licence="x")
    samples = LayerSamples(pictures, recipe, draw_phantoms(recipe))
    (image, shares), (again, _), (other, _) = (samples[Draw(1, epoch, 3)] for epoch in (0, 0, 1))
    assert torch.equal(image, again)
    assert not torch.equal(image, other)
    assert image.shape == (1, 64, 32)
    assert shares.shape == (8, 64, 32)
    assert torch.allclose(shares.sum(dim=0), torch.ones(64, 32), atol=0.02)


def test_the_losses_are_least_where_the_network_is_right():
    shares = torch.zeros(1, 8, 16, 16)
    shares[:, 0, :8] = shares[:, 3, 8:] = 1.0
    right = 20.0 * shares - 10.0
    assert float(dice_loss(right, shares)) < 0.01
    for loss in ("bce", "entropy-dice"):
        task = LayersTask(layers_recipe({**SMALL, "loss": loss}))
        assert float(task.loss(right, shares)) < 0.01 < float(task.loss(-right, shares))


def test_the_published_settings_come_with_scheme_and_network():
    assert layers_recipe({}).learning_rate == pytest.approx(0.001)
    retina = layers_recipe({"scheme": "retina"})
    assert (retina.epochs, retina.patience, retina.batch_size, retina.learning_rate) == (50, 10, 12, 0.1)
    deep = layers_recipe({"scheme": "retina", "network": "deeplabv3_resnet50"})
    assert (deep.epochs, deep.patience, deep.batch_size) == (15, 5, 8)
    with pytest.raises(UsageError, match="no preset 'best'"):
        layers_recipe({"preset": "best"})


def test_crops_that_the_network_cannot_halve_are_refused(layer_folder, tmp_path):
    recipe = layers_recipe({**SMALL, "crop_columns": "48"})
    with pytest.raises(UsageError, match="Crops of 48 columns"):
        train_layers(Request(recipe, layer_folder, tmp_path / "out"))


def test_the_thesis_s_tables_are_whole_and_stand_beside_the_bundled_card():
    figures = published_figures("published_layers")
    assert len(figures) == (7 + 7) * 2
    best = max((f for f in figures if (f.task, f.figure) == ("five classes", "IoU")), key=lambda f: f.published)
    assert (best.system, best.published, best.place) == ("FCN-ResNet-101, rate 0.001", 0.8320, "Table 5")
    rows = compare_layers(LayersCard.beside(weights_path(ScanKind.VOLUME)).metrics)
    assert {row.ours.name for row in rows if row.ours} == {"IoU of the whole retina", "mean IoU of the layers"}
    assert all(difference_of(row.published.task).startswith("Published:") for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101"])
@pytest.mark.parametrize("scheme", ["retina", "five"])
def test_every_network_of_the_thesis_trains_in_every_scheme(layer_folder, tmp_path, network, scheme):
    settings = {"network": network, "scheme": scheme, "image_px": "64", "epochs": "1", "batch_size": "4"}
    trained = train_layers(Request(layers_recipe({**settings, "batches_per_epoch": "1"}), layer_folder, tmp_path / "o"))
    assert trained.card.network["network"] == network
    assert trained.card.scheme.value == scheme
    assert len(trained.card.confusion) == (2 if scheme == "retina" else 5)
