"""The review form: which letters, how it begins, and what its failures ask of a site."""

import pytest

from core.errors import UsageError
from core.policy.reasons import REASON_TEXTS, default_reason, review_form_codes
from core.policy.review_form import (
    ReviewDraft,
    failed_criteria,
    form_name,
    known_marks,
    letter,
    prefilled_marks,
    request_reason,
)
from core.vocabulary import ReasonCode, ScanKind

OCTA = ScanKind.OCTA_ENFACE


@pytest.mark.parametrize(
    ("kind", "name", "letters"),
    [
        (ScanKind.OCTA_ENFACE, "OSCAR-MP", "OSCARMP"),
        (ScanKind.BSCAN, "OSCAR-IB", "OSCARIB"),
        (ScanKind.VOLUME, "OSCAR-IB", "OSCARIB"),
        (ScanKind.ONH_ENFACE, "OSCAR-IB", "OSCARIB"),
    ],
)
def test_the_scans_kind_chooses_the_form_and_its_seven_letters(kind: ScanKind, name: str, letters: str) -> None:
    assert form_name(kind) == name
    assert "".join(letter(code) for code in review_form_codes(kind)) == letters


def test_the_form_begins_with_what_the_model_flagged_as_failed() -> None:
    marks = prefilled_marks(OCTA, [default_reason(ReasonCode.MP_MOTION), default_reason(ReasonCode.ABSTAINED)])
    assert [code for code, is_passed in marks.items() if not is_passed] == [ReasonCode.MP_MOTION]
    assert tuple(marks) == review_form_codes(OCTA)


def test_marks_of_another_form_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="OSCAR-MP"):
        known_marks(OCTA, prefilled_marks(ScanKind.BSCAN, ()))
    with pytest.raises(UsageError, match="OSCAR-IB"):
        known_marks(ScanKind.BSCAN, {ReasonCode.IB_SIGNAL: True})


def test_failures_stand_in_the_models_order_and_then_in_the_forms() -> None:
    marks = prefilled_marks(OCTA, ()) | dict.fromkeys(
        [ReasonCode.MP_SIGNAL, ReasonCode.MP_MOTION, ReasonCode.MP_PATHOLOGY], False
    )
    ranked = [ReasonCode.ABSTAINED, ReasonCode.MP_MOTION, ReasonCode.MP_CENTRATION]
    assert failed_criteria(marks, ranked) == (ReasonCode.MP_MOTION, ReasonCode.MP_SIGNAL, ReasonCode.MP_PATHOLOGY)


def test_a_request_leads_with_what_the_operator_can_cure_and_names_the_rest() -> None:
    reason = request_reason([ReasonCode.MP_PATHOLOGY, ReasonCode.MP_SIGNAL, ReasonCode.MP_MOTION], default_reason)
    assert reason is not None
    assert reason.code == ReasonCode.MP_MOTION
    for code in (ReasonCode.MP_MOTION, ReasonCode.MP_SIGNAL, ReasonCode.MP_PATHOLOGY):
        assert REASON_TEXTS[code].text in reason.text
    assert REASON_TEXTS[ReasonCode.MP_PATHOLOGY].remedy not in reason.remedy


def test_without_a_failure_there_is_no_reason_and_pathology_alone_says_that_nothing_is_to_be_repeated() -> None:
    assert request_reason([], default_reason) is None
    alone = request_reason([ReasonCode.MP_PATHOLOGY], default_reason)
    assert alone is not None
    assert alone.remedy == REASON_TEXTS[ReasonCode.MP_PATHOLOGY].remedy


def test_a_draft_is_read_back_as_it_was_written_and_refuses_what_it_does_not_know() -> None:
    draft = ReviewDraft(marks=prefilled_marks(OCTA, ()), ordinal=1, reason="Sharp.")
    assert ReviewDraft.model_validate(draft.model_dump(mode="json")) == draft
    for wrong in ({"ordinal": 7}, {"reason": "x" * 1001}, {"colour": "red"}, {"marks": {"oscar-mp:Z": True}}):
        with pytest.raises(ValueError, match="validation error"):
            ReviewDraft.model_validate(draft.model_dump(mode="json") | wrong)
