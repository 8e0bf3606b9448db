"""Two versions' figures side by side: only where both gave one, and words by how often they are the same."""

import pytest

from core.usecases.compare_findings import Figure, FigureMove, WordMove, move_of

THICK = Figure("Mean thickness", "µm", ("thickness", "mean_um"))
NONE = {"not_computable": "no retina was found"}


def test_a_figure_is_compared_where_both_versions_gave_it():
    found = move_of(THICK, [300.0, 310, NONE, 320.0, None], [303.0, 313.0, 290.0, NONE, None])
    assert isinstance(found, FigureMove)
    assert (found.n_both, found.n_former_only, found.n_other_only) == (2, 1, 1)
    assert (found.former, found.other, found.moved) == (305.0, 308.0, 3.0)
    assert found.low == pytest.approx(found.high) == pytest.approx(3.0)


def test_what_neither_version_gave_is_no_figure():
    assert move_of(THICK, [NONE, None], [NONE, 3.0]) is None


def test_words_are_the_same_or_not():
    found = move_of(Figure("Likeliest class", "", ("likeliest_class",)), ["cnv", "drusen", None], ["cnv", "cnv", "cnv"])
    assert found == WordMove(found.figure, 2, 1)
