"""Effect sizes against scipy and hand-made values; what matters is flagged, what chance brings is not."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm, wasserstein_distance

from core.statistics.drift import DriftLevel, _by_chance, _plainly_chance, drift, drift_of_counts
from core.values import NotComputable

MIDDLES = np.arange(4.0)


def test_psi_is_worked_out_by_hand():
    found = drift_of_counts([5000, 5000], [2500, 7500], [0.0, 1.0])
    assert found.psi.value == pytest.approx(0.25 * np.log(2) + 0.25 * np.log(1.5), rel=1e-3)


def test_distances_are_those_of_scipy():
    before, now = np.array([40, 30, 20, 10]), np.array([10, 20, 0, 70])
    found = drift_of_counts(before, now, MIDDLES)
    assert found.jensen_shannon.value == pytest.approx(jensenshannon(before, now, base=2))
    spread = np.sqrt(before @ (MIDDLES - before @ MIDDLES / 100) ** 2 / 100)
    assert found.wasserstein.value == pytest.approx(wasserstein_distance(MIDDLES, MIDDLES, before, now) / spread)
    assert found.shift == pytest.approx((2.3 - 1.0) / spread)


def test_bins_may_come_in_any_order():
    before, now = np.array([40, 30, 20, 10]), np.array([10, 20, 0, 70])
    turned = drift_of_counts(before[::-1], now[::-1], MIDDLES[::-1])
    assert turned.wasserstein.value == pytest.approx(drift_of_counts(before, now, MIDDLES).wasserstein.value)


def test_a_shift_of_half_a_standard_deviation_is_found_and_measured():
    rng = np.random.default_rng(1)
    found = drift(rng.normal(60, 8, 4000), rng.normal(56, 8, 4000))
    assert found.wasserstein.value == pytest.approx(0.5, abs=0.06)
    assert found.shift == pytest.approx(-0.5, abs=0.06)
    # The PSI of two normal distributions half a standard deviation apart is 0.25; bins lose a little.
    assert found.psi.value == pytest.approx(0.25, abs=0.04)
    assert found.level is not DriftLevel.NONE


def test_levels_follow_the_size_of_the_shift():
    grid = norm.ppf((np.arange(5000) + 0.5) / 5000)
    levels = [drift(grid, grid + shift).level for shift in (0.0, 0.05, 0.3, 1.0)]
    assert levels == [DriftLevel.NONE, DriftLevel.NONE, DriftLevel.MODERATE, DriftLevel.MAJOR]


@pytest.mark.parametrize("n", [40, 200, 3000])
def test_without_drift_hardly_any_device_is_flagged(n):
    rng = np.random.default_rng(n)
    reference = rng.gamma(3.0, size=5000)
    levels = [drift(reference, rng.gamma(3.0, size=n)).level for _ in range(60)]
    assert sum(level is not DriftLevel.NONE for level in levels) <= 3


def test_many_scans_with_a_meaningless_difference_are_not_flagged():
    """A test's p-value would be far below 0.001 here."""
    rng = np.random.default_rng(3)
    found = drift(rng.normal(0, 1, 60_000), rng.normal(0.04, 1, 60_000))
    assert 0.02 < found.wasserstein.value < found.wasserstein.threshold
    assert found.wasserstein.by_chance is None
    assert found.level is DriftLevel.NONE


def test_a_few_scans_beyond_the_threshold_are_held_against_chance():
    rng = np.random.default_rng(4)
    found = drift(rng.normal(0, 1, 60), rng.normal(0, 1, 30))
    assert found.psi.value >= found.psi.threshold
    assert found.level is DriftLevel.NONE


@pytest.mark.parametrize(("n", "m"), [(30, 30), (200, 30), (400, 90), (2_000, 500)])
@pytest.mark.parametrize("shape", ["flat", "steep", "bell"])
def test_what_is_called_plain_chance_is_chance_to_the_draws_as_well(n, m, shape):
    places = np.arange(12)
    pooled = {"flat": np.ones(12), "steep": 0.5**places + 0.004, "bell": np.exp(-(((places - 6) / 3) ** 2))}[shape]
    rng = np.random.default_rng(n)
    before, now = (rng.multinomial(size, pooled / pooled.sum()) for size in (n, m))
    assert (_plainly_chance(before, now, places / 3.0) < _by_chance(before, now, places / 3.0)).all()


def test_what_cannot_be_compared_says_why():
    assert drift([], []) == NotComputable("fewer than 30 scans to compare (0 before, 0 now)")
    assert drift(np.ones(50), np.ones(50)) == NotComputable("all values of the reference are equal")
    assert isinstance(drift_of_counts([100, 0], [5, 5], [0, 1]), NotComputable)
    with pytest.raises(ValueError, match="cannot be compared"):
        drift_of_counts([1, 2], [1, 2, 3], [1, 2])


def test_values_that_repeat_leave_fewer_bins_and_no_error():
    found = drift(np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [10, 90]))
    assert found.level is DriftLevel.MAJOR
    assert found.shift == pytest.approx(0.8)
