"""Agreement against published worked examples, scikit-learn and statsmodels."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from core.statistics.agreement import (
    exact_agreement,
    intraclass_correlation,
    limits_of_agreement,
    quadratic_kappa,
)

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], np.float64
)
"""Table 2 of Shrout and Fleiss 1979: six objects, four judges; their Table 4 gives .29 and .71."""


def test_quadratic_kappa_equals_the_value_worked_out_by_hand():
    # Observed disagreement 0.25 (one of four off by one), expected 1.25 from the margins: 1 - 0.25 / 1.25.
    assert quadratic_kappa(np.array([0, 1, 2, 1]), np.array([0, 1, 2, 2])) == pytest.approx(0.8)


def test_quadratic_kappa_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 3, 60)
    second = np.clip(first + rng.integers(-1, 2, 60), 0, 2)
    assert quadratic_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second, weights="quadratic"))


def test_kappa_is_not_defined_where_a_rater_never_varies():
    assert quadratic_kappa(np.array([1, 1]), np.array([0, 1])) is None
    assert quadratic_kappa(np.array([], int), np.array([], int)) is None
    assert exact_agreement(np.array([], int), np.array([], int)) is None
    assert exact_agreement(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1])) == 0.75


def test_the_limits_of_agreement_are_worked_out_by_hand():
    # Differences 1, 2, 3: mean 2, standard deviation 1.
    found = limits_of_agreement(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]))
    assert (found.bias, found.half_width) == pytest.approx((2.0, 1.96))
    assert (found.low, found.high) == pytest.approx((0.04, 3.96))
    assert limits_of_agreement(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None


def test_the_half_width_of_two_repeats_is_the_repeatability_coefficient():
    """2.77 Sw of a method against itself: what the published coefficients are compared with."""
    first, second = np.random.default_rng(2).normal(0.25, 0.02, (2, 200_000))
    assert limits_of_agreement(first, second).half_width == pytest.approx(2.77 * 0.02, rel=0.01)


def test_the_intraclass_correlations_are_those_of_shrout_and_fleiss():
    found = intraclass_correlation(SHROUT_FLEISS)
    assert round(found.agreement, 2) == 0.29
    assert round(found.consistency, 2) == 0.71


def test_the_intraclass_correlations_follow_from_the_analysis_of_variance_of_statsmodels():
    ratings = np.random.default_rng(4).normal(size=(12, 2)) + np.arange(12)[:, None] / 4 + np.array([0.0, 0.4])
    rows = [{"object": i, "rater": j, "value": ratings[i, j]} for i in range(12) for j in range(2)]
    between, raters, error = anova_lm(ols("value ~ C(object) + C(rater)", pd.DataFrame(rows)).fit())["sum_sq"] / [
        11,
        1,
        11,
    ]
    found = intraclass_correlation(ratings)
    assert found.consistency == pytest.approx((between - error) / (between + error))
    assert found.agreement == pytest.approx((between - error) / (between + error + 2 * (raters - error) / 12))


def test_a_constant_offset_lowers_agreement_and_leaves_consistency():
    areas = np.array([0.1, 0.2, 0.3, 0.4])
    found = intraclass_correlation(np.stack([areas, areas + 0.1], axis=1))
    assert found.consistency == pytest.approx(1.0)
    assert found.agreement < 0.8
    assert intraclass_correlation(np.ones((4, 2))) is None
    assert intraclass_correlation(np.ones((2, 2))) is None
