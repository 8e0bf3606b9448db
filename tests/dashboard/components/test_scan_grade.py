"""What the model says of a picture of another kind is not shown as if it meant something."""

from types import SimpleNamespace
from typing import Any

from core.policy.reasons import default_reason
from core.vocabulary import ReasonCode, ScanKind, Verdict
from dashboard.components.scan_grade import OF_ANOTHER_KIND, grade, is_stranger


def view(*codes: ReasonCode) -> Any:
    judged = SimpleNamespace(
        ordinal=1, is_abstained=True, verdict=Verdict.REVIEW, card={}, conformal_level=0.01, inherited_ordinal=None,
        probabilities={"not usable": 0.0, "usable": 1.0}, reasons=tuple(map(default_reason, codes)),
    )  # fmt: skip
    return SimpleNamespace(
        assessment=judged, human_ordinal=None, final_verdict=None, kind=ScanKind.BSCAN, device_quality=None
    )


def test_a_stranger_has_no_probabilities_and_says_why() -> None:
    for code in (ReasonCode.NOT_OF_KIND, ReasonCode.NOT_OCTA):
        words = str(grade(view(code)))
        assert is_stranger(view(code))
        assert OF_ANOTHER_KIND in words
        assert "Usable" not in words


def test_of_every_other_scan_they_are_shown() -> None:
    words = str(grade(view(ReasonCode.ABSTAINED)))
    assert not is_stranger(view(ReasonCode.ABSTAINED))
    assert OF_ANOTHER_KIND not in words
    assert "Usable" in words
