"""What was asked of a model: met and missed by the figure itself, and the same words in terminal and documentation."""

import json
from pathlib import Path

import pytest

from core.scoring.card import ModelCard
from core.scoring.registry import weights_path
from core.training.evaluation.asked import ASKED, LEAST_SCANS_PER_S, Asked, asked_rows, asked_table, speed_row
from core.vocabulary import ScanKind

EXPERIMENTS = Path(__file__).parents[4] / "docs" / "experiments.md"


@pytest.fixture(scope="module")
def metrics():
    return ModelCard.beside(weights_path(ScanKind.OCTA_ENFACE)).metrics


def test_every_figure_that_is_asked_for_is_on_the_card(metrics):
    assert [row[0] for row in asked_rows(metrics)] == [asked.words for asked in ASKED]


@pytest.mark.parametrize(
    ("limits", "value", "is_met"),
    [
        ({"least": 0.9}, 0.9, True),
        ({"least": 0.9}, 0.899, False),
        ({"most": 0.1}, 0.1, True),
        ({"most": 0.1}, 0.2, False),
    ],
)
def test_the_limit_itself_is_enough_and_less_is_a_miss(limits, value, is_met):
    assert Asked("a", "b", "c", **limits).is_met(value) is is_met


def test_the_documentation_shows_the_cards_figures(metrics):
    shown = (
        EXPERIMENTS.read_text(encoding="utf-8").split("<!-- table: asked -->\n")[1].split("<!-- end of table -->")[0]
    )
    measured = EXPERIMENTS.parent / "figures" / "scoring.json"
    speed = json.loads(measured.read_text(encoding="utf-8")) if measured.is_file() else None
    assert shown.strip() == asked_table(metrics, speed)


@pytest.mark.parametrize(("beyond", "met"), [(0.0, "yes"), (-0.1, "**no**")])
def test_the_speed_is_met_from_its_limit_on(beyond, met):
    record = {"pipeline_scans_per_s": LEAST_SCANS_PER_S + beyond, "size_px": 304, "n_cores": 2, "load_average": 1.5}
    words, limit, reached, answer = speed_row(record)
    assert answer == met
    assert "304" in words
    assert limit == "at least 12 scans/s"
    assert reached.endswith("on 2 cores, load average 1.5")
