"""A card is shown as far as it can be read, whatever its lane and age, with the published figures it answers to."""

import json

import pytest

from core.scoring.card_view import view_card
from core.scoring.published import difference_of
from core.scoring.registry import BUNDLED_FOLDER, weights_path
from core.vocabulary import ScanKind

BUNDLED = [kind for kind in ScanKind if weights_path(kind).is_file()]


@pytest.mark.parametrize("kind", BUNDLED)
def test_every_bundled_card_is_shown_whole(kind: ScanKind) -> None:
    card = json.loads((BUNDLED_FOLDER / f"{kind.value}.json").read_text("utf-8"))
    view = view_card(card)
    assert view.intended_use == card["intended_use"]
    assert len(view.metrics) == len(card["metrics"]) > 0
    assert [each.name for each in view.data] == [each["name"] for each in card["data"]]
    assert list(view.known_failures) == card["known_failures"]
    for each in view.compared:
        assert each.ours in view.metrics
        assert difference_of(each.published.task)


def test_parts_that_cannot_be_read_are_left_out_and_the_others_are_shown() -> None:
    good = {"name": "grade accuracy", "set": "octa_graded, 5-fold", "value": 0.8, "low": 0.7, "high": 0.9,
            "n_images": 10, "n_subjects": 9}  # fmt: skip
    view = view_card({"metrics": [good, {"name": "half"}], "data": "none", "split": 7, "known_failures": ["a", 1]})
    assert [each.name for each in view.metrics] == ["grade accuracy"]
    assert (view.data, view.split, view.known_failures, view.calibration) == ((), "", ("a",), None)
    assert {each.published.figure for each in view.compared} == {"accuracy"}
    assert view_card({}).compared == ()


def test_a_b_scan_card_stands_beside_every_network_of_its_paper() -> None:
    view = view_card(json.loads((BUNDLED_FOLDER / "bscan.json").read_text("utf-8")))
    by_figure = {(each.published.task, each.published.figure): each.ours for each in view.compared}
    for name in (("B-scan class", "accuracy"), ("B-scan class", "drusen: AUC"), ("B-scan lesion", "Dice")):
        ours = by_figure[name]
        assert ours is not None
        assert ours.set == "test part, octaudit phantoms"
        assert ours.name == name[1]
    assert {"VGG16", "CM-CNN", "PSPNet + CAM", "CAM-UNet"} <= {each.published.system for each in view.compared}


def test_a_card_of_another_lane_gets_no_figures_of_b_scans() -> None:
    other = {"name": "accuracy", "set": "s", "value": 0.8, "low": 0.7, "high": 0.9, "n_images": 10, "n_subjects": 9,
             "topic": "Grade"}  # fmt: skip
    assert view_card({"metrics": [other]}).compared == ()
