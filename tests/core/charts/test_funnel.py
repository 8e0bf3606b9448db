"""Funnel and forest: every unit is drawn where it was counted, and the limits stand around the pooled rate."""

import pytest
from demo_rows import ENDS_ON, Demo

from core.charts.dictionaries import STANDARDISED_COLUMNS, UNIT_COLUMNS
from core.charts.funnel import FEW, USUAL, WORSE, Estimate, draw_forest, draw_funnel, estimate_rows, unit_rows
from core.database.session import session_scope
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases.judge_units import UnitComparison, compare_units
from core.usecases.standardise_units import standardise_units
from dashboard.components.chart_data import ChartData


@pytest.fixture(scope="module")
def comparison(demo: Demo) -> UnitComparison:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        return compare_units(session, ScanFilter(), UnitKind.SITE)


def layers(chart: object) -> list[list[dict[str, object]]]:
    document = chart.to_dict()  # type: ignore[attr-defined]
    named = document.get("datasets", {})
    return [named.get(layer["data"].get("name"), layer["data"].get("values", [])) for layer in document["layer"]]


def test_every_unit_is_a_mark_with_its_standing(comparison: UnitComparison, demo: Demo) -> None:
    planted = demo.rows.study.planted
    standing = {row["unit"]: row["standing"] for row in unit_rows(comparison.units)}
    assert standing[planted.bad_site] == WORSE
    assert standing[planted.tiny_site] == FEW
    assert standing["ELM"] == USUAL
    marks = layers(draw_funnel(comparison))[-1]
    assert {mark["unit"] for mark in marks} == set(standing)


def test_both_pairs_of_limits_stand_around_the_pooled_rate(comparison: UnitComparison) -> None:
    assert comparison.funnel is not None
    drawn = layers(draw_funnel(comparison))[:4]
    for rows in drawn:
        assert {row["level"] for row in rows} <= {"99.8 %", "95 %"}
        last = float(rows[-1]["limit"])  # type: ignore[arg-type]
        assert last != comparison.funnel.target
    ends = [float(rows[-1]["limit"]) for rows in drawn]  # type: ignore[arg-type]
    assert ends[0] < ends[2] < comparison.funnel.target < ends[3] < ends[1]


def test_the_forest_lists_units_of_most_concern_first(comparison: UnitComparison, demo: Demo) -> None:
    document = draw_forest(comparison).to_dict()
    order = document["layer"][1]["encoding"]["y"]["sort"]
    assert order[0] == demo.rows.study.planted.bad_site
    assert order[-1] == demo.rows.study.planted.tiny_site


def test_the_download_has_every_column_that_the_dictionary_explains(comparison: UnitComparison) -> None:
    rows = unit_rows(comparison.units)
    assert set(rows[0]) - {"key"} == set(UNIT_COLUMNS)
    text = ChartData("site-comparison", rows, UNIT_COLUMNS).csv()
    assert text.splitlines()[0] == ",".join(UNIT_COLUMNS)
    assert len(text.splitlines()) == len(rows) + 1


def test_the_forest_draws_the_rate_that_was_asked_for_and_another_beside_it(
    comparison: UnitComparison, demo: Demo
) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        cases = standardise_units(session, ScanFilter(), comparison, today=ENDS_ON)
    first = comparison.units[0]
    assert first.shrunken is not None
    crude, shrunken, standardised = (estimate_rows(comparison, each, cases)[0] for each in Estimate)
    assert (crude["shown"], crude["beside"]) == (first.point.rate.value, first.shrunken.value)
    assert (shrunken["shown"], shrunken["beside"]) == (first.shrunken.value, first.point.rate.value)
    assert standardised["observed"] == first.point.count.k
    assert standardised["shown_low"] < standardised["shown"] <= 1.0  # type: ignore[operator]
    assert set(STANDARDISED_COLUMNS) <= set(standardised)
    drawn = draw_forest(comparison, Estimate.STANDARDISED, cases).to_dict()
    assert "standardised" in drawn["layer"][-1]["encoding"]["x"]["title"]


def test_a_unit_without_a_standardised_rate_says_why(comparison: UnitComparison, demo: Demo) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        alone = ScanFilter(site_id=demo.rows.site_ids["ELM"])
        cases = standardise_units(session, alone, comparison, today=ENDS_ON)
    rows = {row["unit"]: row for row in estimate_rows(comparison, Estimate.STANDARDISED, cases)}
    assert rows["ELM"]["shown"] is not None
    assert (rows["CEDAR"]["shown"], rows["CEDAR"]["why"]) == (None, "no capture in the months that are read")
