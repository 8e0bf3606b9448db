"""The documentation's tables of the statistics' proof are those of the stored figures, and these meet what was asked."""

import json
from pathlib import Path

import pytest

from core.usecases.prove_statistics import prove_statistics, tables

DOCS = Path(__file__).parents[3] / "docs"
STORED = json.loads((DOCS / "figures" / "statistics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", tables(STORED))
def test_a_table_shows_the_stored_figures(name):
    text = (DOCS / "statistics.md").read_text(encoding="utf-8")
    shown = text.split(f"<!-- table: {name} -->\n")[1].split("<!-- end of table -->")[0]
    assert shown.strip() == tables(STORED)[name]


def test_everything_that_was_asked_is_met():
    asked = tables(STORED)["asked"].splitlines()[2:]
    assert len(asked) == 5
    assert [line for line in asked if not line.endswith("| yes |")] == []


def test_a_missed_target_is_said_in_bold():
    worse = {**STORED, "power": [{**row, "power_percent": 10.0} for row in STORED["power"]]}
    assert tables(worse)["asked"].count("**no**") == 3


def labels(record):
    """What the rows are about, without what was found or how often it was drawn."""
    words = (
        "correlation",
        "mechanism",
        "rate",
        "n_sites",
        "rule",
        "interval",
        "setting",
        "chart",
        "n_scans",
        "shift_sd",
    )
    return {name: [[row.get(word) for word in words] for row in rows] for name, rows in record.items()}


def test_the_program_simulates_what_the_stored_figures_are_of():
    told = []
    record = prove_statistics(effort=1, seed=0, on_part=told.append)
    assert told == list(record)
    assert labels(record) == labels(STORED)
    assert {name: [sorted(row) for row in rows] for name, rows in record.items()} == {
        name: [sorted(row) for row in rows] for name, rows in STORED.items()
    }
