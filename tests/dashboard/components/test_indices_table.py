"""Image indices on the Scan page of lanes without an avascular zone: each with its unit, or why there is none."""

from dataclasses import dataclass
from typing import Any

from core.measures.indices import NO_LEVELS
from core.measures.words import INDICES, MEASURES
from core.values import Measure, Measured
from dashboard.components.scan_facts import indices_table


@dataclass(frozen=True)
class _Assessment:
    measures: dict[str, Measure]

    def released_measures(self, _human_ordinal: int | None) -> dict[str, Measure]:
        return self.measures


@dataclass(frozen=True)
class _View:
    assessment: _Assessment | None
    human_ordinal: int | None = None


def shown(q: Measure) -> str:
    measures: dict[str, Measure] = dict.fromkeys(MEASURES[INDICES], Measured(0.25))
    view: Any = _View(_Assessment(measures | {"q_level_agreement": q}))
    return str(indices_table(view))


def test_the_agreement_of_levels_is_shown_with_what_it_means() -> None:
    words = shown(Measured(0.871))
    assert "Level agreement" in words
    assert "0.87" in words
    assert "lacks training on such an image" in words
    assert "FAZ" not in words


def test_a_network_without_levels_says_so_and_a_scan_not_scored_too() -> None:
    assert f"not computable: {NO_LEVELS.reason}" in shown(NO_LEVELS)
    unscored: Any = _View(None)
    assert "Not scored yet." in str(indices_table(unscored))
