"""The report of a layer model: confusion of pixels, outline and thickness of the retina, worst B-scans first."""

import re

import numpy as np
import pytest
from click.testing import CliRunner

from core.commands.evaluate import command
from core.statistics import resampling
from core.training.evaluation.figures import interval_text
from core.training.evaluation.report import EvaluationReport
from core.training.layers.report import mean_thickness_px


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "N_RESAMPLES", 20)


def test_the_page_shows_every_figure_and_picture(layer_folder, layer_run, tmp_path):
    arguments = ["layers", "--data", layer_folder, "--model", layer_run.weights, "--report", tmp_path]
    done = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    page = (tmp_path / "report.html").read_text()
    report = EvaluationReport.model_validate_json((tmp_path / "report.json").read_text())
    assert [metric.name for metric in report.metrics if interval_text(metric) not in page] == []
    assert {"retinal thickness bias", "IoU of the whole retina"} <= {metric.name for metric in report.metrics}
    assert sum(map(sum, report.class_curves[0].confusion)) % (96 * 96) == 0, "every pixel of every image counts"
    n_pictures = len(report.class_curves) + len(report.agreements) + len(report.worst)
    assert len(re.findall("data:image/png;base64,", page)) == n_pictures
    dices = [float(case.what[-4:]) for case in report.worst]
    assert dices == sorted(dices)
    assert "ILM-RNFL turquoise" in page
    assert {row.published.task for row in report.comparisons} >= {"whole retina"}


def test_thickness_is_the_mean_over_the_columns_that_show_a_retina():
    labels = np.zeros((20, 4), np.uint8)
    labels[5:10, 0], labels[5:12, 1] = 3, 1
    assert mean_thickness_px(labels) == pytest.approx(6.0)
    assert mean_thickness_px(np.zeros((4, 4), np.uint8)) == 0
