"""A protocol survives the database and refuses what makes no sense."""

import json

import pytest
from pydantic import ValidationError

from core.policy.protocol import ExpectedScanType, Protocol, Wording
from core.policy.reasons import ARTIFACT_REASON, HUMAN_ONLY, REASON_TEXTS, default_reason, review_form_codes
from core.policy.scan_types import scan_type
from core.vocabulary import ArtifactType, OperatorFixable, ReasonCode, ScanKind, Slab

FULL = Protocol(
    name="DEMO v2",
    expected=(ExpectedScanType(scan_type="octa-enface 3x3", required_slabs=(Slab.SUPERFICIAL, Slab.DEEP)),),
    region_diameter_mm=3.0,
    visit_window_days=None,
    inherit=True,
    wording={ReasonCode.MP_MOTION: Wording(text="t", remedy="r", operator_fixable=OperatorFixable.YES)},
)


@pytest.mark.parametrize("protocol", [Protocol.default(), FULL])
def test_a_protocol_round_trips_as_json(protocol):
    document = json.loads(json.dumps(protocol.model_dump(mode="json")))
    assert Protocol.model_validate(document) == protocol


@pytest.mark.parametrize(
    "wrong", [{"visit_windw_days": 3}, {"region_diameter_mm": -1}, {"conformal_level": 0.9}, {"visit_window_days": -1}]
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        Protocol.model_validate(wrong)


def test_a_protocol_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        Protocol.default().inherit = True


def test_required_slabs_are_those_of_the_scan_type():
    assert FULL.required_slabs_of("octa-enface 3x3") == (Slab.SUPERFICIAL, Slab.DEEP)
    assert FULL.required_slabs_of("octa-enface 6x6") == ()
    assert Protocol.default().required_slabs_of("octa-enface 3x3") == ()


def test_a_protocol_without_expectations_expects_everything():
    assert Protocol.default().expects("octa-enface unknown field")
    assert FULL.expects("octa-enface 3x3")
    assert not FULL.expects("octa-enface 6x6")


def test_a_study_may_have_its_own_words():
    assert FULL.reason(ReasonCode.MP_MOTION).text == "t"
    assert FULL.reason(ReasonCode.MP_SIGNAL) == default_reason(ReasonCode.MP_SIGNAL)


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_says_what_is_wrong_and_what_to_do(code):
    wording = REASON_TEXTS[code]
    assert wording.text.endswith(".")
    assert wording.remedy.endswith(".")
    assert wording.label
    assert not wording.label.endswith(".")


def test_every_artifact_falls_under_a_criterion_that_the_machine_may_set():
    assert set(ARTIFACT_REASON) == set(ArtifactType)
    assert not HUMAN_ONLY & set(ARTIFACT_REASON.values())


def test_pathology_is_never_a_ground_to_repeat_a_scan():
    for code in (ReasonCode.MP_PATHOLOGY, ReasonCode.IB_PATHOLOGY):
        assert REASON_TEXTS[code].operator_fixable is OperatorFixable.NO


def test_the_review_form_spells_the_checklist():
    assert "".join(code.value[-1] for code in review_form_codes(ScanKind.OCTA_ENFACE)) == "OSCARMP"
    assert "".join(code.value[-1] for code in review_form_codes(ScanKind.BSCAN)) == "OSCARIB"
    assert set(ReasonCode) > HUMAN_ONLY


@pytest.mark.parametrize(
    ("width", "height", "name"),
    [
        (3.0, 3.0, "octa-enface 3x3"),
        (2.9, 3.1, "octa-enface 3x3"),
        (4.5, 4.5, "octa-enface 4.5x4.5"),
        (5.8, 5.8, "octa-enface 6x6"),
        (12, 9, "octa-enface 12x9"),
        (None, 3.0, "octa-enface unknown field"),
        (None, None, "octa-enface unknown field"),
    ],
)
def test_a_scan_type_names_the_nominal_field(width, height, name):
    assert scan_type(ScanKind.OCTA_ENFACE, width, height) == name
