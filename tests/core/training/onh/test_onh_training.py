"""ONH training on phantoms: learns, goes on after a cut, writes an honest card, compares joint with single task."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from labelled_folders import manifest_rows, write_manifest
from PIL import Image
from safetensors.torch import load_file, save_file

from core.commands import evaluate as evaluate_command
from core.errors import UsageError
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.onh_input import FOUR_GRADES, Grouping
from core.scoring.onh_card import OnhCard
from core.scoring.torch_backend.onh_enface import OnhEnfaceScorer
from core.statistics import resampling
from core.training.evaluation.figures import interval_text
from core.training.evaluation.report import EvaluationReport
from core.training.onh.compare import Pair, compare_tasks, comparison_lines, name_of, write_comparison
from core.training.onh.evaluate import evaluate_onh
from core.training.onh.figures import OnhJudged, coarser, fitted_temperature, onh_figures
from core.training.onh.folder import read_onh_folder
from core.training.onh.recipe import onh_recipe
from core.training.onh.run import train_onh
from core.training.onh.table import table_1
from core.training.onh.task import mask_loss
from core.training.supervised.fit import Machine
from core.training.supervised.record import ManifestError
from core.training.supervised.run import Request

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "N_RESAMPLES", 20)


@pytest.fixture(scope="module")
def run(onh_folder, tiny_recipe, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "N_RESAMPLES", 20)
        return train_onh(Request(tiny_recipe, onh_folder, tmp_path_factory.mktemp("runs") / "onh"))


def test_a_run_leaves_weights_card_parts_metrics_and_curves_and_learns(run):
    folder = run.weights.parent
    assert {"onh-enface.safetensors", "onh-enface.json", "splits.csv", "metrics.csv", "curves.png"} <= {
        path.name for path in folder.iterdir()
    }
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert {"accuracy", "quadratic_kappa", "dice_onh", "dice_shallow", "dice_dark", "dice_motion"} <= rows[0].keys()


def test_weights_are_stored_in_half_precision(run):
    kinds = {value.dtype for value in load_file(run.weights).values()}
    assert kinds == {torch.float16, torch.int64}


def test_the_card_says_that_no_real_scan_was_seen_and_has_no_calibration(run):
    card = OnhCard.beside(run.weights)
    assert card.known_failures[0].startswith("It has seen no real scan.")
    assert card.calibration is None
    assert "--set architecture" not in card.commands[0]
    assert "--set encoder_channels=8,16,24,32" in card.commands[0]
    names = {metric.set for metric in card.metrics}
    assert any(name.endswith("grades 0|1|2|3") for name in names)


def test_a_training_that_was_cut_ends_in_the_same_weights(onh_folder, tiny_recipe, run, tmp_path):
    class Cut(Exception):  # noqa: N818 - no error, a cut
        pass

    def cut_in_the_second_epoch(progress):
        if progress.stage == "Training" and "epoch 2" in progress.caption:
            raise Cut

    request = Request(tiny_recipe, onh_folder, tmp_path / "cut")
    with pytest.raises(Cut):
        train_onh(request, cut_in_the_second_epoch)
    again = train_onh(Request(tiny_recipe, onh_folder, tmp_path / "cut", resume=True))
    first, second = load_file(run.weights), load_file(again.weights)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_scorer_scores_a_batch_and_names_what_it_cannot(run):
    scorer = OnhEnfaceScorer.load(run.weights, run.card, CPU)
    rng = np.random.default_rng(2)
    images = [
        rng.integers(0, 200, (90, 70), dtype=np.uint8),
        np.zeros((20, 90), np.uint8),
        np.zeros((80, 80), np.uint8),
    ]
    results = scorer.score([ScanInput(str(n), image, None) for n, image in enumerate(images)])
    assert [result.key for result in results] == ["0", "1", "2"]
    assert isinstance(results[1], ScanFailure)
    assert "20" in results[1].message
    assert results[0].shape_px == (90, 70)
    assert results[0].grade.abstained
    assert results[0].model == run.card.identity


def test_a_batch_that_does_not_fit_is_halved(run, monkeypatch):
    scorer = OnhEnfaceScorer.load(run.weights, run.card, CPU)
    forward, sizes = scorer._forward, []

    def small(images):
        sizes.append(len(images))
        if len(images) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return forward(images)

    monkeypatch.setattr(scorer, "_forward", small)
    results = scorer.score([ScanInput(str(n), np.full((64, 64), 60, np.uint8), None) for n in range(4)])
    assert sizes[0] == 4
    assert not any(isinstance(result, ScanFailure) for result in results)


@pytest.mark.parametrize("changes", [{"grouping": "012|3"}, {"network": {"architecture": "classifier"}}])
def test_a_model_without_all_grades_or_masks_is_not_put_to_scoring(run, changes):
    with pytest.raises(UsageError, match="scans are scored with all four grades and with masks"):
        OnhEnfaceScorer.load(run.weights, run.card.model_copy(update=changes), CPU)


def test_training_can_begin_with_an_encoder_of_photographs(onh_folder, tiny_recipe, run, tmp_path):
    encoder = {n: v.float() for n, v in load_file(run.weights).items() if n.startswith("encoder.")}
    save_file(encoder, tmp_path / "encoder.safetensors")
    request = Request(
        tiny_recipe.changed({"epochs": 1}), onh_folder, tmp_path / "out", init=tmp_path / "encoder.safetensors"
    )
    assert train_onh(request).card.init_sha256 is not None


def test_evaluation_leaves_out_what_was_trained_with_and_prints_table_1(onh_folder, run, monkeypatch):
    found = evaluate_onh(onh_folder, str(run.weights), device="cpu").found
    with (run.weights.parent / "splits.csv").open(newline="") as file:
        test_rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
    assert found.n_images == len(test_rows)
    assert found.n_left_out == 48 - len(test_rows)
    published = {(row.grouping, row.system): row.published for row in found.table if row.published}
    assert published["0|1|2|3", "FPN + ResNeXt-101"] == pytest.approx(0.938)
    assert published["012|3", "EfficientNet-B0"] == pytest.approx(0.961)
    assert {row.grouping for row in found.table if row.ours} <= {grouping.name for grouping in Grouping.every()}
    assert table_1(found).row_count == 4 + 7


def test_the_report_has_curves_the_nerve_heads_area_and_worst_cases(onh_folder, run, tmp_path):
    arguments = ["onh-enface", "--data", onh_folder, "--model", run.weights, "--report", tmp_path]
    found = CliRunner().invoke(evaluate_command.command, [str(each) for each in arguments], catch_exceptions=False)
    assert found.exit_code == 0
    page = (tmp_path / "report.html").read_text()
    report = EvaluationReport.model_validate_json((tmp_path / "report.json").read_text())
    n_images = next(metric.n_images for metric in report.metrics if metric.name == "grade accuracy")
    assert report.class_curves[0].labels == ("grade 0", "grade 1", "grade 2", "grade 3")
    assert all(sum(map(sum, curves.confusion)) == n_images for curves in report.class_curves)
    assert len(page.split("data:image/png;base64,")) - 1 == len(report.class_curves) + len(report.agreements) + len(
        report.worst
    )
    assert {case.topic for case in report.worst} == {"Grade", "Artifact masks on phantoms"}
    assert [metric.name for metric in report.metrics if interval_text(metric) not in page] == []
    ours = {row.published.our_set: row.ours for row in report.comparisons}
    assert ours["012|3"] is not None
    assert "1,291 images" in page


def test_joint_and_single_task_are_compared_over_seeds_on_the_same_images(onh_folder, tiny_recipe, tmp_path):
    pair = Pair.same_encoder(tiny_recipe.changed({"epochs": 1}))
    found = compare_tasks(pair, onh_folder, tmp_path, seeds=(1, 2), machine=Machine(CPU))
    assert [one.grouping for one in found] == [grouping.name for grouping in coarser(FOUR_GRADES)]
    first = found[0]
    assert first.difference == pytest.approx(np.subtract(first.joint_f1, first.single_f1).mean(), abs=2e-4)
    assert first.over_seeds[0] <= first.difference <= first.over_seeds[1]
    assert len(comparison_lines(found)) == 1 + 7
    write_comparison(found, tmp_path / "comparison.json")
    assert json.loads((tmp_path / "comparison.json").read_text())["comparisons"][0]["verdict"] == first.verdict


def test_the_posters_pair_differs_in_encoder_and_task():
    pair = Pair.poster(onh_recipe({}))
    assert (name_of(pair.joint), name_of(pair.single)) == ("FPN + resnext101_32x8d", "efficientnet-b0")


def test_faults_of_a_folder_are_all_named(onh_folder, tmp_path):
    shutil.copytree(onh_folder.parent, tmp_path / "onh")
    folder = tmp_path / "onh" / "training"
    rows = manifest_rows(folder)
    rows[0]["grade"] = ""
    write_manifest(folder, rows)
    with pytest.raises(ManifestError, match="has no grade"):
        read_onh_folder(folder)
    rows[0]["grade"] = "7"
    write_manifest(folder, rows)
    with pytest.raises(ManifestError, match="'7' is no grade"):
        read_onh_folder(folder)
    rows[0]["grade"] = "3"
    write_manifest(folder, rows)
    Image.fromarray(np.full((64, 64), 9, np.uint8)).save(folder / rows[1]["mask"])
    with pytest.raises(ManifestError, match=r"holds the values 9.*0, 1, 2, 3, 4 only"):
        read_onh_folder(folder)


def test_settings_that_group_no_grades_are_refused():
    with pytest.raises(UsageError, match="groups no grades"):
        onh_recipe({"grouping": "0|0|1"})
    assert onh_recipe({"grouping": "012|3"}).shape.n_grades == 2


def test_a_perfect_drawing_costs_nothing_and_a_wrong_one_much():
    mask = torch.randint(0, 5, (2, 8, 8), generator=torch.Generator().manual_seed(1))
    right = torch.nn.functional.one_hot(mask, 5).movedim(-1, 1).float() * 40 - 20
    assert float(mask_loss(right, mask)) < 0.01
    assert float(mask_loss(-right, mask)) > 1


def test_figures_tell_classes_groupings_and_masks_apart():
    truth = np.repeat(np.arange(4), 10)
    logits = np.eye(4)[truth] * 6
    logits[truth == 2] = np.eye(4)[1] * 6  # every 2 is taken for a 1
    pixels = np.zeros((40, 5, 3), np.int64)
    pixels[:, 0] = 90
    pixels[:20, 3] = (6, 8, 12)
    judged = OnhJudged(FOUR_GRADES, truth, logits, pixels, tuple(str(n) for n in range(40)))
    found = {(m.set, m.name): m.value for m in onh_figures(judged, "s", 1.0)}
    assert found["s, grades 0|1|2|3", "grade accuracy"] == pytest.approx(0.75)
    assert found["s, grades 012|3", "grade F1, macro"] == pytest.approx(1.0)
    assert found["s, grades 0|1|2|3", "grade 2: F1"] == pytest.approx(0.0)
    assert found["s, grades 0|1|2|3", "grade 1: precision"] == pytest.approx(0.5)
    assert found["s, grades 0|1|2|3", "grade 1: recall"] == pytest.approx(1.0)
    assert found["s, grades 0|1|2|3", "grade 3: AUC against the rest"] == pytest.approx(1.0)
    assert found["s, with dark", "Dice"] == pytest.approx(12 / 20)
    assert found["s, with dark", "Jaccard"] == pytest.approx(6 / 14, abs=1e-4)
    assert (found["s, with dark", "precision"], found["s, with dark", "recall"]) == pytest.approx((6 / 8, 6 / 12))
    assert found["s, without dark", "area marked"] == pytest.approx(0.0)


def test_an_overconfident_network_gets_a_temperature_above_one():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 200)
    said = np.where(rng.random(200) < 0.7, truth, rng.integers(0, 4, 200))
    judged = OnhJudged(FOUR_GRADES, truth, np.eye(4)[said] * 9, None, tuple(map(str, range(200))))
    assert fitted_temperature(judged) > 1.5
