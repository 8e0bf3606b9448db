"""The comparison of heads: the documentation shows the stored figures, and the kept ones are not worse than the rest."""

import json
from pathlib import Path

from core.training.compare_heads import CANDIDATES, CLASSES_WITH_PHANTOMS, KEPT, KEPT_ALONE, heads_table

DOCS = Path(__file__).parents[3] / "docs"


def stored():
    return json.loads((DOCS / "figures" / "heads.json").read_text(encoding="utf-8"))


def test_the_table_of_the_documentation_shows_the_stored_figures():
    text = (DOCS / "experiments.md").read_text(encoding="utf-8")
    shown = text.split("<!-- table: heads -->\n")[1].split("<!-- end of table -->")[0]
    assert shown.strip() == heads_table(stored())


def test_the_heads_that_ship_grade_best_and_judge_severity_better_than_what_they_replaced():
    rows = {row["heads"]: row for row in stored()}
    assert set(rows) == {KEPT, KEPT_ALONE, CLASSES_WITH_PHANTOMS, *CANDIDATES}
    # The grade's trees are the same in several rows; only their seeds differ.
    assert rows[KEPT]["grade kappa"] > max(row["grade kappa"] for row in rows.values()) - 0.005
    for figure in ("motion kappa", "shadow kappa", "low_signal kappa"):
        assert rows[KEPT][figure] > rows[CLASSES_WITH_PHANTOMS][figure]
