"""Intervals hold the truth as often as they claim, and know that images of one group are not independent."""

import numpy as np
import pytest

from core.statistics import resampling
from core.statistics.resampling import bootstrap, bootstrap_by_subject, share_interval


def mean_of(values):
    return lambda index: float(values[index].mean())


def names(count):
    return [str(index) for index in range(count)]


def test_an_interval_over_few_subjects_is_wider_than_over_many():
    values = np.tile([0.0, 1.0], 50)
    many = bootstrap_by_subject(mean_of(values), names(100))
    few = bootstrap_by_subject(mean_of(values), [f"{index % 2} {index // 20}" for index in range(100)])
    assert few.high - few.low > 2 * (many.high - many.low)
    assert many.low < many.value < many.high


def test_copies_of_the_same_images_do_not_narrow_the_interval():
    values = np.random.default_rng(3).normal(size=30)
    alone = bootstrap_by_subject(mean_of(values), names(30))
    copied = bootstrap_by_subject(mean_of(np.repeat(values, 4)), [name for name in names(30) for _ in range(4)])
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=1e-9)


def test_figures_of_one_call_come_from_the_same_resamples():
    values = np.random.default_rng(3).normal(size=20)
    found = bootstrap(lambda i: {"mean": values[i].mean(), "minus": -values[i].mean(), "none": None}, names(20))
    assert found["mean"].low == pytest.approx(-found["minus"].high)
    assert "none" not in found
    assert bootstrap(lambda i: {"mean": values[i].mean()}, []) == {}


def test_a_figure_that_most_resamples_do_not_allow_is_not_reported():
    is_rare = np.arange(30) == 0
    assert bootstrap_by_subject(lambda index: 1.0 if is_rare[index].sum() > 1 else None, names(30)) is None


@pytest.mark.parametrize("n_subjects", [10, 30])
def test_the_interval_of_a_mean_holds_the_truth_as_often_as_it_says(monkeypatch, n_subjects):
    """300 samples of subjects with three correlated images each; the error of the share itself is 1.3 points."""
    monkeypatch.setattr(resampling, "N_RESAMPLES", 200)
    rng = np.random.default_rng(11)
    groups = [name for name in names(n_subjects) for _ in range(3)]
    held = 0
    for _ in range(300):
        values = np.repeat(rng.normal(size=n_subjects), 3) + 0.3 * rng.normal(size=3 * n_subjects)
        found = bootstrap_by_subject(mean_of(values), groups)
        held += found.low <= 0 <= found.high
    assert 0.91 <= held / 300 <= 0.985


def test_the_interval_of_resampled_images_would_not_hold_it(monkeypatch):
    """The same samples with every image taken for a subject: the mistake that the groups are there to prevent."""
    monkeypatch.setattr(resampling, "N_RESAMPLES", 200)
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(150):
        values = np.repeat(rng.normal(size=30), 3) + 0.3 * rng.normal(size=90)
        found = bootstrap_by_subject(mean_of(values), names(90))
        held += found.low <= 0 <= found.high
    assert held / 150 < 0.88


def test_all_of_twelve_is_no_certainty():
    # Clopper-Pearson for 12 of 12: the lower bound solves p^12 = 0.025.
    found = share_interval(np.ones(12, bool), names(12))
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 12))


def test_all_right_of_one_subject_says_next_to_nothing():
    found = share_interval(np.ones(12, bool), ["one"] * 12)
    assert found.low == pytest.approx(0.025)


def test_a_share_of_independent_images_has_the_exact_interval():
    found = share_interval(np.arange(20) < 7, names(20))
    assert (found.low, found.high) == pytest.approx((0.15391, 0.59219), abs=1e-5)  # Clopper-Pearson, 7 of 20
    assert share_interval(np.array([], bool), []) is None


def test_a_shares_interval_is_that_of_the_plain_bootstrap():
    rng = np.random.default_rng(5)
    hits, groups = rng.random(97) < 0.6, [str(group) for group in rng.integers(0, 13, 97)]
    assert share_interval(hits, groups) == bootstrap_by_subject(mean_of(hits.astype(float)), groups)
