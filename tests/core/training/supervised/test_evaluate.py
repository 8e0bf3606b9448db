"""Evaluation counts unseen images only, best fold and all folds differ, and the commands print what they should."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from labelled_folders import manifest_rows, write_manifest
from PIL import Image

from core.commands import evaluate as evaluate_command
from core.commands import train as train_command
from core.errors import UsageError
from core.networks.coips_faz import FazShape, build_faz
from core.scoring.coips_card import CoipsCard
from core.scoring.torch_backend.coips import FazSegmenter, Folds
from core.statistics import resampling
from core.training.evaluation.figures import interval_text
from core.training.evaluation.report import EvaluationReport
from core.training.supervised.evaluate import evaluate_coips


@pytest.fixture(scope="module", autouse=True)
def few_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "N_RESAMPLES", 20)
        yield


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def faz_run(masked_folder, tmp_path_factory):
    """A coips-faz model of two folds, trained by the command."""
    out = tmp_path_factory.mktemp("runs") / "faz"
    small = ["n_stages=4", "base_channels=4", "batches_per_epoch=2"]
    found = invoke(
        train_command.command, "coips-faz", "--data", masked_folder, "--out", out, "--epochs", 1, "--batch-size", 2,
        "--image-size", 64, "--folds", 2, "--workers", 0, "--seed", 0, *(f"--set={setting}" for setting in small),
    )  # fmt: skip
    assert found.exit_code == 0
    assert "FAZ Dice" in found.output
    return out / "coips-faz.safetensors"


def test_the_folder_trained_on_is_judged_by_its_test_part(masked_folder, faz_run):
    found = evaluate_coips(masked_folder, faz_run, recipe="coips-faz", folds=[Folds.ALL]).found
    assert (found.n_images, found.n_left_out) == (5, 13)
    own = {metric.name: metric.value for metric in CoipsCard.beside(faz_run).metrics if "all folds" in metric.set}
    assert {metric.name: metric.value for metric in found.metrics} == own


def test_a_test_row_that_was_trained_with_is_refused_by_name(masked_folder, faz_run, tmp_path):
    folder = shutil.copytree(masked_folder, tmp_path / "masked")
    write_manifest(folder, [row | {"split": "test"} for row in manifest_rows(folder)])
    with pytest.raises(UsageError, match=r"trained with these test images.*images/\d+\.png \(subject S\d+\)"):
        evaluate_coips(folder, faz_run, recipe="coips-faz")


def test_a_folder_of_trained_images_only_is_refused(masked_folder, faz_run, tmp_path):
    unseen = evaluate_coips(masked_folder, faz_run, recipe="coips-faz", folds=[Folds.BEST]).found
    assert unseen.n_images == 5
    folder = shutil.copytree(masked_folder, tmp_path / "masked")
    parts = (faz_run.parent / "splits.csv").read_text().splitlines()
    trained = {line.split(",")[0] for line in parts if ",train," in line}
    write_manifest(folder, [row for row in manifest_rows(folder) if row["file"] in trained])
    with pytest.raises(UsageError, match="none is left that the model has not seen"):
        evaluate_coips(folder, faz_run, recipe="coips-faz")


def test_without_the_splits_the_evaluation_says_what_it_cannot_tell(masked_folder, faz_run, tmp_path):
    for name in ("coips-faz.safetensors", "coips-faz.json"):
        shutil.copy(faz_run.parent / name, tmp_path / name)
    found = evaluate_coips(
        masked_folder, tmp_path / "coips-faz.safetensors", recipe="coips-faz", folds=[Folds.BEST]
    ).found
    assert (found.n_images, found.n_left_out) == (18, 0)
    assert "cannot be told" in found.note


def test_the_command_prints_ours_and_the_published_figures(masked_folder, faz_run, tmp_path):
    json_path = tmp_path / "figures.json"
    arguments = ("coips-faz", "--data", masked_folder, "--model", faz_run, "--json", json_path)
    found = invoke(evaluate_command.command, *arguments)
    assert found.exit_code == 0
    assert "published, FAZ superficial" in found.output
    assert "no like-for-like comparison" in found.output
    assert "13 images left out" in found.output
    document = json.loads(json_path.read_text())
    assert document["folds"] == ["best", "all"]
    assert {metric["name"] for metric in document["metrics"]} >= {
        "FAZ Dice",
        "FAZ Jaccard",
        "FAZ precision",
        "FAZ recall",
    }


def test_all_folds_are_the_mean_over_folds_and_mirrored_copies():
    shape = FazShape(image_px=32, n_stages=3, base_channels=4)
    networks = [build_faz(shape, seed=seed).eval() for seed in (1, 2)]
    image = np.random.default_rng(1).integers(0, 255, (32, 32), dtype=np.uint8)
    (found,) = FazSegmenter(networks, torch.device("cpu"), mirrored=True).probabilities([image])
    by_hand = []
    for network in networks:
        single = FazSegmenter([network], torch.device("cpu"), mirrored=False)
        for flips in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            turned = np.ascontiguousarray(image[:: flips[0], :: flips[1]])
            by_hand.append(single.probabilities([turned])[0][:: flips[0], :: flips[1]])
    np.testing.assert_allclose(found, np.mean(by_hand, axis=0), atol=1e-5)


def test_maps_come_back_at_the_size_of_their_image():
    network = build_faz(FazShape(image_px=32, n_stages=3, base_channels=4), seed=1)
    images = [np.zeros((40, 50), np.uint8), np.zeros((64, 64), np.uint8)]
    found = FazSegmenter([network], torch.device("cpu"), mirrored=False).probabilities(images)
    assert [map_.shape for map_ in found] == [(40, 50), (64, 64)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unet"], "no recipe 'unet'"),
        (["coips-faz", "--steps", 5], "coips-faz has no --steps"),
        (["octa-enface", "--set", "epochs=3"], "octa-enface has no --set"),
        (["coips-faz", "--set", "epochs"], "has no value"),
        (["coips-faz", "--backbone", "resnet18"], "no setting 'backbone'"),
    ],
)
def test_options_of_another_recipe_are_refused(arguments, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        invoke(train_command.command, *arguments, "--data", tmp_path, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("recipe", "option"), [("text-detector", "--report"), ("octa-enface", "--folds"), ("layers", "--fonts")]
)
def test_an_option_that_would_change_nothing_is_refused(recipe, option, tmp_path):
    value = "all" if option == "--folds" else tmp_path
    with pytest.raises(UsageError, match=f"{recipe} has no {option}"):
        invoke(evaluate_command.command, recipe, "--data", tmp_path, option, value)


def test_a_model_that_is_none_or_another_is_refused(masked_folder, faz_run, tmp_path):
    with pytest.raises(UsageError, match=r"NAME\.safetensors with its card"):
        evaluate_coips(masked_folder, tmp_path / "none.safetensors", recipe="coips-faz")
    with pytest.raises(UsageError, match="was trained by coips-faz"):
        evaluate_coips(masked_folder, faz_run, recipe="coips-quality")
    with pytest.raises(UsageError, match="No coips-faz model is bundled"):
        invoke(evaluate_command.command, "coips-faz", "--data", masked_folder)
    for name in ("coips-faz.safetensors", "coips-faz.json"):
        shutil.copy(faz_run.parent / name, tmp_path / name)
    with (tmp_path / "coips-faz.safetensors").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UsageError, match="their sha256 differ"):
        CoipsCard.beside(tmp_path / "coips-faz.safetensors")


def pictures_of(page):
    """Every embedded picture of a page, opened."""
    found = [base64.b64decode(text) for text in re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)]
    for picture in found:
        with Image.open(io.BytesIO(picture)) as opened:
            opened.verify()
    return found


def test_the_report_of_zones_has_its_figures_limits_and_worst_cases(masked_folder, faz_run, tmp_path):
    out = tmp_path / "report"
    found = invoke(evaluate_command.command, "coips-faz", "--data", masked_folder, "--model", faz_run, "--report", out)
    assert found.exit_code == 0
    page = (out / "report.html").read_text()
    report = EvaluationReport.model_validate_json((out / "report.json").read_text())
    assert [metric.name for metric in report.metrics if interval_text(metric) not in page] == []
    names = {metric.name for metric in report.metrics}
    assert {"FAZ Dice", "FAZ Jaccard", "FAZ missed"} <= names
    dices = [float(re.search(r"Dice (\d\.\d\d)", case.what).group(1)) for case in report.worst]
    assert dices == sorted(dices)
    assert len(dices) == 5
    assert len(pictures_of(page)) == len(report.worst) + len(report.agreements)
    assert {agreement.unit for agreement in report.agreements} <= {"mm²"}
    assert not re.findall(r'(?:src|href)="(?!data:image/png;base64,|#)', page)
    absent = [words for words in ("no like-for-like comparison", "Table 7", "began at random") if words not in page]
    assert absent == []


def test_the_report_of_grades_has_curves_and_worst_cases(graded_folder, tmp_path):
    out = tmp_path / "run"
    arguments = ("--backbone", "test_resnet", "--image-size", 64, "--batch-size", 6, "--epochs", 1, "--workers", 0)
    trained = invoke(
        train_command.command, "coips-quality", "--data", graded_folder, "--out", out, *arguments,
        "--set", "trained_layers=all",
    )  # fmt: skip
    assert trained.exit_code == 0
    found = invoke(
        evaluate_command.command, "coips-quality", "--data", graded_folder, "--model", out / "coips-quality.safetensors",
        "--report", tmp_path / "report",
    )  # fmt: skip
    assert found.exit_code == 0
    page = (tmp_path / "report" / "report.html").read_text()
    report = EvaluationReport.model_validate_json((tmp_path / "report" / "report.json").read_text())
    assert sum(sum(row) for row in report.class_curves[0].confusion) == report.metrics[0].n_images
    assert report.class_curves[0].roc
    assert len(pictures_of(page)) == len(report.class_curves) + len(report.worst)
    beside = next(row for row in report.comparisons if row.published.figure == "accuracy")
    assert beside.ours is not None
    assert beside.ours.name == "grade accuracy"
    assert beside.ours.set == "coips-quality, unseen images"


def test_too_few_images_for_figures_are_said_not_passed_over(masked_folder, faz_run, tmp_path):
    folder = shutil.copytree(masked_folder, tmp_path / "masked")
    parts = (faz_run.parent / "splits.csv").read_text().splitlines()
    unseen = [line.split(",")[0] for line in parts if ",test," in line][:3]
    write_manifest(folder, [row for row in manifest_rows(folder) if row["file"] in unseen])
    found = invoke(
        evaluate_command.command, "coips-faz", "--data", folder, "--model", faz_run, "--report", tmp_path / "report"
    )
    assert found.exit_code == 0
    assert "no figures of 3 images: a set of images that the model has not seen must hold at least 5" in found.output
    assert "There are no figures" in (tmp_path / "report" / "report.html").read_text()
