"""Every code has words."""

from core import wording
from core.vocabulary import (
    ArtifactType,
    ReasonCode,
    RequestState,
    ReviewDecision,
    Role,
    ScanKind,
    ScanState,
    Severity,
    Slab,
    Verdict,
)  # fmt: skip


def test_every_code_that_a_page_shows_has_a_name():
    pairs = {
        Role: wording.ROLE_NAMES,
        Slab: wording.SLAB_NAMES,
        ArtifactType: wording.ARTIFACT_NAMES,
        Severity: wording.SEVERITY_NAMES,
        Verdict: wording.VERDICT_NAMES,
        ScanState: wording.STATE_NAMES,
        RequestState: wording.REQUEST_NAMES,
        ReviewDecision: wording.DECISION_NAMES,
        ScanKind: wording.KIND_NAMES,
        ReasonCode: wording.REASON_NAMES,
    }
    for kind, names in pairs.items():
        assert set(names) == set(kind), kind


def test_scan_types_and_reasons_read_as_people_write_them():
    types = {"octa-enface 3x3": "OCTA 3 × 3 mm", "octa-enface unknown field": "OCTA, size not known",
             "bscan 6x4.5": "B-scan 6 × 4.5 mm"}  # fmt: skip
    assert {code: wording.scan_type_words(code) for code in types} == types
    assert wording.reason_code_words(ReasonCode.MP_MOTION) == "OSCAR-MP: M"
    assert wording.reason_code_words(ReasonCode.ABSTAINED) == "octaudit: abstained"


def test_only_octa_scans_are_named_with_a_slab():
    assert wording.scan_words("octa-enface 3x3", Slab.DEEP) == "OCTA 3 × 3 mm, deep"
    assert wording.scan_words("volume 6x6", Slab.UNKNOWN) == "OCT volume 6 × 6 mm"
    assert wording.scan_words("onh-enface 6x6", Slab.FULL_RETINA) == "Optic nerve head 6 × 6 mm"


def test_the_middle_grade_carries_its_number():
    assert wording.GRADE_NAMES[1] == "Gradable (1)"


def test_durations_use_the_largest_unit_that_says_something():
    said = {59: "59 s", 180: "3 min", 7100: "118 min", 7300: "2 h", 200_000: "2 days"}
    assert {seconds: wording.ago(seconds) for seconds in said} == said


def test_days_left_read_as_a_person_would_say_it():
    said = {
        -200: "closed 6 months ago",
        -1968: "closed 5 years ago",
        None: "no visit window",
        9: "9 days left",
        1: "1 day left",
        0: "last day",
        -1: "closed 1 day ago",
    }
    assert {days: wording.days_left_words(days) for days in said} == said
