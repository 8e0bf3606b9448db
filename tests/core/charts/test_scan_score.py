"""Strips of single scans: worst device first, indices of one name only, limits where they were published."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from core.charts.dictionaries import SCAN_INDEX_COLUMNS, SCAN_SCORE_COLUMNS
from core.charts.scan_score import draw_index, draw_model_scores, index_rows, limit_words, score_rows
from core.store.scan_score import ScanScore, ScanScores
from core.vocabulary import Laterality, Slab

DAY = datetime(2026, 6, 1, tzinfo=UTC)


def scan(number: int, device: str, probability: float, index: tuple[str, float] | None) -> ScanScore:
    return ScanScore(
        number, number, f"S-{number}", "CEDAR", device, Laterality.OD, Slab.DEEP, DAY, probability, is_abstained=False, index=index,
    )  # fmt: skip


FOUND = ScanScores(
    DAY,
    (scan(1, "A", 0.1, ("SSI", 70)), scan(2, "B", 0.8, ("SSI", 40)), scan(3, "C", 0.3, ("SS", 8)), scan(4, "C", 0.4, None)),
    300,
    3,
)  # fmt: skip


def order(chart: dict[str, object]) -> object:
    return next(layer["encoding"]["y"]["sort"] for layer in chart["layer"] if "y" in layer["encoding"])


def test_the_device_that_fails_most_stands_first() -> None:
    assert order(draw_model_scores(FOUND).to_dict()) == ["B", "C", "A"]
    assert order(draw_index("SSI", FOUND.by_index()["SSI"]).to_dict()) == ["B", "A"]


def test_indices_of_different_names_are_never_in_one_chart() -> None:
    indices = FOUND.by_index()
    assert {name: [each.device_code for each in scans] for name, scans in indices.items()} == {
        "SS": ["C"],
        "SSI": ["A", "B"],
    }
    twice = replace(FOUND, scans=(*FOUND.scans, replace(FOUND.scans[0], scan_id=9, slab=Slab.SUPERFICIAL)))
    assert len(twice.by_index()["SSI"]) == 2, "an index belongs to the capture, not to each of its slabs"


def test_a_published_limit_is_drawn_with_its_source_and_no_other() -> None:
    assert "poor below, AngioVue" in json.dumps(draw_index("SSI", FOUND.by_index()["SSI"]).to_dict())
    assert "doi:10.1167/tvst.10.3.2" in limit_words("SSI")
    assert "no published limit" in limit_words("TopQ")


def test_the_dictionaries_explain_every_column() -> None:
    assert set(score_rows(FOUND.scans)[0]) - {"strip"} == set(SCAN_SCORE_COLUMNS)
    assert set(SCAN_INDEX_COLUMNS) <= set(index_rows(FOUND.scans)[0])
