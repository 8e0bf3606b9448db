"""The documentation shows the stored figures of the comparison of chosen with random slices."""

from pathlib import Path

import pytest

from core.training.qunet.table import Comparison, comparison_table

DOCS = Path(__file__).parents[4] / "docs"


@pytest.mark.parametrize("name", ["qunet-duke", "qunet-phantoms"])
def test_the_table_of_the_documentation_shows_the_stored_comparison(name: str) -> None:
    stored = Comparison.model_validate_json((DOCS / "figures" / f"{name}.json").read_text(encoding="utf-8"))
    text = (DOCS / "experiments.md").read_text(encoding="utf-8")
    shown = text.split(f"<!-- table: {name} -->\n")[1].split("<!-- end of table -->")[0]
    assert shown.strip() == comparison_table(stored)
