"""The charts of agreement show every pair once and say why a figure is missing."""

import numpy as np

from core.charts.agreement import confusion_rows, draw_confusion, draw_kappas, kappa_rows
from core.charts.dictionaries import CONFUSION_COLUMNS, KAPPA_COLUMNS
from core.statistics.agreement_intervals import Agreement, agreement
from core.usecases.compare_grades import GroupAgreement
from core.values import NotComputable


def some_agreement() -> Agreement:
    first = np.array([0, 0, 1, 1, 2, 2, 2, 0])
    second = np.array([0, 1, 1, 1, 2, 2, 1, 0])
    found = agreement(first, second, [f"P{number // 2}" for number in range(8)])
    assert isinstance(found, Agreement)
    return found


def test_every_pair_stands_in_one_cell() -> None:
    rows = confusion_rows(some_agreement())
    assert len(rows) == 9
    assert sum(int(str(row["pairs"])) for row in rows) == 8
    assert set(rows[0]) == set(CONFUSION_COLUMNS)
    assert "Model" in str(draw_confusion(some_agreement(), "Model", "Person").to_dict())


def test_a_group_without_a_figure_says_why_and_is_not_drawn() -> None:
    groups = [
        GroupAgreement("ELM", 8, some_agreement()),
        GroupAgreement("ROWAN", 1, NotComputable("fewer than 3 patients rated twice")),
    ]
    drawn, silent = kappa_rows(groups)
    assert set(drawn) <= set(KAPPA_COLUMNS)
    assert silent["why"] == "fewer than 3 patients rated twice"
    text = str(draw_kappas(groups).to_dict())
    assert "ELM" in text
    assert "ROWAN" not in text


def test_kappa_has_round_ticks_down_to_the_lowest_bound() -> None:
    first, second = np.array([0, 1, 2, 0, 1, 2]), np.array([2, 1, 0, 2, 1, 0])
    found = agreement(first, second, [f"P{number}" for number in range(6)])
    assert isinstance(found, Agreement)
    axis = draw_kappas([GroupAgreement("ELM", 6, found)]).to_dict()["layer"][2]["encoding"]["x"]["axis"]
    assert axis["values"] == [quarter / 4 for quarter in range(-4, 5)]
