"""What is said of masks: how much of a normal scan they cover, and which drawn lesions they meet; by source."""

import numpy as np
import pytest

from core.training.bscan.judge import JudgedBscan, figures, share_met

CLASSES = ("normal", "drusen")
SIDE = 20


def scan(source: str, number: int, predicted: np.ndarray, truth: np.ndarray | None) -> JudgedBscan:
    is_ill = truth is None or bool(truth.any())
    possible = np.array([not is_ill, is_ill])
    return JudgedBscan(f"{source}-{number}", source, possible.astype(float), possible, predicted, truth, 0.25)


def box(*sides: int) -> np.ndarray:
    top, bottom, left, right = sides
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


NOTHING, QUARTER = box(0, 0, 0, 0), box(0, 10, 0, 10)
LESION = box(2, 6, 2, 6)


def value(judged: list[JudgedBscan], name: str, of: str) -> float:
    (found,) = [m for m in figures(judged, CLASSES, "test part") if m.name == name and m.set == f"test part, {of}"]
    return found.value


def test_what_is_marked_on_normal_scans_is_said_of_the_picture_and_of_the_retina() -> None:
    judged = [scan("clinic", number, QUARTER, NOTHING) for number in range(6)]
    assert value(judged, "marked area on normal scans, whatever their class", "clinic") == 0.25
    assert value(judged, "marked area on normal scans, as shown", "clinic") == 0
    assert value(judged, "marked area over the retina's, normal scans", "clinic") == 1


def test_real_sources_too_small_for_figures_of_their_own_have_them_together() -> None:
    real = [scan(source, number, NOTHING, NOTHING) for source in ("one", "other") for number in range(3)]
    simulated = [scan("simulated lesions in one", number, QUARTER, NOTHING) for number in range(9)]
    assert value([*real, *simulated], "marked area over the retina's, normal scans", "all real sources") == 0
    assert not [m for m in figures(real, CLASSES, "test part") if m.set == "test part, one" and "marked" in m.name]


def test_figures_of_one_real_source_are_not_said_twice() -> None:
    judged = [scan("clinic", number, LESION, LESION) for number in range(6)]
    assert not [metric for metric in figures(judged, CLASSES, "test part") if "all real" in metric.set]


@pytest.mark.parametrize(
    ("predicted", "share"),
    [(LESION, 0.5), (NOTHING, 0), (QUARTER, 0.5), (box(2, 3, 2, 5), 0), (box(0, 20, 0, 20), 1)],
)
def test_a_drawn_lesion_is_met_where_a_fifth_of_it_is_covered(predicted: np.ndarray, share: float) -> None:
    both = LESION | box(12, 16, 12, 16)
    assert share_met(scan("clinic", 0, predicted, both)) == share
