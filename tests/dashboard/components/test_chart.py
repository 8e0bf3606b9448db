"""Charts reach pages by one door, which lets them be saved."""

import re
from pathlib import Path

import altair as alt
from streamlit.elements.vega_charts import _convert_altair_to_vega_lite_spec

import dashboard.components.chart
from core.charts.inline import inline
from dashboard.components.chart import chart_spec, file_name

DASHBOARD = Path(dashboard.components.chart.__file__).parents[1]


def test_a_saved_chart_is_named_after_what_it_shows():
    assert file_name("Causes of failure by site.") == "octaudit-causes-of-failure-by-site"
    long = file_name("Ungradable first captures by weightiest cause, the most frequent first.")
    assert long == "octaudit-ungradable-first-captures-by-weightiest-cause-the-most"


def test_no_page_shows_a_chart_past_that_door():
    calls = {
        path.name
        for path in DASHBOARD.rglob("*.py")
        if re.search(
            r"st\.(altair_chart|vega_lite_chart|line_chart|bar_chart|scatter_chart)\(", path.read_text("utf-8")
        )
    }
    assert calls == {"chart.py"}


def test_a_chart_reaches_the_page_as_altair_and_streamlit_would_send_it():
    rows = [{"week": "2026-11-02T12:00:00", "rate": 0.2}, {"week": "2026-11-09T12:00:00", "rate": None}]
    base = alt.Chart(inline(rows)).encode(x=alt.X("week:T", title=None), y="rate:Q")
    click = alt.selection_point(name="week", fields=["week"], on="click", empty=False)
    rule = alt.Chart(inline([{"half": 0.5}])).mark_rule().encode(y="half:Q")
    for chart in (alt.LayerChart(layer=[rule, base.mark_line(), base.mark_point().add_params(click)]), base.mark_bar()):
        assert _settled(chart_spec(chart)) == _settled(_convert_altair_to_vega_lite_spec(chart))
        chart.to_dict(validate=True)


def _settled(spec: dict[str, object]) -> dict[str, object]:
    """Without the config that no theme leaves behind, empty."""
    return {name: value for name, value in spec.items() if name != "config" or value}


def test_layers_share_their_rows_instead_of_copying_them():
    rows = inline([{"rate": 0.2}])
    layered = alt.LayerChart(layer=[alt.Chart(rows).mark_line(), alt.Chart(rows).mark_point()])
    assert rows.copy() is rows
    assert list(chart_spec(layered)["datasets"].values()) == [[{"rate": 0.2}]]
