"""The report of a B-scan model: every figure on the page, curves, areas of lesions, worst cases first."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from core.commands.evaluate import command
from core.scoring.bscan_card import BscanCard
from core.statistics import resampling
from core.training.bscan.evaluate import EvaluatedBscans, evaluated_bscans
from core.training.bscan.judge import JudgedBscan
from core.training.bscan.recipe import BSCAN
from core.training.bscan.report import bscan_report
from core.training.bscan.run import TrainedBscan, train_bscan
from core.training.evaluation.figures import interval_text
from core.training.evaluation.report import EvaluationReport
from core.training.supervised.run import Request

TINY = {
    "image_px": 64, "epochs": 1, "encoder_channels": [8, 8, 16, 16], "decoder_channels": [16, 8, 8, 8],
    "test_share": 0.4, "validation_share": 0.2,
}  # fmt: skip


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "N_RESAMPLES", 20)


@pytest.fixture(scope="module")
def trained(bscan_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedBscan:
    return train_bscan(Request(BSCAN.changed(TINY), bscan_folder, tmp_path_factory.mktemp("run"), device="cpu"))


def test_the_page_shows_every_figure_and_picture(trained: TrainedBscan, bscan_folder: Path, tmp_path: Path) -> None:
    arguments = ["bscan", "--data", bscan_folder, "--model", trained.weights, "--report", tmp_path]
    done = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    page = (tmp_path / "report.html").read_text()
    report = EvaluationReport.model_validate_json((tmp_path / "report.json").read_text())
    assert [metric.name for metric in report.metrics if interval_text(metric) not in page] == []
    assert {"class F1, macro", "class ECE", "HD95", "lesion area bias", "Dice"} <= {m.name for m in report.metrics}
    n_pictures = len(report.class_curves) + len(report.agreements) + len(report.worst)
    assert len(re.findall("data:image/png;base64,", page)) == n_pictures
    assert {case.topic for case in report.worst} == {"Class of B-scans", "Lesions in B-scans"}
    dices = [float(case.what[-4:]) for case in report.worst if "Dice" in case.what]
    assert dices == sorted(dices)
    assert "no like-for-like comparison" in page


def test_figures_of_lesions_and_classes_follow_from_what_was_said(trained: TrainedBscan, bscan_folder: Path) -> None:
    real = evaluated_bscans(bscan_folder, str(trained.weights), device="cpu")
    truth, found = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    truth[10:20, 10:30], found[10:20, 12:32] = True, True  # moved by two pixels
    names = real.card.classes

    def judged(place: int) -> JudgedBscan:
        item = real.judged[place]
        right = np.arange(len(names)) == 1
        changes = {"group": str(place), "source": "s", "possible": right, "probabilities": right.astype(float)}
        changes |= {"truth": truth, "predicted": found}
        return type(item)(**{name: getattr(item, name) for name in item.__slots__} | changes)

    evaluated = EvaluatedBscans(
        real.found, real.card, real.recipe, real.placed[:6], [judged(place) for place in range(6)]
    )
    report = bscan_report(evaluated).report
    values = {metric.name: metric.value for metric in report.metrics if metric.set == "unseen scans, s"}
    assert values["HD95"] == pytest.approx(2.0)
    assert values["lesion area bias"] == pytest.approx(0.0)
    assert values[f"{names[1]}: F1"] == pytest.approx(1.0)
    assert isinstance(evaluated.card, BscanCard)
    assert report.class_curves[0].confusion[1][1] == 6
