"""The funnel of one unit among others: it stands out, and nothing in the drawing names the others."""

import json
from typing import Any

from core.charts.position import draw_position
from core.reports.chart_image import chart_svg
from core.statistics.clustering import ClusteredCount
from core.store.scan_filter import ScanFilter
from core.store.tally import Tally
from core.store.unit import Unit, UnitCount, UnitKind
from core.usecases.judge_units import UnitComparison, judge_counts


def comparison() -> UnitComparison:
    counts = tuple(
        UnitCount(
            Unit(str(number), f"SITE-{number}", f"Clinic {number}", ScanFilter(site_id=number), f"SITE-{number}"),
            Tally(received=60, decided=60, gradable=60 - poor),
            ClusteredCount.independent(poor, 60),
            patients=40,
        )
        for number, poor in enumerate((5, 6, 4, 40), start=1)
    )
    return judge_counts(counts, UnitKind.SITE)


def values(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, float]]:
    """A layer's rows, wherever Altair puts them."""
    data = layer["data"]
    return data["values"] if "values" in data else spec["datasets"][data["name"]]


def test_the_chart_names_no_unit_and_holds_a_mark_for_each_of_the_others() -> None:
    spec = draw_position(comparison(), "4").to_dict()
    written = json.dumps(spec)
    assert "SITE-" not in written
    assert "Clinic" not in written
    others = next(layer for layer in spec["layer"] if layer["mark"].get("size") == 34)
    assert len(values(spec, others)) == 3


def test_the_own_mark_says_by_shape_and_colour_how_it_stands() -> None:
    spec = draw_position(comparison(), "4").to_dict()
    own = next(layer for layer in spec["layer"] if layer["mark"].get("size") == 190)
    assert own["mark"]["shape"] == "diamond"
    assert values(spec, own)[0]["rate"] == 40 / 60


def test_a_unit_without_counts_leaves_the_others_alone() -> None:
    spec = draw_position(comparison(), "99").to_dict()
    assert not [layer for layer in spec["layer"] if layer["mark"].get("size") == 190]


def test_a_drawing_holds_nothing_that_only_hovers_and_is_the_same_each_time() -> None:
    first, second = (chart_svg(draw_position(comparison(), "4"), width_px=200) for _ in range(2))
    assert first == second
    assert "99.8 %" not in first, "the limits' names are tooltips"
