"""A whole training on phantoms: it learns, repeats itself, goes on after a cut, and refuses what it must."""

import csv
import json
import shutil

import pytest
import torch
from labelled_folders import manifest_rows, write_manifest
from safetensors.torch import load_file, save_file

from core.errors import UsageError
from core.networks.coips_quality import QualityShape, build_quality
from core.scoring.card import sha256_of
from core.scoring.coips_card import CoipsCard
from core.statistics import resampling
from core.training.supervised import run as running
from core.training.supervised.fit import best_epoch, is_finished
from core.training.supervised.recipe import supervised_recipe
from core.training.supervised.run import Request, train_supervised

QUALITY = supervised_recipe(
    "coips-quality",
    {"backbone": "test_resnet", "image_px": 64, "epochs": 10, "batch_size": 6, "trained_layers": "all",
     "cosine_epochs": None, "learning_rate": 2e-3},
)  # fmt: skip
FAZ = supervised_recipe(
    "coips-faz",
    {"image_px": 64, "epochs": 2, "batch_size": 4, "batches_per_epoch": 2, "n_stages": 4, "base_channels": 4, "n_folds": 2},
)  # fmt: skip


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "N_RESAMPLES", 20)


class Cut(Exception):  # noqa: N818 - no error, a cut
    pass


def cut_after(n_batches):
    def report(progress):
        if progress.stage.startswith("Training") and progress.done > n_batches:
            raise Cut

    return report


def metrics(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same_weights(one, other):
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def graded_run(graded_folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "N_RESAMPLES", 20)
        request = Request(QUALITY, graded_folder, tmp_path_factory.mktemp("runs") / "quality", licence="CC0")
        return train_supervised(request)


def test_a_backbone_learns_to_grade_phantoms(graded_run):
    rows = metrics(graded_run.weights.parent)
    assert float(rows[-1]["train_loss"]) < 0.5 * float(rows[0]["train_loss"])
    found = {metric.name: metric.value for metric in graded_run.card.metrics}
    assert found["grade accuracy"] > 0.6  # a third are of each grade: always saying one of them gives 0.33


def test_a_run_leaves_weights_card_parts_metrics_and_curves(graded_run):
    folder = graded_run.weights.parent
    names = {path.name for path in folder.iterdir()}
    assert {
        "coips-quality.safetensors",
        "coips-quality.json",
        "splits.csv",
        "metrics.csv",
        "curves.png",
        "run.json",
    } <= names
    assert not any(name.endswith((".pt", ".pth", ".pkl", ".partial")) for name in names)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_card_says_data_licence_recipe_and_commands(graded_run):
    card = CoipsCard.beside(graded_run.weights)
    assert card == graded_run.card
    (data,) = card.data
    assert (data.licence, data.n_train + data.n_tune + data.n_held_out) == ("CC0", 36)
    assert card.init_sha256 is None
    assert "--set trained_layers=all" in card.commands[0]
    assert len(card.calibration.scans) == data.n_held_out
    assert card.recipe["backbone"] == card.network["backbone"] == "test_resnet"
    assert card.members[0].kept_epoch == best_epoch(
        [{k: float(v or 0) for k, v in row.items()} for row in metrics(graded_run.weights.parent)]
    )


def test_the_weights_kept_are_those_of_the_best_epoch(graded_run):
    best, kept = load_file(graded_run.weights.parent / "best.safetensors"), load_file(graded_run.weights)
    assert all(torch.equal(best[name], kept[name]) for name in kept)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(graded_folder, tmp_path):
    short = QUALITY.changed({"epochs": 2})
    runs = [
        train_supervised(Request(recipe, graded_folder, tmp_path / name)).weights
        for name, recipe in (("a", short), ("b", short), ("c", short.changed({"seed": 2})))
    ]
    assert same_weights(runs[0], runs[1])
    assert not same_weights(runs[0], runs[2])


def test_a_training_cut_in_the_middle_of_an_epoch_ends_in_the_same_weights(graded_folder, tmp_path):
    short = QUALITY.changed({"epochs": 3})
    whole = train_supervised(Request(short, graded_folder, tmp_path / "whole"))
    with pytest.raises(Cut):
        train_supervised(Request(short, graded_folder, tmp_path / "cut"), cut_after(5))
    assert len(metrics(tmp_path / "cut")) < 3
    resumed = train_supervised(Request(short, graded_folder, tmp_path / "cut", resume=True))
    assert same_weights(whole.weights, resumed.weights)
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    assert resumed.card == whole.card


def test_folds_are_trained_resumed_and_written_together(masked_folder, tmp_path):
    whole = train_supervised(Request(FAZ, masked_folder, tmp_path / "whole"))
    with pytest.raises(Cut):  # in the second fold
        train_supervised(Request(FAZ, masked_folder, tmp_path / "cut"), second_fold_cut)
    resumed = train_supervised(Request(FAZ, masked_folder, tmp_path / "cut", resume=True))
    assert same_weights(whole.weights, resumed.weights)
    assert [row["fold"] for row in metrics(tmp_path / "cut")] == ["0", "0", "1", "1"]
    assert resumed.card.folds == (0, 1)
    labels = {metric.set for metric in resumed.card.metrics}
    assert labels == {
        f"coips-faz superficial 3 mm, test part, {which}" for which in ("best fold", "all folds, mirrored")
    }
    assert {item.licence for item in resumed.card.data} == {"CC BY 4.0"}


def second_fold_cut(progress):
    if progress.stage == "Training fold 1" and progress.done > 2:
        raise Cut


def test_a_u_net_learns_to_find_the_faz_better_than_darkness_does(masked_folder, tmp_path):
    recipe = FAZ.changed(
        {"epochs": 8, "batches_per_epoch": 8, "learning_rate": 0.05, "momentum": 0.9, "base_channels": 8}
    )
    trained = train_supervised(Request(recipe, masked_folder, tmp_path))
    rows = metrics(tmp_path)
    assert float(rows[7]["train_loss"]) < 0.5 * float(rows[0]["train_loss"])
    found = {metric.name: metric.value for metric in trained.card.metrics if "all folds" in metric.set}
    assert found["FAZ Dice"] > dice_of_darkness(masked_folder) + 0.05


def dice_of_darkness(folder):
    """Mean Dice of the best that one threshold on the grey level can do on all phantoms."""
    import numpy as np

    from core.statistics.overlap import dice
    from core.training.supervised.picture import read_grey_levels, read_mask

    pairs = [(read_grey_levels(folder / row["file"]), read_mask(folder / row["mask"])) for row in manifest_rows(folder)]
    return max(np.mean([dice(image < level, mask) for image, mask in pairs]) for level in range(5, 120, 5))


def test_a_frozen_backbone_without_weights_is_refused_with_the_cure(graded_folder, tmp_path):
    with pytest.raises(UsageError, match="nothing to learn from") as caught:
        train_supervised(Request(QUALITY.changed({"trained_layers": "last"}), graded_folder, tmp_path / "out"))
    assert "--init FILE.safetensors" in caught.value.remedy
    assert "--set trained_layers=all" in caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_frozen_backbone_learns_its_last_layer_on_given_weights(graded_folder, tmp_path):
    init = tmp_path / "init.safetensors"
    given = build_quality(QualityShape(backbone="test_resnet", image_px=64), seed=5).backbone.state_dict()
    save_file(given, init)
    recipe = QUALITY.changed({"trained_layers": "last", "epochs": 1})
    trained = train_supervised(Request(recipe, graded_folder, tmp_path / "out", init=init))
    kept = load_file(trained.weights)
    changed = {name for name, value in given.items() if not torch.equal(kept[f"backbone.{name}"], value)}
    assert changed == {"fc.weight", "fc.bias"}
    assert trained.card.init_sha256 == sha256_of(init)
    assert "--init FILE.safetensors" in trained.card.commands[0]


@pytest.mark.parametrize("name", ["weights.pth", "missing.safetensors", "text.safetensors"])
def test_first_weights_that_cannot_be_read_are_refused(graded_folder, tmp_path, name):
    if name != "missing.safetensors":
        (tmp_path / name).write_text("nothing")
    with pytest.raises(UsageError, match="safetensors"):
        train_supervised(Request(QUALITY, graded_folder, tmp_path / "out", init=tmp_path / name))


def test_more_faults_than_a_message_holds_are_written_down(graded_folder, tmp_path):
    folder = shutil.copytree(graded_folder, tmp_path / "graded")
    write_manifest(folder, [row | {"grade": "good"} for row in manifest_rows(folder)])
    with pytest.raises(UsageError, match="has 36 faults") as caught:
        train_supervised(Request(QUALITY, folder, tmp_path / "out"))
    assert "faults.csv" in caught.value.remedy
    assert (tmp_path / "out" / "faults.csv").read_text().count("'good' is no grade") == 36


def test_another_training_in_the_folder_is_refused_and_the_difference_named(graded_folder, graded_run, tmp_path):
    out = shutil.copytree(graded_run.weights.parent, tmp_path / "run")
    with pytest.raises(UsageError, match="already holds a training"):
        train_supervised(Request(QUALITY, graded_folder, out))
    other = QUALITY.changed({"batch_size": 5})
    with pytest.raises(UsageError, match="batch_size 6 there, 5 here"):
        train_supervised(Request(other, graded_folder, out, resume=True))
    folder = shutil.copytree(graded_folder, tmp_path / "graded")
    write_manifest(folder, [row | {"subject": f"T{row['subject']}"} for row in manifest_rows(folder)])
    with pytest.raises(UsageError, match="subjects or parts have changed"):
        train_supervised(Request(QUALITY, folder, out, resume=True))


def test_a_finished_training_is_resumed_without_a_step(graded_folder, graded_run, tmp_path):
    out = shutil.copytree(graded_run.weights.parent, tmp_path / "run")
    again = train_supervised(Request(QUALITY, graded_folder, out, licence="CC0", resume=True), cut_after(10**6))
    assert again.card == graded_run.card


def test_patience_ends_a_training_that_gains_nothing():
    recipe = QUALITY.changed({"patience": 2, "epochs": 9})
    history = [{"validation_loss": loss} for loss in (1.0, 0.5, 0.6)]
    assert not is_finished(history, recipe)
    assert is_finished([*history, {"validation_loss": 0.5}], recipe)
    assert not is_finished([*history, {"validation_loss": 0.4}], recipe)
    assert best_epoch(history) == 2


def test_a_loss_that_is_no_number_stops_the_training_with_the_cure(graded_folder, tmp_path):
    recipe = QUALITY.changed({"learning_rate": 1e30, "epochs": 3})
    with pytest.raises(UsageError, match="no number any more") as caught:
        train_supervised(Request(recipe, graded_folder, tmp_path))
    assert "--learning-rate" in caught.value.remedy


def test_half_precision_is_asked_for_or_left_alone(graded_folder, tmp_path):
    request = Request(QUALITY, graded_folder, tmp_path, device="cpu")
    assert not running.machine_for(request).bf16
    assert running.machine_for(Request(QUALITY, graded_folder, tmp_path, device="cpu", precision="bf16")).bf16
    recipe = QUALITY.changed({"epochs": 1})
    trained = train_supervised(Request(recipe, graded_folder, tmp_path / "out", device="cpu", precision="bf16"))
    assert {value.dtype for value in load_file(trained.weights).values()} <= {torch.float32, torch.int64}


def test_the_run_says_what_it_is(graded_run):
    document = json.loads((graded_run.weights.parent / "run.json").read_text())
    assert document["recipe"]["name"] == "coips-quality"
