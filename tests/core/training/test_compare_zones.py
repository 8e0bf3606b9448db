"""The comparison of ways to look at the FAZ again: the documentation shows the stored figures, each way is what it says."""

import json
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from core.scoring.lanes.faz_looks import WideLook
from core.training.compare_zones import DRAWN, WAYS, LookedAt, seeing, zone_rows, zones_table

DOCS = Path(__file__).parents[3] / "docs"


class CopyOfTheFirstLook(nn.Module):
    """A second look that says what the first one said: its second channel, as steep logits."""

    def forward(self, regions):
        return 20 * regions[:, 1]


COPY = seeing(CopyOfTheFirstLook())


@pytest.fixture(scope="module")
def scan():
    rows, columns = np.mgrid[0:200, 0:200] - 100
    truth = np.hypot(rows, columns) < 20
    coarse = np.where(np.hypot(rows, columns - 4) < 20, 255, 0).astype(np.uint8)
    return LookedAt("one", np.full((200, 200), 90, np.uint8), truth, coarse)


def test_a_second_look_that_copies_the_first_is_worth_the_same_in_every_way(scan):
    rows = zone_rows(COPY, [scan], WideLook(COPY, 128))
    assert [row["way"] for row in rows] == list(WAYS)
    first = rows[0]["one (1)"]
    assert 0.8 < first < 0.95
    for row in rows:
        expected = 1.0 if row["way"] == DRAWN else first
        assert row["one (1)"] == pytest.approx(expected, abs=0.02)


def test_where_nothing_was_seen_nothing_is_found(scan):
    blind = LookedAt("one", scan.image, scan.truth, np.zeros_like(scan.coarse))
    rows = zone_rows(COPY, [blind], WideLook(COPY, 128))
    assert {row["one (1)"] for row in rows if row["way"] != DRAWN} == {0.0}


def test_the_table_of_the_documentation_shows_the_stored_figures():
    text = (DOCS / "experiments.md").read_text(encoding="utf-8")
    shown = text.split("<!-- table: zones -->\n")[1].split("<!-- end of table -->")[0]
    stored = json.loads((DOCS / "figures" / "zones.json").read_text(encoding="utf-8"))
    assert [row["way"] for row in stored] == list(WAYS)
    assert shown.strip() == zones_table(stored)
