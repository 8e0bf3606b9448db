"""The grading plan: a draw that anybody can repeat, a fair order of people, a stated rule, and a state machine."""

import hashlib
from collections import Counter
from itertools import product

import pytest
from pydantic import ValidationError
from scipy.stats import binom

from core.errors import IllegalMoveError
from core.policy.grading_plan import (
    MOVES,
    Draw,
    GradingPlan,
    SettlingRule,
    choose_people,
    is_drawn,
    require_move,
    settled_ordinal,
)
from core.policy.protocol import Protocol
from core.vocabulary import GradingState

SCANS = range(1, 2_001)
UNANIMOUS, MAJORITY = SettlingRule


@pytest.mark.parametrize("draw", Draw)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_the_share_drawn_lies_within_binomial_limits(draw: Draw, share: float) -> None:
    n_drawn = sum(is_drawn(draw, share, 7, scan_id) for scan_id in SCANS)
    low, high = binom.interval(0.999, len(SCANS), share)
    assert low <= n_drawn <= high


def test_a_draw_is_the_same_for_ever() -> None:
    drawn = [scan_id for scan_id in range(1, 60) if is_drawn(Draw.GRADING, 0.1, 1, scan_id)]
    by_hand = [
        scan_id
        for scan_id in range(1, 60)
        if int(hashlib.sha256(f"octaudit:grading:1:{scan_id}".encode()).hexdigest()[:16], 16) < 0.1 * 2**64
    ]
    assert drawn == by_hand == [6, 49]


def test_a_larger_share_draws_the_same_scans_and_more() -> None:
    few = {scan_id for scan_id in SCANS if is_drawn(Draw.GRADING, 0.05, 1, scan_id)}
    many = {scan_id for scan_id in SCANS if is_drawn(Draw.GRADING, 0.10, 1, scan_id)}
    assert few < many


def test_none_and_all_are_exact() -> None:
    assert not any(is_drawn(Draw.GRADING, 0.0, 1, scan_id) for scan_id in SCANS)
    assert all(is_drawn(Draw.GRADING, 1.0, 1, scan_id) for scan_id in SCANS)


def test_draws_for_two_purposes_do_not_go_together() -> None:
    both = sum(is_drawn(Draw.GRADING, 0.2, 1, scan) and is_drawn(Draw.ACCEPTED_CHECK, 0.2, 1, scan) for scan in SCANS)
    low, high = binom.interval(0.999, len(SCANS), 0.2 * 0.2)
    assert low <= both <= high


def test_people_with_the_fewest_open_come_first_and_equal_ones_take_turns() -> None:
    assert choose_people({1, 2, 3}, {1: 4, 2: 0, 3: 1}, wanted=2, scan_id=9) == (2, 3)
    firsts = Counter(choose_people({1, 2, 3}, {}, wanted=1, scan_id=scan_id)[0] for scan_id in SCANS)
    low, high = binom.interval(0.999, len(SCANS), 1 / 3)
    assert all(low <= n <= high for n in firsts.values())
    assert choose_people({1}, {}, wanted=3, scan_id=9) == (1,)


@pytest.mark.parametrize(
    ("ordinals", "unanimous", "majority"),
    [
        ((1, 1, 1), 1, 1), ((1, 1, 0), None, 1), ((2, 2, 0), None, None), ((0, 1, 2), None, None),
        ((0, 0), 0, 0), ((0, 1), None, None),
    ],
)  # fmt: skip
def test_grades_settle_by_the_rule(ordinals: tuple[int, ...], unanimous: int | None, majority: int | None) -> None:
    assert settled_ordinal(UNANIMOUS, ordinals) == unanimous
    assert settled_ordinal(MAJORITY, ordinals) == majority


def test_only_the_stated_moves_are_legal() -> None:
    for now, then in product(GradingState, GradingState):
        if then in MOVES[now]:
            require_move(now, then)
        else:
            with pytest.raises(IllegalMoveError, match="cannot become"):
                require_move(now, then)


def test_every_grading_can_come_to_its_end() -> None:
    reached = {GradingState.DRAWN}
    while any(then not in reached for state in reached for then in MOVES[state]):
        reached |= {then for state in reached for then in MOVES[state]}
    assert reached == set(GradingState)
    assert MOVES[GradingState.SETTLED] == frozenset()


def test_a_protocol_stored_before_there_were_plans_has_the_default_one() -> None:
    assert Protocol.model_validate({"name": "old"}).grading == GradingPlan()


@pytest.mark.parametrize("wrong", [{"n_graders": 1}, {"n_graders": 4}, {"repeat_share": 1.1}, {"repeat_after_days": 0}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        GradingPlan(**wrong)
