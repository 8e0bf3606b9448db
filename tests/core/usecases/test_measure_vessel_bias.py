"""The tables of the documentation are those of the stored figures: none is typed by hand."""

import json
from pathlib import Path

import pytest

from core.usecases.measure_vessel_bias import bias_table, looks_summary, looks_table

DOCS = Path(__file__).parents[3] / "docs"


def figures(name):
    return json.loads((DOCS / "figures" / name).read_text(encoding="utf-8"))


def looks(render):
    return render(figures("looks-before.json"), figures("looks-after.json"))


TABLES = {
    "vessel-bias": ("metrics.md", lambda: bias_table(figures("vessel-bias.json"))),
    "looks-summary": ("experiments.md", lambda: looks(looks_summary)),
    "looks": ("experiments.md", lambda: looks(looks_table)),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_shows_the_stored_figures(name):
    page, render = TABLES[name]
    text = (DOCS / page).read_text(encoding="utf-8")
    shown = text.split(f"<!-- table: {name} -->\n")[1].split("<!-- end of table -->")[0]
    assert shown.strip() == render()


def test_every_median_of_the_phantoms_was_aimed_into_the_real_scans_central_range():
    """The aim of the tuning, held by the stored figures: at least three in four medians of each source lie within."""
    for pool in figures("looks-after.json"):
        within = [row["low"] <= row["other_median"] <= row["high"] for row in pool["statistics"]]
        assert sum(within) >= 0.75 * len(within), pool["reference"]
