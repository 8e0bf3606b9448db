"""The report of a QU-Net++ says what it reached on images it has not seen, and shows the worst of them."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.commands import evaluate, train
from core.statistics import resampling
from core.training.evaluation.figures import interval_text
from core.training.evaluation.report import EvaluationReport
from core.training.qunet.phantoms import write_stacks

SMALL = ("--set", "image_px=32", "--set", "base_channels=2", "--set", "epochs=1", "--set", "batch_size=2")


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "N_RESAMPLES", 20)


def test_the_page_shows_every_figure_and_picture(tmp_path: Path) -> None:
    folder, out, report_folder = tmp_path / "stacks", tmp_path / "out", tmp_path / "report"
    folder.mkdir()
    write_stacks(folder, n_stacks=6, n_slices=5)
    arguments = ["qunet", "--data", str(folder), "--out", str(out), "--workers", "0", *SMALL]
    assert CliRunner().invoke(train.command, arguments, catch_exceptions=False).exit_code == 0
    arguments = ["qunet", "--data", str(folder), "--model", str(out / "qunet.safetensors")]
    done = CliRunner().invoke(evaluate.command, [*arguments, "--report", str(report_folder)], catch_exceptions=False)
    assert done.exit_code == 0
    page = (report_folder / "report.html").read_text()
    report = EvaluationReport.model_validate_json((report_folder / "report.json").read_text())
    assert {"Dice", "Jaccard", "drawn area bias"} <= {metric.name for metric in report.metrics}
    assert [metric.name for metric in report.metrics if interval_text(metric) not in page] == []
    assert len(re.findall("data:image/png;base64,", page)) == len(report.agreements) + len(report.worst)
    dices = [float(case.what[5:9]) for case in report.worst]
    assert dices == sorted(dices)
    assert "Roychowdhury 2021" in page
