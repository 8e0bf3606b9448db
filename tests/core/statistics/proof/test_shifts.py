"""A small version of the drift's proof; the full one is in docs/statistics.md."""

import pytest

from core.statistics.proof.shifts import drifts


@pytest.fixture(scope="module")
def rows():
    return {(row["n_scans"], row["shift_sd"]): row for row in drifts(25, seed=2)}


def flagged(row):
    return row["moderate_percent"] + row["major_percent"]


@pytest.mark.parametrize("n_scans", [40, 200, 1000])
def test_without_a_shift_next_to_nobody_is_flagged(rows, n_scans):
    assert flagged(rows[n_scans, 0.0]) <= 8


def test_a_large_shift_is_found_and_more_scans_find_a_smaller_one(rows):
    assert flagged(rows[200, 0.6]) == 100
    assert rows[1000, 0.6]["major_percent"] == 100
    assert flagged(rows[40, 0.3]) < flagged(rows[1000, 0.3]) == 100
