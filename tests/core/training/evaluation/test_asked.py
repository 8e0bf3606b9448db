"""What was asked of a model: met and missed by the figure itself, and the same words in terminal and documentation."""

from pathlib import Path

import pytest

from core.scoring.card import ModelCard
from core.scoring.registry import weights_path
from core.training.evaluation.asked import ASKED, Asked, asked_rows, asked_table
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
    assert shown.strip() == asked_table(metrics)
