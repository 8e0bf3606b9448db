"""The reasons of assessments as values, read for many assessments at once."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import AssessmentReason
from core.values import Reason
from core.vocabulary import OperatorFixable, ReasonCode


def read_reasons(session: Session, assessment_ids: Iterable[int]) -> dict[int, tuple[Reason, ...]]:
    """Reasons by assessment, the weightiest first; an assessment without any is absent."""
    rows = session.execute(
        select(
            AssessmentReason.assessment_id,
            AssessmentReason.code,
            AssessmentReason.operator_fixable,
            AssessmentReason.text,
            AssessmentReason.remedy,
        )
        .where(AssessmentReason.assessment_id.in_(sorted(set(assessment_ids))))
        .order_by(AssessmentReason.assessment_id, AssessmentReason.rank)
    )
    reasons: dict[int, list[Reason]] = defaultdict(list)
    for assessment_id, code, fixable, text, remedy in rows:
        reasons[assessment_id].append(Reason(ReasonCode(code), OperatorFixable(fixable), text, remedy))
    return {assessment_id: tuple(found) for assessment_id, found in reasons.items()}
