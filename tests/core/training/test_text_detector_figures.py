"""The text detector's evaluation on a folder whose truth is known, and the card that ships with its weights."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from uploads import phantom

from core.cli import main
from core.errors import UsageError
from core.intake.burned_in_text import WEIGHTS_FILE
from core.networks.text_detector import CHANNELS, DILATIONS
from core.statistics.proportions import wilson_interval
from core.training.text_detector import MIN_CONTRAST
from core.training.text_detector_card import DecisionRule, TextDetectorCard
from core.training.text_detector_figures import (
    EVERY_SOURCE,
    FALSE_HOLD,
    FOUND,
    LOOKS,
    Trial,
    burn_in_readably,
    evaluate_text_detector,
    figures_of,
)

SOURCES = {"FAZ", "OCTA500_3M", "OCTA500_6M", "ROSSA"}
LEFT_OUT = ("faz_phantoms/0.png", "octa_graded/g1.png", "octa_graded/g2.png")


@pytest.fixture(scope="module")
def card() -> TextDetectorCard:
    return TextDetectorCard.beside(WEIGHTS_FILE)


@pytest.fixture
def weights(tmp_path: Path, card: TextDetectorCard) -> Path:
    """The bundled weights with a card that leaves out three images of the drawn folder."""
    copy = tmp_path / "detector.safetensors"
    shutil.copy(WEIGHTS_FILE, copy)
    changed = card.model_copy(update={"held_out": LEFT_OUT})
    copy.with_suffix(".json").write_text(changed.model_dump_json())
    return copy


def test_the_card_describes_the_weights_beside_it_and_the_rule_in_force(card: TextDetectorCard):
    assert card.decision_rule == DecisionRule.in_force()
    assert (card.network["channels"], card.network["dilations"]) == (CHANNELS, DILATIONS)
    assert all(each.licence and each.source for each in card.data)


def test_the_card_has_both_rates_for_every_source_and_the_share_found_of_every_look(card: TextDetectorCard):
    sets = {(figure.name, figure.set): figure for figure in card.figures}
    assert set(sets) == {
        *((name, source) for name in (FALSE_HOLD, FOUND) for source in {EVERY_SOURCE, *SOURCES}),
        *((FOUND, look) for look in LOOKS),
    }
    assert sets[FALSE_HOLD, EVERY_SOURCE].n == sets[FOUND, EVERY_SOURCE].n == len(set(card.held_out))
    for name in (FALSE_HOLD, FOUND):
        assert sum(sets[name, source].n for source in SOURCES) == len(card.held_out)


def test_every_figure_of_the_card_follows_from_its_counts(card: TextDetectorCard):
    for figure in card.figures:
        rate = wilson_interval(figure.k, figure.n)
        assert all(
            math.isclose(getattr(figure, field), getattr(rate, field), abs_tol=5e-5)
            for field in ("value", "low", "high")
        ), figure


def test_the_sets_on_the_card_add_up_to_the_images_left_out(card: TextDetectorCard):
    for each in card.data:
        assert each.n_held_out == sum(key.startswith(f"{each.name}/") for key in card.held_out)
    assert sum(each.n_held_out for each in card.data) == len(card.held_out)


def test_rates_are_counted_over_all_within_source_and_by_look():
    trials = [
        Trial("a", "X", "white", is_held_clean=True, is_caption_found=True),
        Trial("b", "X", "grey", is_held_clean=False, is_caption_found=False),
        Trial("c", "Y", "white", is_held_clean=False, is_caption_found=True),
    ]
    counted = {(figure.name, figure.set): (figure.k, figure.n) for figure in figures_of(trials)}
    assert counted == {
        (FALSE_HOLD, EVERY_SOURCE): (1, 3), (FALSE_HOLD, "X"): (1, 2), (FALSE_HOLD, "Y"): (0, 1),
        (FOUND, EVERY_SOURCE): (2, 3), (FOUND, "X"): (1, 2), (FOUND, "Y"): (1, 1),
        (FOUND, "white"): (2, 2), (FOUND, "grey"): (0, 1),
    }  # fmt: skip


def test_a_caption_is_whole_readable_and_the_same_for_the_same_seed():
    pixels = phantom(2, size_px=200)
    for seed in range(12):
        look, captioned, mask = burn_in_readably(pixels, [None], np.random.default_rng(seed))
        again = burn_in_readably(pixels, [None], np.random.default_rng(seed))
        assert look == again[0]
        assert np.array_equal(captioned, again[1])
        assert np.abs(captioned[mask].astype(int) - pixels[mask]).mean() >= MIN_CONTRAST
        assert not (mask[:, 0].any() and mask[:, -1].any())


def test_an_image_on_which_nothing_can_be_read_is_refused():
    with pytest.raises(UsageError, match="No readable caption fits an image of 12 x 12"):
        burn_in_readably(np.zeros((12, 12), np.uint8), [None], np.random.default_rng(0))


def test_the_command_evaluates_the_images_that_the_card_leaves_out(
    training_folder: Path, weights: Path, tmp_path: Path
):
    out = tmp_path / "figures.json"
    words = ["evaluate", "text-detector", "--data", training_folder, "--model", weights, "--json", out]
    run = CliRunner().invoke(main, [str(word) for word in words])
    assert run.exit_code == 0, run.output
    counted = {(row["name"], row["set"]): row["n"] for row in json.loads(out.read_text())["figures"]}
    assert counted[FALSE_HOLD, EVERY_SOURCE] == len(LEFT_OUT)
    assert (counted[FOUND, "SIM"], counted[FOUND, "FAZ"]) == (2, 1)
    assert "all sources: captions found" in run.output


def test_a_folder_without_the_images_left_out_is_refused(training_folder: Path):
    with pytest.raises(UsageError, match=r"lacks \d+ of \d+ left-out images"):
        evaluate_text_detector(training_folder)


def test_weights_that_the_card_does_not_describe_are_refused(training_folder: Path, weights: Path):
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(UsageError, match="sha256 differ"):
        evaluate_text_detector(training_folder, weights=weights)
