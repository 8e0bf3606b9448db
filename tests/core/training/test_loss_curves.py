"""The losses of a training are drawn from what it wrote down, a step that was taken twice only once."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from core.training.loss_curves import draw_log, draw_losses


def log(path: Path, rows: list[tuple[object, ...]], names: tuple[str, ...] = ("total", "large_vessels")) -> Path:
    path.write_text("\n".join(",".join(map(str, row)) for row in [("step", *names), *rows]) + "\n", encoding="utf-8")
    return path


def test_a_line_per_loss_goes_where_the_losses_went(tmp_path: Path) -> None:
    axis = Figure().subplots()
    draw_log(axis, log(tmp_path / "losses.csv", [(step, 2 - step / 100, 1) for step in range(100)]))
    first, second = axis.lines
    assert [line.get_label() for line in axis.lines] == ["total", "large vessels"]
    assert len(first.get_xdata()) == 50
    assert first.get_ydata()[0] == pytest.approx(1.995)
    assert np.all(np.diff(first.get_ydata()) < 0)
    assert set(second.get_ydata()) == {1}


def test_of_a_step_that_was_taken_again_the_last_line_counts_and_half_a_line_is_none(tmp_path: Path) -> None:
    axis = Figure().subplots()
    draw_log(axis, log(tmp_path / "losses.csv", [(0, 3, 1), (1, 9, 1), (1, 2, 1), (2, 1, 1), (3,)]))
    assert list(axis.lines[0].get_ydata()) == [3, 2, 1]


def test_there_is_a_panel_for_every_log_that_there_is(tmp_path: Path) -> None:
    one = log(tmp_path / "a.csv", [(0, 1, 1), (1, 0.5, 1)])
    widths = []
    for logs in (
        {"Network": one},
        {"Network": one, "Second look": one},
        {"Network": one, "Second look": tmp_path / "no"},
    ):
        draw_losses(logs, tmp_path / "curves.png")
        with Image.open(tmp_path / "curves.png") as picture:
            widths.append(picture.width)
    assert widths[1] == 2 * widths[0] == 2 * widths[2]


def test_without_a_log_there_is_no_picture(tmp_path: Path) -> None:
    draw_losses({"Network": tmp_path / "no"}, tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
