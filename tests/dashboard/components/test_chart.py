"""Charts reach pages by one door, which lets them be saved."""

import re
from pathlib import Path

import dashboard.components.chart
from dashboard.components.chart import file_name

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
