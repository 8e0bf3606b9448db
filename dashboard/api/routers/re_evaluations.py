"""Re-evaluations of a study, to be read. They are ordered by people, after a preview that the page Admin shows."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from core.errors import NotFoundError
from core.store.re_evaluation import count_outcomes, list_scans, read_re_evaluation, read_re_evaluations
from core.vocabulary import Outcome
from dashboard.api.documents.base import Id, Listing, Page
from dashboard.api.documents.re_evaluations import ReEvaluationDocument, ScanOutcomeDocument
from dashboard.api.guard import PlaceReader
from dashboard.api.paging import Paged, cursor
from dashboard.api.routers.places import require_study

router = APIRouter(tags=["places"])

StudyId = Annotated[Id, Path(description="Id of a study.")]
ReEvaluationId = Annotated[Id, Path(description="Id of a re-evaluation.")]


class OutcomesQuery(Paged):
    """Scans of a re-evaluation."""

    outcome: Outcome | None = Field(None, description="What became of them; left out: any.")


@router.get("/studies/{study_id}/re-evaluations")
def list_re_evaluations(study_id: StudyId, caller: PlaceReader) -> Listing[ReEvaluationDocument]:
    """The study's latest 20, as far as each is."""
    with caller.open_session() as session:
        require_study(session, study_id)
        rows = read_re_evaluations(session, study_id)
        counts = count_outcomes(session, [row.id for row in rows])
    return Listing(items=[ReEvaluationDocument.of(row, counts.get(row.id, {})) for row in rows])


@router.get("/re-evaluations/{re_evaluation_id}/scans")
def list_re_evaluated_scans(
    re_evaluation_id: ReEvaluationId, asked: Annotated[OutcomesQuery, Query()], caller: PlaceReader
) -> Page[ScanOutcomeDocument]:
    """What became of each scan that it met, of the caller's sites."""
    with caller.open_session() as session:
        if read_re_evaluation(session, re_evaluation_id) is None:
            raise NotFoundError(
                "There is no such re-evaluation, or none that you may see.",
                remedy="See GET /studies/{study_id}/re-evaluations.",
            )
        found = list_scans(session, re_evaluation_id, asked.outcome, after_id=asked.before_id or 0, limit=asked.limit)
    is_full = len(found) == asked.limit
    return Page(
        items=[ScanOutcomeDocument.model_validate(each) for each in found],
        next=cursor(found[-1].scan_id) if is_full else None,
    )
