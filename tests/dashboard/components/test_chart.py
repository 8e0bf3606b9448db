"""Charts reach pages by one door, which lets them be saved."""

import ast
import re
from pathlib import Path

import altair as alt
from streamlit.elements.vega_charts import _convert_altair_to_vega_lite_spec

import core.charts
import dashboard.components.chart
from core.charts.inline import chart_of, inline
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


def test_a_chart_of_rows_is_drawn_as_altair_draws_its_own():
    rows = [{"week": "2026-11-02T12:00:00", "rate": 0.2}, {"week": "2026-11-09T12:00:00", "rate": None}]
    click = alt.selection_point(name="week", fields=["week"], on="click", empty=False)

    def layered(base: alt.Chart) -> alt.LayerChart:
        base = base.encode(x=alt.X("week:T"), y=alt.Y("rate:Q"), tooltip=[alt.Tooltip("rate:Q")])
        return alt.LayerChart(layer=[base.mark_line(), base.mark_point().add_params(click)], height=120)

    ours, altairs = (_without_names(chart_spec(layered(base))) for base in (chart_of(rows), alt.Chart(inline(rows))))
    assert ours == altairs


def _without_names(spec: dict[str, object]) -> str:
    """The spec with the names that altair makes up for views numbered in their order."""
    text = repr(spec)
    for number, name in enumerate(dict.fromkeys(re.findall(r"view_[0-9a-f]+", text))):
        text = text.replace(name, f"view {number}")
    return text


def test_charts_name_their_channels_instead_of_leaving_altair_to_guess():
    found = [
        f"{path.name}:{call.lineno} {keyword.arg}"
        for path in Path(core.charts.__file__).parent.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "encode"
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Constant)
    ]
    assert found == []
