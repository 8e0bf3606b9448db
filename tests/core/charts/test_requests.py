"""The charts of tracker and feedback hold exactly the figures that their downloads have."""

from datetime import date

import numpy as np
import pytest

from core.charts.dictionaries import FEEDBACK_COLUMNS, QUERY_COLUMNS, RECEIPT_COLUMNS
from core.charts.feedback import draw_trend, trend_rows
from core.charts.requests import draw_queries, draw_receipt, query_rows, receipt_rows
from core.statistics.proportions import Proportion
from core.statistics.survival import TurnAround, turn_around
from core.store.first_pass import StudyMedian
from core.usecases.follow_requests import SiteQueries
from core.usecases.give_feedback import TrendPoint

RATE = Proportion(0.1, 0.05, 0.2, 10, 100, 0.95)


@pytest.fixture
def curve() -> TurnAround:
    found = turn_around([1.0, 2.0, 3.0, 4.0], [True, True, False, True])
    assert isinstance(found, TurnAround)
    return found


def test_the_curve_rises_from_nought_and_lies_within_its_band(curve: TurnAround) -> None:
    rows = receipt_rows(curve)
    assert rows[0] == {"days": 0.0, "received": 0.0, "low": 0.0, "high": 0.0}
    received = [float(str(row["received"])) for row in rows]
    assert received == sorted(received)
    assert received[1:3] == [pytest.approx(0.25), pytest.approx(0.5)]
    assert all(float(str(row["low"])) <= float(str(row["received"])) <= float(str(row["high"])) for row in rows)
    assert set(rows[0]) == set(RECEIPT_COLUMNS)


def test_the_band_of_the_curve_is_as_long_as_the_curve(curve: TurnAround) -> None:
    assert curve.low.shape == curve.high.shape == curve.open_share.shape
    assert (np.diff(curve.open_share) <= 0).all()


def test_every_chart_can_be_drawn(curve: TurnAround) -> None:
    queries = [SiteQueries(1, "S01", RATE), SiteQueries(2, "S02", RATE)]
    points = [TrendPoint(date(2026, 3, 2), date(2026, 3, 29), RATE)]
    median = StudyMedian(0.8, 0.7, 0.9, 6)
    for chart in (
        draw_receipt(curve), draw_queries(queries, RATE), draw_queries(queries, None), draw_trend(points, median),
        draw_trend(points, None),
    ):  # fmt: skip
        assert chart.to_dict()["layer"]


def test_downloads_have_the_columns_that_their_dictionaries_explain() -> None:
    assert set(query_rows([SiteQueries(1, "S01", RATE)])[0]) == set(QUERY_COLUMNS)
    assert query_rows([SiteQueries(1, "S01", RATE)])[0]["per_100"] == pytest.approx(10.0)
    assert set(trend_rows([TrendPoint(date(2026, 3, 2), date(2026, 3, 29), RATE)])[0]) == set(FEEDBACK_COLUMNS)
