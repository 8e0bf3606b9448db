"""The review form: the letters of OSCAR-MP or OSCAR-IB, how it begins, and what its failures ask for. Pure.

OSCAR-MP is for OCTA (Wicklein et al. 2023, doi:10.1212/NXI.0000000000200169), OSCAR-IB for structural OCT (Tewarie et
al. 2012, doi:10.1371/journal.pone.0034823). A letter that failed is a finding and not yet a verdict: a scan with a
little motion may be gradable.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from core.errors import UsageError
from core.policy.reasons import review_form_codes
from core.values import Reason
from core.vocabulary import OperatorFixable, ReasonCode, ReviewDecision, ScanKind

Marks = Mapping[ReasonCode, bool]
"""Every letter of a form: whether the scan passed it."""

MAX_WORDS = 1000
"""Characters of what a reviewer writes."""
_CURABLE_FIRST = (OperatorFixable.YES, OperatorFixable.UNKNOWN, OperatorFixable.NO)

_Words = Annotated[str, Field(max_length=MAX_WORDS)]


class ReviewDraft(BaseModel):
    """A form as it is being filled in: which step is open and what stands in each of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    marks: dict[ReasonCode, bool]
    step: ReviewDecision | None = None
    """The step whose fields are open; None: the letters alone."""
    ordinal: int | None = Field(default=None, ge=0, le=2)
    reason: _Words = ""
    text: _Words = ""
    remedy: _Words = ""
    question: _Words = ""


def form_name(kind: ScanKind) -> str:
    """``OSCAR-MP`` or ``OSCAR-IB``."""
    return review_form_codes(kind)[0].partition(":")[0].upper()


def letter(code: ReasonCode) -> str:
    """The letter that a criterion is known by."""
    return code.partition(":")[2]


def prefilled_marks(kind: ScanKind, reasons: Iterable[Reason]) -> dict[ReasonCode, bool]:
    """How the form begins: what the model flagged has failed, everything else has passed."""
    flagged = {reason.code for reason in reasons}
    return {code: code not in flagged for code in review_form_codes(kind)}


def known_marks(kind: ScanKind, marks: Marks) -> dict[ReasonCode, bool]:
    """The marks in the form's order, once it is sure that they are those of this kind's form (UsageError)."""
    codes = review_form_codes(kind)
    if set(marks) != set(codes):
        raise UsageError(
            f"The marks are not those of the form {form_name(kind)}.",
            remedy=f"Mark each of {', '.join(codes)} and nothing else.",
        )
    return {code: marks[code] for code in codes}


def failed_criteria(marks: Marks, ranked: Iterable[ReasonCode] = ()) -> tuple[ReasonCode, ...]:
    """The letters that failed: those of ``ranked`` (the model's reasons) in its order, then the rest as marked."""
    order = dict.fromkeys([*ranked, *marks])
    return tuple(code for code in order if marks.get(code) is False)


def request_reason(failed: Iterable[ReasonCode], worded: Callable[[ReasonCode], Reason]) -> Reason | None:
    """What a request quotes for these failures: one code, all of their texts and remedies; None without a failure.

    What the operator can cure leads, because the request asks the operator. What nobody can cure by a new scan
    (pathology) is named and asks for nothing, unless it is all there is.
    """
    reasons = sorted(
        (worded(code) for code in failed), key=lambda reason: _CURABLE_FIRST.index(reason.operator_fixable)
    )
    if not reasons:
        return None
    curable = [reason for reason in reasons if reason.operator_fixable is not OperatorFixable.NO] or reasons
    return Reason(
        reasons[0].code,
        reasons[0].operator_fixable,
        " ".join(dict.fromkeys(reason.text for reason in reasons)),
        " ".join(dict.fromkeys(reason.remedy for reason in curable)),
    )
