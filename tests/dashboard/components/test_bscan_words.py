"""What the Scan page says of a B-scan, from findings as the database gives them back."""

from dataclasses import dataclass
from typing import Any

import pytest

from dashboard.components.bscan_words import classes_table, lesions_table, quality_table

LESION = {"type": "cnv", "area_fraction": 0.0312, "n_regions": 2, "mask": "lesion.png"}
FINDINGS: dict[str, Any] = {
    "class": {"cnv": 0.82, "fluid": 0.1, "drusen": 0.05, "normal": 0.03},
    "likeliest_class": "cnv",
    "lesions": [LESION],
    "indices": {"snr_db": 14.31, "contrast": {"not_computable": "no vitreous is in the picture"}},
}


@dataclass(frozen=True)
class _Assessment:
    findings: dict[str, Any] | None


@dataclass(frozen=True)
class _View:
    assessment: _Assessment | None


def view(**changes: Any) -> Any:
    return _View(_Assessment(FINDINGS | changes))


def test_classes_stand_by_their_probability_and_the_given_one_is_bold() -> None:
    words = str(classes_table(view()))
    assert words.index("CNV") < words.index("Fluid") < words.index("Drusen") < words.index("Normal")
    assert "<b>CNV</b>" in words
    assert "<b>Fluid</b>" not in words


def test_a_lesion_is_given_with_its_share_and_regions() -> None:
    words = str(lesions_table(view()))
    assert "3.1\u202f%" in words
    assert ">2<" in words


def test_a_normal_scan_shows_no_lesion_and_says_what_would_be_marked() -> None:
    words = str(lesions_table(view(likeliest_class="normal", lesions=[], unasked_lesion=LESION)))
    assert "the scan is called normal" in words
    assert "would mark 3.1\u202f%" in words
    assert "switched off" in words


def test_a_mask_that_locates_nothing_is_named_with_its_reason() -> None:
    why = {"not_computable": "the network marked 64 % of the picture, too much to be a lesion"}
    words = str(lesions_table(view(lesions=[], lesion_place=why)))
    assert "64 % of the picture" in words
    assert "no mask is shown" in words


def test_a_figure_that_cannot_be_computed_says_why() -> None:
    words = str(quality_table(view()))
    assert "14.3" in words
    assert "not computable: no vitreous is in the picture" in words


@pytest.mark.parametrize("table", [classes_table, lesions_table, quality_table])
def test_a_scan_that_was_not_scored_says_so(table: Any) -> None:
    assert "Not scored yet." in str(table(_View(None)))
