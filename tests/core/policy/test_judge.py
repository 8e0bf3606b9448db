"""Verdicts and reasons for scans of every kind, by the default protocol and by others."""

from dataclasses import replace

import numpy as np
import pytest

from core.policy.judge import ScanContext, effective_ordinal, judge
from core.policy.protocol import ExpectedScanType, Protocol, Wording
from core.values import (
    ArtifactScore,
    Centration,
    FazMetrics,
    Grade,
    ImageIndices,
    Measured,
    ModelIdentity,
    NotComputable,
    OctaFindings,
    Scale,
    ScanScores,
    SeverityThresholds,
    VesselMetrics,
)
from core.vocabulary import (
    OCTA_ARTIFACTS,
    ArtifactType,
    GradeScale,
    OperatorFixable,
    ReasonCode,
    ScaleSource,
    Severity,
    Slab,
    Verdict,
)

LABELS = ("ungradable", "gradable", "outstanding")
CONTEXT = ScanContext(scale=Scale(0.01, 0.01, ScaleSource.MANIFEST), slab=Slab.SUPERFICIAL)
CENTRED = Centration(Measured(0.05), Measured(0.02), Severity.NONE)
NO_FAZ = NotComputable("no FAZ visible")
EMPTY = np.zeros((4, 4), bool)


def grade(ordinal, *, abstained=False):
    probabilities = {label: float(n == ordinal) for n, label in enumerate(LABELS)}
    return Grade(GradeScale.COIPS_3, ordinal, LABELS[ordinal], probabilities, abstained)


def artifacts(**shares):
    return tuple(
        ArtifactScore(kind, share, None, SeverityThresholds().severity(share), EMPTY)
        for kind in OCTA_ARTIFACTS
        for share in [shares.get(kind.value, 0.0)]
    )


def scores(ordinal=1, *, abstained=False, **changes):
    m = Measured(1.0)
    base = ScanScores(
        key="1",
        shape_px=EMPTY.shape,
        grade=grade(ordinal, abstained=abstained),
        artifacts=artifacts(),
        centration=CENTRED,
        findings=OctaFindings(EMPTY, FazMetrics(m, m, m, m, m, touches_border=False), VesselMetrics(m, m, m, m)),
        indices=ImageIndices(m, m, m, m, NotComputable("no deep-supervision head")),
        cam=NotComputable("no supporting evidence"),
        cam_mask_agreement=NotComputable("no supporting evidence"),
        is_of_kind=True,
        model=ModelIdentity("m", "1", "0" * 64, "p1"),
        seconds=0.01,
    )
    return replace(base, **changes)


def codes(judgement):
    return [reason.code for reason in judgement.reasons]


@pytest.mark.parametrize("ordinal", [1, 2])
def test_a_gradable_scan_is_accepted_without_reasons(ordinal):
    judgement = judge(scores(ordinal), Protocol.default(), CONTEXT)
    assert (judgement.verdict, judgement.reasons) == (Verdict.ACCEPT, ())


def test_a_gradable_scan_with_a_severe_stripe_is_still_accepted():
    judgement = judge(scores(1, artifacts=artifacts(motion=0.14)), Protocol.default(), CONTEXT)
    assert judgement.verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"motion": 0.3}, [ReasonCode.MP_MOTION]),
        ({"shadow": 0.3}, [ReasonCode.MP_SIGNAL]),
        ({"low_signal": 0.3}, [ReasonCode.MP_SIGNAL]),
        ({"defocus": 0.3}, [ReasonCode.MP_OBVIOUS]),
        ({"motion": 0.2, "defocus": 0.6}, [ReasonCode.MP_OBVIOUS, ReasonCode.MP_MOTION]),
        ({"shadow": 0.2, "low_signal": 0.6}, [ReasonCode.MP_SIGNAL]),
        ({"motion": 0.3, "shadow": 0.05}, [ReasonCode.MP_MOTION]),
        ({"motion": 0.05}, [ReasonCode.MP_MOTION]),
    ],
    ids=str,
)
def test_an_ungradable_scan_is_to_be_taken_again_for_its_artifacts_the_largest_first(shares, expected):
    judgement = judge(scores(0, artifacts=artifacts(**shares)), Protocol.default(), CONTEXT)
    assert judgement.verdict is Verdict.REACQUIRE
    assert codes(judgement) == expected


def test_motion_counts_by_its_lines_where_they_are_the_larger_share():
    hit = ArtifactScore(ArtifactType.MOTION, 0.004, 0.2, Severity.SEVERE, EMPTY)
    judgement = judge(scores(0, artifacts=(hit,)), Protocol.default(), CONTEXT)
    assert codes(judgement) == [ReasonCode.MP_MOTION]


def test_after_the_visit_window_a_person_decides():
    closed = replace(CONTEXT, is_window_open=False)
    judgement = judge(scores(0, artifacts=artifacts(motion=0.3)), Protocol.default(), closed)
    assert judgement.verdict is Verdict.REVIEW
    assert codes(judgement) == [ReasonCode.MP_MOTION]


def test_an_ungradable_scan_without_a_measured_cause_is_for_a_person():
    judgement = judge(scores(0), Protocol.default(), CONTEXT)
    assert (judgement.verdict, codes(judgement)) == (Verdict.REVIEW, [ReasonCode.UNGRADABLE])


def test_a_cause_that_is_only_the_patients_is_no_ground_to_repeat_the_scan():
    cloudy = Wording(text="Cataract.", remedy="Nothing to repeat.", operator_fixable=OperatorFixable.NO)
    protocol = Protocol(wording={ReasonCode.MP_SIGNAL: cloudy})
    patient_only = judge(scores(0, artifacts=artifacts(shadow=0.3)), protocol, CONTEXT)
    mixed = judge(scores(0, artifacts=artifacts(shadow=0.3, motion=0.2)), protocol, CONTEXT)
    assert patient_only.verdict is Verdict.REVIEW
    assert patient_only.reasons[0].text == "Cataract."
    assert mixed.verdict is Verdict.REACQUIRE


@pytest.mark.parametrize("ordinal", [0, 1, 2])
def test_an_abstained_grade_is_for_a_person(ordinal):
    judgement = judge(scores(ordinal, abstained=True), Protocol.default(), CONTEXT)
    assert judgement.verdict is Verdict.REVIEW
    assert codes(judgement)[0] is ReasonCode.ABSTAINED


def test_what_is_no_octa_image_has_that_reason_alone():
    stranger = scores(0, abstained=True, is_of_kind=False, artifacts=artifacts(motion=0.4))
    judgement = judge(stranger, Protocol.default(), CONTEXT)
    assert (judgement.verdict, codes(judgement)) == (Verdict.REVIEW, [ReasonCode.NOT_OCTA])


@pytest.mark.parametrize("ordinal", [0, 1, 2])
def test_without_a_visible_faz_a_person_looks(ordinal):
    judgement = judge(scores(ordinal, centration=Centration(NO_FAZ, NO_FAZ, None)), Protocol.default(), CONTEXT)
    assert judgement.verdict is Verdict.REVIEW
    assert codes(judgement)[0] is ReasonCode.NO_CENTRATION


def test_a_good_grade_far_off_centre_is_for_a_person_and_a_bad_one_is_taken_again():
    aside = Centration(Measured(0.7), Measured(0.23), Severity.SEVERE)
    assert judge(scores(2, centration=aside), Protocol.default(), CONTEXT).verdict is Verdict.REVIEW
    bad = judge(scores(0, centration=aside), Protocol.default(), CONTEXT)
    assert (bad.verdict, codes(bad)) == (Verdict.REACQUIRE, [ReasonCode.MP_CENTRATION])


@pytest.mark.parametrize(("own", "inherited"), [(0, 1), (0, 2), (1, 0), (2, 0)])
def test_slabs_that_differ_in_gradability_are_for_a_person(own, inherited):
    context = replace(CONTEXT, slab=Slab.DEEP, inherited_ordinal=inherited)
    judgement = judge(scores(own, artifacts=artifacts(motion=0.2)), Protocol.default(), context)
    assert judgement.verdict is Verdict.REVIEW
    assert codes(judgement)[0] is ReasonCode.SLAB_DISAGREEMENT
    assert effective_ordinal(scores(own), Protocol.default(), context) == 0


@pytest.mark.parametrize(("own", "inherited"), [(1, 2), (2, 1), (2, 2)])
def test_outstanding_against_gradable_is_no_disagreement(own, inherited):
    context = replace(CONTEXT, slab=Slab.DEEP, inherited_ordinal=inherited)
    assert judge(scores(own), Protocol.default(), context).verdict is Verdict.ACCEPT


def test_a_protocol_that_inherits_takes_the_superficial_grade():
    context = replace(CONTEXT, slab=Slab.DEEP, inherited_ordinal=2)
    protocol = Protocol(inherit=True)
    assert judge(scores(0, artifacts=artifacts(motion=0.3)), protocol, context).verdict is Verdict.ACCEPT
    assert judge(scores(0, abstained=True), protocol, context).verdict is Verdict.ACCEPT
    assert effective_ordinal(scores(0), protocol, context) == 2


@pytest.mark.parametrize(
    ("protocol", "changes", "code"),
    [
        (Protocol(requires_scale=True), {"scale": None}, ReasonCode.NO_SCALE),
        (Protocol(), {"is_device_certified": False}, ReasonCode.UNCERTIFIED),
        (Protocol(), {"is_technician_certified": False}, ReasonCode.UNCERTIFIED),
        (
            Protocol(expected=(ExpectedScanType(scan_type="octa-enface 3x3"),)),
            {"scan_type": "octa-enface 6x6"},
            ReasonCode.PROTOCOL,
        ),
    ],
)
def test_what_is_not_as_agreed_is_for_a_person(protocol, changes, code):
    judgement = judge(scores(2), protocol, replace(CONTEXT, **changes))
    assert (judgement.verdict, codes(judgement)) == (Verdict.REVIEW, [code])


def test_a_scan_without_scale_is_accepted_where_the_protocol_does_not_ask_for_one():
    assert judge(scores(1), Protocol.default(), replace(CONTEXT, scale=None)).verdict is Verdict.ACCEPT


def test_evidence_that_lies_mostly_beside_the_artifacts_is_for_a_person_unless_the_protocol_does_not_ask():
    beside = scores(0, artifacts=artifacts(motion=0.3), cam_mask_agreement=Measured(0.49))
    default = judge(beside, Protocol.default(), CONTEXT)
    assert (default.verdict, codes(default)) == (Verdict.REVIEW, [ReasonCode.CAM_DISAGREEMENT, ReasonCode.MP_MOTION])
    assert judge(beside, Protocol(smallest_cam_agreement=None), CONTEXT).verdict is Verdict.REACQUIRE
    assert judge(beside, Protocol(smallest_cam_agreement=0.3), CONTEXT).verdict is Verdict.REACQUIRE
    on = scores(0, artifacts=artifacts(motion=0.3), cam_mask_agreement=Measured(0.5))
    assert judge(on, Protocol.default(), CONTEXT).verdict is Verdict.REACQUIRE


def test_a_protocol_may_move_the_borders_of_severity():
    wide = Protocol().artifact_borders.model_copy(update={"mild_from": 0.2, "severe_above": 0.5})
    protocol = Protocol(artifact_borders=wide)
    judgement = judge(scores(0, artifacts=artifacts(motion=0.15)), protocol, CONTEXT)
    assert codes(judgement) == [ReasonCode.UNGRADABLE]


@pytest.mark.parametrize("code", [ReasonCode.UNSEEN_DEVICE, ReasonCode.UNSEEN_FIELD, ReasonCode.UNSEEN_SLAB])
def test_what_the_calibration_does_not_show_is_for_a_person_whatever_the_grade(code):
    context = replace(CONTEXT, unseen=(code,))
    good, bad = (
        judge(scores(2), Protocol(), context),
        judge(scores(0, artifacts=artifacts(motion=0.3)), Protocol(), context),
    )
    assert (good.verdict, codes(good)) == (Verdict.REVIEW, [code])
    assert (bad.verdict, codes(bad)) == (Verdict.REVIEW, [code, ReasonCode.MP_MOTION])


def test_a_stranger_is_never_accepted_nor_sent_back_whatever_else_holds():
    for ordinal in (0, 1, 2):
        for is_window_open in (True, False):
            context = replace(CONTEXT, is_window_open=is_window_open, inherited_ordinal=2, slab=Slab.DEEP)
            for protocol in (Protocol(), Protocol(inherit=True)):
                judgement = judge(scores(ordinal, is_of_kind=False), protocol, context)
                assert (judgement.verdict, codes(judgement)) == (Verdict.REVIEW, [ReasonCode.NOT_OCTA])
