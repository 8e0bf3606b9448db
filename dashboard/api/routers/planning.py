"""What a study plans: versions of its protocol, and the calendar of visits."""

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from core.intake.visit_calendar import check_rows
from core.policy.parse_protocol import parse_protocol
from core.store.administration import list_protocol_versions
from core.store.visit_plan import find_plan
from core.usecases.administer_study import publish_protocol
from core.usecases.plan_visits import PLANNERS, call_off_visit, check_calendar, plan_visits, resume_visit
from dashboard.api.documents.base import Id
from dashboard.api.documents.places import ProtocolVersionDocument
from dashboard.api.documents.planning import (
    CalendarBody,
    CalendarDocument,
    ProtocolBody,
    VisitPlanDocument,
)
from dashboard.api.documents.work import NotPossibleBody
from dashboard.api.guard import ProtocolWriter, VisitWriter
from dashboard.api.routers.places import require_study

router = APIRouter(tags=["places"])

StudyId = Annotated[Id, Path(description="Id of a study.")]
VisitId = Annotated[Id, Path(description="Id of a visit.")]


@router.post("/studies/{study_id}/protocol-versions", status_code=201)
def publish_protocol_version(study_id: StudyId, body: ProtocolBody, caller: ProtocolWriter) -> ProtocolVersionDocument:
    """Publish the study's next protocol version; scans already judged keep the one they were judged by."""
    protocol = parse_protocol(body.document)
    with caller.open_session() as session:
        require_study(session, study_id)
        added = publish_protocol(
            session,
            actor=caller.actor,
            study_id=study_id,
            protocol=protocol,
            note=body.note,
            effective_at=body.effective_at,
        )
        versions = list_protocol_versions(session, study_id)
    return ProtocolVersionDocument.model_validate(next(each for each in versions if each.id == added))


@router.post("/studies/{study_id}/visit-calendar")
def import_calendar(study_id: StudyId, body: CalendarBody, caller: VisitWriter) -> CalendarDocument:
    """Import a calendar of visits, or with `dry_run` only say what it would change. A row's fault stops no other."""
    caller.require_role(frozenset(PLANNERS))
    table = check_rows([row.model_dump() for row in body.rows])
    act = check_calendar if body.dry_run else plan_visits
    with caller.open_session() as session:
        require_study(session, study_id)
        return CalendarDocument.of(act(session, table, actor=caller.actor, study_id=study_id, is_whole=body.is_whole))


@router.post("/visits/{visit_id}/call-off")
def call_visit_off(visit_id: VisitId, body: NotPossibleBody, caller: VisitWriter) -> VisitPlanDocument:
    """Say that a visit does not take place, so nothing more of it is missing."""
    with caller.open_session() as session:
        call_off_visit(session, actor=caller.actor, visit_id=visit_id, reason=body.reason)
        return _plan(session, visit_id)


@router.post("/visits/{visit_id}/resume")
def resume_called_off_visit(visit_id: VisitId, caller: VisitWriter) -> VisitPlanDocument:
    """Take a calling-off back."""
    with caller.open_session() as session:
        resume_visit(session, actor=caller.actor, visit_id=visit_id)
        return _plan(session, visit_id)


def _plan(session: Session, visit_id: int) -> VisitPlanDocument:
    session.flush()
    session.expire_all()
    plan = find_plan(session, visit_id)
    assert plan is not None, "it has just been moved"
    return VisitPlanDocument.model_validate(plan)
