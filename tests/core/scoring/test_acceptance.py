"""What a study's level makes of a model's calibration scans: the threshold, who abstains, what is unseen."""

from dataclasses import replace

import pytest
from calibrations import make_calibration
from lane import scores_with

from core.errors import UsageError
from core.scoring.acceptance import (
    accept_evidence,
    accept_rule,
    refuse_unless_possible,
    unseen_codes,
    with_abstention,
)
from core.scoring.card import CalibrationScan
from core.statistics.proportions import Proportion
from core.values import NotComputable, ScanScores
from core.vocabulary import ReasonCode, Slab

CALIBRATION = make_calibration()


def graded(p_ungradable: float, *, ordinal: int, is_of_kind: bool = True) -> ScanScores:
    scores = scores_with(ordinal)
    rest = (1 - p_ungradable) / 2
    probabilities = {"ungradable": p_ungradable, "gradable": rest, "outstanding": rest}
    return replace(scores, is_of_kind=is_of_kind, grade=replace(scores.grade, probabilities=probabilities))


def test_no_more_calibration_scans_are_lost_than_the_level_allows():
    for level in (0.005, 0.01, 0.03):
        rule = accept_rule(CALIBRATION, level)
        n_lost = sum(scan.is_ungradable and scan.p_ungradable < rule.threshold for scan in CALIBRATION.scans)
        assert (n_lost + 1) / 200 <= level + 1e-12


def test_a_scan_is_left_to_a_person_between_sure_and_likelier_ungradable_than_not():
    rule = accept_rule(CALIBRATION, 0.01)
    assert 0 < rule.threshold < 0.4
    below, above = rule.threshold - 1e-6, rule.threshold + 1e-6
    assert not rule.abstains(below, 1)
    assert rule.abstains(above, 1)
    assert rule.abstains(rule.threshold, 2)
    assert rule.abstains(0.45, 0), "the likeliest of three grades, and still less likely than not"
    assert not rule.abstains(0.5, 0)
    assert not rule.abstains(0.97, 0)


def test_a_lower_level_abstains_from_more():
    shares = [accept_evidence(CALIBRATION, level).abstained.value for level in (0.005, 0.01, 0.05)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_a_level_too_low_for_the_set_accepts_nothing_and_says_why():
    small = make_calibration(60)
    rule = accept_rule(small, 0.01)
    assert rule.threshold == 0.0
    assert rule.why_nothing is not None
    assert "99 scans or more" in rule.why_nothing
    assert rule.abstains(0.0, 2)
    with pytest.raises(UsageError, match="60 calibration scans"):
        refuse_unless_possible(small, 0.01)
    refuse_unless_possible(small, 1 / 61)


def test_the_evidence_counts_each_scan_by_a_threshold_it_did_not_choose():
    evidence = accept_evidence(CALIBRATION, 0.03)
    assert (evidence.n_scans, evidence.n_groups) == (199, 160)
    assert evidence.accepted_ungradable.n == 199
    assert evidence.accepted_ungradable.value <= 0.03 + 1 / 199
    among = evidence.ungradable_among_accepted
    assert isinstance(among, Proportion)
    assert among.k == evidence.accepted_ungradable.k
    assert among.high > among.value
    assert among.n + evidence.abstained.k <= 199


def test_where_nothing_is_accepted_no_share_of_it_is_given():
    evidence = accept_evidence(make_calibration(40), 0.01)
    assert isinstance(evidence.ungradable_among_accepted, NotComputable)


def test_the_level_and_not_the_scorer_decides_where_there_is_a_calibration_set():
    threshold = accept_rule(CALIBRATION, 0.01).threshold
    sure, unsure = graded(threshold / 2, ordinal=1), graded(threshold + 0.01, ordinal=1)
    assert not with_abstention(sure, CALIBRATION, 0.01).grade.abstained
    assert with_abstention(unsure, CALIBRATION, 0.01).grade.abstained
    assert not with_abstention(unsure, CALIBRATION, 0.2).grade.abstained


@pytest.mark.parametrize("is_abstained", [True, False])
def test_without_a_calibration_set_the_scorers_own_abstention_stands(is_abstained):
    scores = scores_with(1, is_abstained=is_abstained)
    assert with_abstention(scores, None, 0.01).grade.abstained is is_abstained


@pytest.mark.parametrize("calibration", [None, CALIBRATION])
def test_what_is_no_octa_image_is_abstained_from_however_sure_the_grade(calibration):
    for ordinal, p_ungradable in ((2, 0.0), (0, 1.0)):
        stranger = graded(p_ungradable, ordinal=ordinal, is_of_kind=False)
        assert with_abstention(stranger, calibration, 0.01).grade.abstained


def test_a_rule_is_worked_out_once_for_a_card_and_a_level():
    assert accept_rule(CALIBRATION, 0.02) is accept_rule(make_calibration(), 0.02)


@pytest.mark.parametrize(
    ("scan", "expected"),
    [
        ({"slab": Slab.SUPERFICIAL, "field_mm": (3.0, 3.0), "device_model": "Optovue AngioVue"}, ()),
        ({"slab": Slab.DEEP, "field_mm": (2.9, 3.1), "device_model": "optovue Angio-Vue"}, ()),
        ({"slab": Slab.UNKNOWN}, ()),
        ({"slab": Slab.CHORIOCAPILLARIS}, (ReasonCode.UNSEEN_SLAB,)),
        ({"slab": Slab.DEEP, "field_mm": (12.0, 12.0)}, (ReasonCode.UNSEEN_FIELD,)),
        ({"slab": Slab.DEEP, "field_mm": (6.0, 4.5)}, (ReasonCode.UNSEEN_FIELD,)),
        ({"slab": Slab.DEEP, "device_model": "Topcon Triton"}, (ReasonCode.UNSEEN_DEVICE,)),
        ({"slab": Slab.DEEP, "device_model": "Topcon Triton", "vouched_devices": ("Topcon Triton",)}, ()),
    ],
    ids=str,
)
def test_a_device_field_or_slab_that_no_calibration_scan_shows_is_named(scan, expected):
    assert unseen_codes(CALIBRATION, **scan) == expected


def test_what_a_card_did_not_record_is_not_called_unseen():
    silent = make_calibration(devices=(), fields_mm=(), slabs=())
    scan = {"slab": Slab.CHORIOCAPILLARIS, "field_mm": (12.0, 12.0), "device_model": "Topcon Triton"}
    assert unseen_codes(silent, **scan) == unseen_codes(None, **scan) == ()


def test_an_ungradable_scan_the_model_refuses_anyway_costs_no_threshold():
    """Only what would be accepted can be lost: a scan graded ungradable never lowers the threshold."""
    refused = tuple(
        CalibrationScan(group=f"r{index}", p_ungradable=0.4, ordinal=0, is_ungradable=True) for index in range(20)
    )
    wider = CALIBRATION.model_copy(update={"scans": (*CALIBRATION.scans, *refused)})
    assert accept_rule(wider, 0.01).threshold >= accept_rule(CALIBRATION, 0.01).threshold
