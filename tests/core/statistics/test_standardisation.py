"""Standardised rates undo a hard case mix, and only that."""

import numpy as np
import pytest

from core.statistics.clustering import INDEPENDENT, ClusteredCount, DesignEffect
from core.statistics.proportions import wilson_interval
from core.statistics.standardisation import NOTHING_EXPECTED, CaseMix, standardise, usual_standard
from core.values import NotComputable


def unit(**strata):
    k, n = (sum(each[place] for each in strata.values()) for place in (0, 1))
    return CaseMix(ClusteredCount.independent(k, n), strata)


STANDARD = {"easy": (100, 1000), "hard": (500, 1000)}


def test_it_is_worked_out_by_hand():
    found = standardise([unit(easy=(20, 100), hard=(60, 100))], standard=STANDARD, design=INDEPENDENT)[0]
    assert found.expected == pytest.approx(60)
    assert (found.observed, found.ratio) == (80, pytest.approx(80 / 60))
    assert found.value == pytest.approx(0.3 * 80 / 60)


def test_a_site_with_hard_cases_only_is_not_a_bad_site():
    hard, easy = standardise([unit(hard=(50, 100)), unit(easy=(10, 100))], standard=STANDARD, design=INDEPENDENT)
    assert hard.value == pytest.approx(easy.value)
    assert hard.p_value == pytest.approx(1.0, abs=0.05)


def test_with_one_stratum_the_interval_is_wilsons():
    found = standardise([unit(all=(30, 80))], standard={"all": (300, 800)}, design=INDEPENDENT)[0]
    wilson = wilson_interval(30, 80)
    assert (found.low, found.value, found.high) == pytest.approx((wilson.low, wilson.value, wilson.high))


def test_clustering_widens_the_interval():
    mixed = CaseMix(ClusteredCount.of_clusters([3] * 20, [6] * 20), {"easy": (10, 60), "hard": (50, 60)})
    plain, wide = (
        standardise([mixed], standard=STANDARD, design=d)[0] for d in (INDEPENDENT, DesignEffect(0.5, 9, 99))
    )
    assert wide.low < plain.low < plain.value < plain.high < wide.high
    assert wide.p_value > plain.p_value


def test_all_units_together_are_the_standard_unless_one_is_given():
    found = standardise([unit(easy=(5, 50), hard=(10, 20)), unit(easy=(15, 50), hard=(10, 20))])
    assert [rate.expected for rate in found] == [20.0, 20.0]
    assert [rate.value for rate in found] == pytest.approx([15 / 20 * 40 / 140, 25 / 20 * 40 / 140])


@pytest.mark.parametrize(("k", "bound"), [(0, "low_ratio"), (50, "high_ratio")])
def test_none_and_all_have_a_bound_on_the_other_side(k, bound):
    found = standardise([unit(easy=(k, 50))], standard=STANDARD, design=INDEPENDENT)[0]
    assert getattr(found, bound) == found.ratio
    assert found.low_ratio < found.high_ratio


def test_a_stratum_where_nothing_ever_fails_does_not_break_the_interval():
    found = standardise([unit(never=(0, 50), hard=(30, 50))], standard={**STANDARD, "never": (0, 900)})[0]
    assert found.low < found.value < found.high


def test_what_cannot_be_standardised_says_why():
    nothing, strange, spotless = standardise(
        [unit(), unit(new=(1, 2)), unit(never=(0, 9))], standard={**STANDARD, "never": (0, 9)}
    )
    assert nothing == NotComputable("nothing counted yet")
    assert strange == NotComputable("the standard holds no case like new")
    assert spotless == NOTHING_EXPECTED
    assert standardise([]) == ()


def test_strata_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="strata add up to 1 of 2"):
        CaseMix(ClusteredCount.independent(1, 3), {"easy": (1, 2)})


def test_intervals_cover_a_common_odds_ratio_as_often_as_they_say():
    rng = np.random.default_rng(5)
    odds = np.array([0.1 / 0.9, 0.5 / 0.5]) * 1.8
    rates = odds / (1 + odds)
    truth = 0.3 * (rates @ [60, 40]) / (0.1 * 60 + 0.5 * 40)
    units = [
        unit(easy=(int(easy), 60), hard=(int(hard), 40)) for easy, hard in rng.binomial([60, 40], rates, size=(800, 2))
    ]
    found = standardise(units, standard=STANDARD, design=INDEPENDENT)
    assert np.mean([rate.low <= truth <= rate.high for rate in found]) == pytest.approx(0.95, abs=0.02)


def test_a_bad_unit_has_no_say_in_what_is_usual_and_one_with_hard_cases_has():
    usual = [unit(easy=(10, 100)) for _ in range(8)] + [unit(easy=(1, 10), hard=(50, 100)) for _ in range(4)]
    standard, left_out = usual_standard([*usual, unit(easy=(60, 100))], design=INDEPENDENT)
    assert left_out == (12,)
    assert standard == {"easy": (84, 840), "hard": (200, 400)}
    assert usual_standard([], design=INDEPENDENT) == ({}, ())


def test_a_unit_that_alone_holds_a_kind_of_case_stays_in_the_standard():
    units = [unit(easy=(10, 100)) for _ in range(8)] + [unit(easy=(60, 100), rare=(1, 40))]
    standard, left_out = usual_standard(units, design=INDEPENDENT)
    assert left_out == ()
    assert standard["rare"] == (1, 40)


def test_healthy_units_with_any_mix_are_seldom_left_out():
    rng = np.random.default_rng(9)
    n_left = 0
    for _ in range(60):
        sizes = rng.integers(10, 120, size=(30, 2))
        poor = rng.binomial(sizes, [0.1, 0.5])
        units = [
            unit(easy=(int(p[0]), int(n[0])), hard=(int(p[1]), int(n[1]))) for p, n in zip(poor, sizes, strict=True)
        ]
        n_left += len(usual_standard(units, design=INDEPENDENT)[1])
    assert n_left / (60 * 30) < 0.005
