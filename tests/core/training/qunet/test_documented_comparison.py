"""The documentation shows the stored figures of the comparison of chosen with random slices."""

from pathlib import Path

from core.training.qunet.table import Comparison, comparison_table

DOCS = Path(__file__).parents[4] / "docs"


def test_the_table_of_the_documentation_shows_the_stored_comparison() -> None:
    stored = Comparison.model_validate_json((DOCS / "figures" / "qunet-duke.json").read_text(encoding="utf-8"))
    text = (DOCS / "experiments.md").read_text(encoding="utf-8")
    shown = text.split("<!-- table: qunet-duke -->\n")[1].split("<!-- end of table -->")[0]
    assert shown.strip() == comparison_table(stored)
