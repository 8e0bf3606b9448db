"""The comparison of heads: the documentation shows the stored figures, and what is kept beats what it replaced."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.training.compare_heads import (
    CANDIDATES,
    CLASSES_WITH_PHANTOMS,
    KEPT,
    KEPT_ALONE,
    KEPT_BY_SHARE,
    MACHINE,
    MACHINE_ON_PICTURE,
    READERS,
    TREES,
    TREES_ALONE,
    heads_table,
    reader_figures,
)
from core.training.folder import Reading
from core.vocabulary import OCTA_ARTIFACTS, CoipsGrade

NAMES = (
    KEPT,
    KEPT_BY_SHARE,
    KEPT_ALONE,
    MACHINE,
    MACHINE_ON_PICTURE,
    TREES,
    TREES_ALONE,
    CLASSES_WITH_PHANTOMS,
    READERS,
)
DOCS = Path(__file__).parents[3] / "docs"


def stored():
    return json.loads((DOCS / "figures" / "heads.json").read_text(encoding="utf-8"))


def test_the_table_of_the_documentation_shows_the_stored_figures():
    text = (DOCS / "experiments.md").read_text(encoding="utf-8")
    shown = text.split("<!-- table: heads -->\n")[1].split("<!-- end of table -->")[0]
    assert shown.strip() == heads_table(stored())


def test_what_is_kept_judges_better_than_what_it_replaced():
    rows = {row["heads"]: row for row in stored()}
    assert set(rows) <= {*NAMES, *CANDIDATES}
    for figure in ("grade kappa", "gradable AUC", "motion kappa", "shadow kappa", "defocus kappa", "low_signal kappa"):
        assert rows[KEPT_ALONE][figure] > rows[TREES_ALONE][figure]
    for figure in ("motion kappa", "shadow kappa", "low_signal kappa"):
        assert rows[TREES][figure] > rows[CLASSES_WITH_PHANTOMS][figure]


def test_one_reader_is_judged_by_the_other_like_a_model():
    grades = [(2, 2), (1, 1), (0, 1), (0, 0), (2, 2), (0, 0)]
    readings = [
        tuple(Reading(CoipsGrade(grade), dict.fromkeys(OCTA_ARTIFACTS, grade)) for grade in both) for both in grades
    ]
    row = reader_figures(readings, np.array(["ROSSA"] * 3 + ["FAZ"] * 3))
    # a for b: 8 pairs, one gradable scan called as bad as the two ungradable ones; b for a: 9 pairs, three of them ties.
    assert row["gradable AUC"] == pytest.approx(((8 - 0.5 * 2) / 8 + (9 - 0.5 * 1) / 9) / 2, abs=1e-4)
    assert row["within COIPS"] == 1
    assert row["grade kappa"] == row["shadow kappa"] < 1
