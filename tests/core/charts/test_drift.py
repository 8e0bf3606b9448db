"""Distributions before and now: shares of each side's own, and a row per device in the download."""

from collections import Counter

import pytest

from core.charts.dictionaries import DRIFT_COLUMNS, INDEX_COLUMNS, SCORE_COLUMNS
from core.charts.drift import draw_indices, draw_scores, drift_rows, index_rows, score_rows
from core.store.histogram import DeviceHistograms, Histograms
from core.usecases.watch_inputs import DeviceDrift, index_drift, score_drift

BEFORE = Histograms(Counter({0: 60, 1: 20}), Counter({("SSI", 70.0): 40}))
NOW = Histograms(Counter({0: 10, 9: 30}), Counter({("SSI", 55.0): 30, ("SSI", 70.0): 10}), abstained=4)


def test_shares_are_of_each_side_s_own_scans() -> None:
    rows = score_rows(BEFORE, NOW)
    assert sum(float(str(row["share"])) for row in rows) == pytest.approx(2.0)
    assert {row["share"] for row in rows if row["from"] == 0.9} == {0.0, 0.75}
    assert sum(float(str(row["share"])) for row in index_rows(BEFORE, NOW)) == pytest.approx(2.0)


def test_several_indices_are_not_drawn_upon_each_other() -> None:
    mixed = Histograms(indices=Counter({("SSI", 70.0): 1, ("SS", 7.0): 1}))
    assert index_rows(mixed, mixed) == []


def test_the_downloads_are_explained_and_the_charts_sound() -> None:
    device = DeviceHistograms(1, "ALDER-2", "ALDER", "Angio 3", BEFORE, NOW)
    rows = drift_rows([DeviceDrift(device, score_drift(BEFORE, NOW), index_drift(BEFORE, NOW))])
    assert set(rows[0]) <= set(DRIFT_COLUMNS)
    assert rows[0]["abstained_now"] == pytest.approx(0.1)
    assert set(score_rows(BEFORE, NOW)[0]) == set(SCORE_COLUMNS)
    assert set(index_rows(BEFORE, NOW)[0]) == set(INDEX_COLUMNS)
    for chart in (draw_scores(BEFORE, NOW), draw_indices(BEFORE, NOW)):
        assert chart.to_dict()["$schema"]
