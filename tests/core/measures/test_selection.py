"""The first set is good and varied; agreement of levels is the Jaccard of their classes; low agreement comes first."""

import numpy as np
import pytest

from core.measures.selection import (
    NOTHING_FOUND,
    Choice,
    SelectionRule,
    first_set,
    lacks_training,
    level_agreement,
    most_wanted,
)
from core.values import ImageIndices, Measured, NotComputable

NONE = NotComputable("no deep-supervision head")


def indices(blurriness: float, psnr_inverse: float, cov: float = 10.0, mean: float = 50.0) -> ImageIndices:
    return ImageIndices(Measured(blurriness), Measured(psnr_inverse), Measured(cov), Measured(mean), NONE)


def choices(*given: ImageIndices, rule: SelectionRule | None = None, sets: str = "") -> list[Choice]:
    names = list(sets) or [""] * len(given)
    return [place.choice for place in first_set(given, names, rule or SelectionRule())]


def test_blurred_and_noisy_images_are_left_and_duplicates_name_the_one_they_resemble() -> None:
    given = [indices(1, 1), indices(1.1, 1, cov=10.5), indices(1.1, 1.1, mean=90), indices(9, 1), indices(1, 9)]
    places = first_set(given, [""] * 5, SelectionRule())
    assert [place.choice for place in places] == [
        Choice.CHOSEN, Choice.DUPLICATE, Choice.CHOSEN, Choice.LOWER_QUALITY, Choice.LOWER_QUALITY,
    ]  # fmt: skip
    assert (places[0].order, places[2].order, places[1].like) == (1, 2, 0)


def test_a_full_set_spans_what_there_is_before_it_fills_the_gaps() -> None:
    given = [indices(1 + n / 100, 1, mean=10.0 * n) for n in range(10)] + [indices(50, 50)]
    places = first_set(given, [""] * 11, SelectionRule(max_initial=3))
    taken = [number for number, place in enumerate(places) if place.choice is Choice.CHOSEN]
    assert taken == [0, 4, 9]  # the best, the farthest from it, and one between the two
    assert [place.choice for place in places].count(Choice.BEYOND_LIMIT) == 7


def test_where_no_image_is_better_than_average_on_both_the_threshold_rises_until_enough_are() -> None:
    given = [indices(1, 9, mean=10.0 * n) for n in range(5)] + [indices(9, 1, mean=10.0 * n) for n in range(5)]
    found = choices(*given, rule=SelectionRule(min_candidates_share=0.2))
    assert found.count(Choice.CHOSEN) >= 2


def test_every_device_has_a_first_set_of_its_own_and_an_image_without_indices_is_in_none() -> None:
    flat = ImageIndices(NotComputable("the image is flat"), Measured(0), Measured(0), Measured(9), NONE)
    found = choices(indices(1, 1), indices(90, 90), indices(95, 95), flat, sets="abab")
    assert found == [Choice.CHOSEN, Choice.CHOSEN, Choice.LOWER_QUALITY, Choice.NOT_MEASURED]


def test_agreement_is_the_mean_jaccard_of_the_classes_that_either_level_finds() -> None:
    third = np.array([[0, 1, 1, 2]], np.uint8)
    fourth = np.array([[0, 0, 1, 3]], np.uint8)
    assert level_agreement(third, third) == Measured(1.0)
    assert level_agreement(third, fourth) == Measured(pytest.approx((0.5 + 0 + 0) / 3))


def test_two_levels_that_find_nothing_neither_agree_nor_lack_training() -> None:
    nothing = np.zeros((4, 4), np.uint8)
    assert level_agreement(nothing, nothing) == NOTHING_FOUND
    assert not lacks_training(NOTHING_FOUND, q0=1.0)
    with pytest.raises(ValueError, match="resize one first"):
        level_agreement(nothing, np.zeros((2, 4), np.uint8))


def test_the_least_agreed_upon_come_first_and_those_above_the_threshold_not_at_all() -> None:
    qs = [Measured(0.9), Measured(0.5), NOTHING_FOUND, Measured(0.1), Measured(0.7)]
    assert most_wanted(qs, SelectionRule(q0=0.8)) == [3, 1, 4]
    assert most_wanted(qs, SelectionRule(q0=0.8), limit=1) == [3]
