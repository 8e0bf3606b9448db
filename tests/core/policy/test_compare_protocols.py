"""Versions are told apart setting by setting, in words, and a form's faults are named by their fields."""

from datetime import date

import pytest

from core.errors import UsageError
from core.phantom.demo_study import demo_study
from core.policy.compare_protocols import Difference, describe, differences
from core.policy.parse_protocol import parse_protocol
from core.policy.protocol import Certification, ExpectedScanType, Protocol, VisitWindow, Wording
from core.usecases.demo_people import amended_protocol
from core.vocabulary import Laterality, OperatorFixable, ReasonCode, Slab


def changed(**changes: object) -> tuple[Difference, ...]:
    return differences(Protocol(), Protocol().model_copy(update=changes))


def test_a_version_that_repeats_the_one_before_differs_in_nothing() -> None:
    assert changed() == ()


@pytest.mark.parametrize("name", list(Protocol.model_fields))
def test_a_change_of_any_field_is_seen(name: str) -> None:
    """Every field of a protocol is described: else a version could change something that nobody reads."""
    wording = Wording(text="Blurred.", remedy="Focus.", operator_fixable=OperatorFixable.YES)
    other = {
        "name": "other",
        "artifact_borders": Protocol().artifact_borders.model_copy(update={"mild_from": 0.02}),
        "centration_borders": Protocol().centration_borders.model_copy(update={"severe_above": 0.2}),
        "region_diameter_mm": 3.0,
        "expected": (ExpectedScanType(scan_type="octa-enface 3x3"),),
        "visit_window_days": None,
        "visit_windows": (VisitWindow(visit="V2", days=7),),
        "certification": Certification(devices=True),
        "inherit": True,
        "requires_scale": True,
        "smallest_cam_agreement": None,
        "conformal_level": 0.05,
        "known_devices": ("Optovue AngioVue",),
        "grading": Protocol().grading.model_copy(update={"n_graders": 2}),
        "wording": {ReasonCode.MP_MOTION: wording},
    }
    assert changed(**{name: other[name]})


def test_old_and_new_value_stand_side_by_side_in_words() -> None:
    expected = ExpectedScanType(
        scan_type="octa-enface 3x3", lateralities=(Laterality.OD,), required_slabs=(Slab.DEEP,), visits=("V1", "V2")
    )
    assert changed(visit_window_days=1, conformal_level=0.02, expected=(expected,)) == (
        Difference("Expected scan octa-enface 3x3", "not set", "OD; required: deep; at V1, V2"),
        Difference("Visit window", "28 days", "1 day"),
        Difference("Accept level", "1\u202f% of all scans", "2\u202f% of all scans"),
        Difference("Expected scans", "any; nothing is expected that was not sent", "not set"),
    )


def test_a_scan_type_on_two_lines_is_two_settings_and_neither_hides_the_others_change() -> None:
    first = ExpectedScanType(scan_type="octa-enface 3x3", required_slabs=(Slab.DEEP,), visits=("V1",))
    second = first.model_copy(update={"visits": ("FU",)})
    before = Protocol(expected=(first, second))
    after = Protocol(expected=(first.model_copy(update={"required_slabs": ()}), second))
    assert [each.name for each in differences(before, after)] == ["Expected scan octa-enface 3x3"]
    after = Protocol(expected=(first, second.model_copy(update={"required_slabs": ()})))
    assert [each.name for each in differences(before, after)] == ["Expected scan octa-enface 3x3 (2)"]


def test_defaults_name_their_source_and_own_values_are_the_studys() -> None:
    sources = {each.name: each.source for each in describe(Protocol(visit_window_days=7))}
    assert "Kamalipour" in sources["Artifact: severe above"]
    assert sources["Visit window"] == "this study"
    assert sources["Accept level"] == "ours; docs/adr/0016"
    assert all(sources.values())


def test_a_document_from_before_the_new_fields_reads_with_their_defaults() -> None:
    old = Protocol().model_dump(mode="json")
    for name in ("certification", "visit_windows", "grading"):
        del old[name]
    assert Protocol.model_validate(old) == Protocol()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"artifact_borders": {"mild_from": 0.2, "severe_above": 0.1, "source": "x"}}, "severe must begin later"),
        ({"conformal_level": 0.9}, "accept level: Input should be less than 0.5"),
        ({"visit_windows": [{"visit": "V1", "days": "soon"}]}, "visit windows, 0, days: Input should be a valid int"),
        ({"visit_windows": [{"visit": "", "days": "3"}]}, "visit windows, 0, visit"),
        ({"visit_windows": [{"visit": "V1", "days": 3}, {"visit": "V1", "days": 4}]}, "V1 stands there twice"),
        ({"expected": [{"scan_type": "octa 3"}]}, '"octa 3" is no scan type'),
        ({"expected": [{"scan_type": "octa-enface 3x3"}] * 2}, "octa-enface 3x3 stands there twice"),
        (
            {
                "expected": [
                    {"scan_type": "octa-enface 3x3", "visits": [visit], "required_slabs": slabs}
                    for visit, slabs in (("V1", ["deep"]), ("FU", []))
                ]
            },
            "octa-enface 3x3 needs the same slabs",
        ),
        (
            {"wording": {"oscar-mp:M": {"text": " ", "remedy": "x", "operator_fixable": "yes"}}},
            "text and remedy must not be empty",
        ),
    ],
)
def test_every_fault_of_a_form_is_named_by_its_field(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(UsageError, match="The protocol is not right") as refused:
        parse_protocol(Protocol().model_dump(mode="json") | changes)
    assert fault in str(refused.value)


def test_a_scan_type_may_stand_on_two_lines_for_other_visits_or_other_eyes() -> None:
    first = ExpectedScanType(scan_type="octa-enface 3x3", lateralities=(Laterality.OD,), visits=("V1",))
    at_another_visit = first.model_copy(update={"visits": ("FU",), "lateralities": tuple(Laterality)})
    of_another_eye = first.model_copy(update={"lateralities": (Laterality.OS,)})
    for other in (at_another_visit, of_another_eye):
        protocol = Protocol(expected=(first, other))
        assert parse_protocol(protocol.model_dump(mode="json")) == protocol
        assert protocol.eyes_of("octa-enface 3x3") == (Laterality.OD, Laterality.OS)
    anyone = first.model_copy(update={"lateralities": ()})
    assert Protocol(expected=(anyone, at_another_visit)).eyes_of("octa-enface 3x3") == ()


def test_the_demo_studys_own_protocol_can_be_published_again_from_its_form() -> None:
    amended = amended_protocol(demo_study(date(2026, 3, 2)))
    assert parse_protocol(amended.model_dump(mode="json")) == amended


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        parse_protocol(Protocol().model_dump(mode="json") | {"conformal_level": 0.9, "region_diameter_mm": -1})
    assert "accept level" in str(refused.value)
    assert "region of interest" in str(refused.value)


def test_a_visit_has_its_own_window_and_scans_where_the_protocol_says_so() -> None:
    scans = (
        ExpectedScanType(scan_type="octa-enface 3x3", lateralities=(Laterality.OD,)),
        ExpectedScanType(scan_type="octa-enface 6x6", lateralities=(Laterality.OS,), visits=("V2",)),
    )
    protocol = Protocol(expected=scans, visit_windows=(VisitWindow(visit="V2", days=7),))
    assert (protocol.window_days_of("V1"), protocol.window_days_of("V2")) == (28, 7)
    assert protocol.expected_at("V1") == ((Laterality.OD, "octa-enface 3x3"),)
    assert protocol.expected_at("V2") == ((Laterality.OD, "octa-enface 3x3"), (Laterality.OS, "octa-enface 6x6"))
