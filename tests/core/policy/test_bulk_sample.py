"""How many scans of a list are looked at, which ones, and which may not be accepted unseen."""

from dataclasses import replace

import pytest

from core.policy.bulk_sample import Candidate, draw_sample, pass_probability, sample_size, why_left_out

FINE = Candidate(
    is_own_work=False, may_review=True, is_to_decide=True, model_ordinal=1, human_ordinal=None, is_stranger=False
)


@pytest.mark.parametrize(("n", "size"), [(0, 0), (1, 1), (4, 4), (5, 5), (50, 5), (51, 6), (300, 30), (500, 50)])
def test_the_sample_is_the_larger_of_five_and_a_tenth(n: int, size: int) -> None:
    assert sample_size(n) == size


def test_the_chances_of_a_bad_list_are_those_that_the_rule_states() -> None:
    assert round(1 / pass_probability(5, 1 / 3)) == 8
    assert round(1 / pass_probability(30, 0.1)) == 24


def test_a_seed_draws_the_same_scans_and_every_scan_is_drawn_by_some_seed() -> None:
    ids = list(range(100, 140))
    assert draw_sample(ids, 7) == draw_sample(list(reversed(ids)), 7)
    assert len(set(draw_sample(ids, 7))) == sample_size(len(ids))
    assert {scan_id for seed in range(200) for scan_id in draw_sample(ids, seed)} == set(ids)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"model_ordinal": 2}, ""),
        ({"model_ordinal": 0, "human_ordinal": 1}, ""),
        ({"model_ordinal": 0}, "ungradable"),
        ({"human_ordinal": 0}, "ungradable"),
        ({"model_ordinal": None}, "not scored"),
        ({"is_own_work": True}, "acquired or uploaded"),
        ({"may_review": False}, "role"),
        ({"is_to_decide": False}, "decision"),
        ({"is_stranger": True}, "no OCTA image"),
        ({"is_model_hidden": True, "model_ordinal": 0}, "calibration mode"),
    ],
)
def test_what_may_not_be_accepted_unseen_is_left_out_with_the_reason(changes: dict[str, object], why: str) -> None:
    words = why_left_out(replace(FINE, **changes))  # type: ignore[arg-type]
    assert bool(words) == bool(why)
    assert why in words
