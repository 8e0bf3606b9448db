"""The documentation shows the stored figures of the comparison with paper 003's own baselines."""

from pathlib import Path

import pytest

from core.training.bscan.table import markdown_table
from core.training.bscan.tables import BscanTables

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize("name", ["bscan-tables", "bscan-rivals"])
def test_a_table_of_the_documentation_shows_the_stored_comparison(name: str) -> None:
    stored = BscanTables.model_validate_json((DOCS / "figures" / f"{name}.json").read_text(encoding="utf-8"))
    text = (DOCS / "experiments.md").read_text(encoding="utf-8")
    shown = text.split(f"<!-- table: {name} -->\n")[1].split("<!-- end of table -->")[0]
    assert shown.strip() == markdown_table(stored)
