"""The charts of FAZ metrics: the norm where there is one, every row in the dictionary, nothing but the chosen metric."""

import json

import pytest
from demo_rows import Demo

from core.charts.dictionaries import FAZ_COLUMNS, FAZ_GRADE_COLUMNS, FAZ_GROUP_COLUMNS, FAZ_PAIR_COLUMNS
from core.charts.faz import (
    draw_grades,
    draw_pairs,
    draw_values,
    grade_rows,
    metric_title,
    number_format,
    pair_rows,
    value_rows,
)
from core.database.session import session_scope
from core.store.scan_filter import ScanFilter
from core.usecases.compare_faz import FazBy, FazComparison, Magnification, compare_faz
from core.vocabulary import Slab
from dashboard.components.faz_table import group_rows


def look(demo: Demo, column: str = "faz_area_mm2", slab: Slab = Slab.SUPERFICIAL) -> FazComparison:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        chosen = ScanFilter(slab=slab, scan_type="octa-enface 3x3")
        return compare_faz(session, chosen, column, FazBy.DEVICE, Magnification.NOMINAL)


@pytest.fixture(scope="module")
def area(demo: Demo) -> FazComparison:
    return look(demo)


def test_the_range_of_healthy_eyes_is_drawn_where_it_was_published(area: FazComparison, demo: Demo) -> None:
    drawn = json.dumps(draw_values(area).to_dict())
    assert "healthy eyes" in drawn
    assert '"low": 0.053' in drawn
    deep = json.dumps(draw_values(look(demo, slab=Slab.DEEP)).to_dict())
    assert "healthy eyes" in deep
    assert '"low": 0.053' not in deep, "each slab has the range that was published for it"
    assert "healthy eyes" not in json.dumps(draw_values(look(demo, "faz_circularity")).to_dict())


def test_repeatability_is_drawn_to_either_side_of_nought(area: FazComparison, demo: Demo) -> None:
    def lines(found: FazComparison) -> list[float]:
        datasets = draw_pairs(found).to_dict()["datasets"].values()
        return sorted(row["at"] for rows in datasets for row in rows if "at" in row)

    assert lines(area) == [-0.06, -0.022, 0.0, 0.022, 0.06]
    assert lines(look(demo, "faz_axis_ratio")) == [0.0]


def test_a_metric_is_named_with_its_unit() -> None:
    assert metric_title("faz_area_mm2") == "Area in mm²"
    assert metric_title("faz_circularity") == "Circularity"
    assert number_format("faz_area_mm2") == ".3f"


def test_the_dictionaries_explain_every_column(area: FazComparison) -> None:
    for rows, columns in (
        (value_rows(area), FAZ_COLUMNS | {"strip": ""}),
        (pair_rows(area), FAZ_PAIR_COLUMNS),
        (grade_rows(area), FAZ_GRADE_COLUMNS),
        (group_rows(area.groups, area), FAZ_GROUP_COLUMNS),
    ):
        assert rows
        assert set().union(*rows) <= set(columns)


def test_every_mark_names_the_scan_that_it_opens(area: FazComparison) -> None:
    scans = {row["scan"] for row in value_rows(area)}
    assert scans == {point.reading.scan_id for point in area.points}
    assert draw_values(area).to_dict()["params"][0]["select"]["fields"] == ["scan"]
    assert len(draw_grades(area).to_dict()["layer"]) == 3
