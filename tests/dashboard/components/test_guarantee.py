"""The accept guarantee in figures and words: what is promised, what is not, and when nothing is."""

from calibrations import make_calibration

from core.scoring.acceptance import accept_evidence, accept_rule
from core.statistics.proportions import Proportion
from dashboard.components.guarantee import accept_guarantee, accept_line
from dashboard.components.markup import percent

CALIBRATION = make_calibration()


def test_the_panel_gives_level_size_threshold_abstention_and_what_passes_wrongly():
    evidence = accept_evidence(CALIBRATION, 0.03)
    among = evidence.ungradable_among_accepted
    assert isinstance(among, Proportion)
    shown = accept_guarantee(CALIBRATION, 0.03, model="m 1", is_inherit=False).text
    for words in (
        "at most 3.0\u202f% of all scans accepted although ungradable",
        f"199 scans in 160 groups, {evidence.n_ungradable} of them ungradable; from simulated",
        f"below {percent(evidence.rule.threshold, 1)}",
        f"{percent(evidence.abstained.value, 1)} ({evidence.abstained.k} of 199 scans)",
        f"({among.k} of {among.n} accepted), exact 95 % interval {percent(among.low, 1)} – {percent(among.high, 1)}",
    ):
        assert words in shown, words


def test_the_panel_says_in_words_what_the_promise_is_not():
    shown = accept_guarantee(CALIBRATION, 0.03, model="m 1", is_inherit=True).text
    for words in ("marginal", "exchangeable", "not for each site, device or source", "not clinicians", "lie outside"):
        assert words in shown, words
    assert "3 × 3 mm, 6 × 6 mm" in shown
    assert "lie outside" not in accept_guarantee(CALIBRATION, 0.03, model="m 1", is_inherit=False).text


def test_a_model_without_calibration_promises_nothing_and_says_so():
    assert "No guarantee is given" in accept_guarantee(None, 0.01, model="m 1", is_inherit=False).text
    assert "No accept guarantee" in accept_line(None, 0.01).text


def test_too_few_scans_for_the_level_accept_nothing_and_say_what_to_do():
    few = make_calibration(50)
    assert "99 scans or more" in accept_guarantee(few, 0.01, model="m 1", is_inherit=False).text
    assert "Nothing is accepted" in accept_line(few, 0.01).text


def test_the_line_under_a_grade_names_threshold_and_level():
    line = accept_line(CALIBRATION, 0.01).text
    assert f"below {percent(accept_rule(CALIBRATION, 0.01).threshold, 1)}" in line
    assert "level 1.0\u202f% of all scans" in line


def test_words_of_a_card_are_escaped():
    hostile = make_calibration(labels="<script>alert(1)</script>", sources=("<b>",))
    shown = accept_guarantee(hostile, 0.03, model="<i>", is_inherit=False).text
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
