"""Reports asked for, and schedules made and changed by whoever keeps them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session

from core.store.report import read_report
from core.store.report_schedule import NewSchedule, Timing, list_addressees, read_schedules
from core.usecases.ask_report import ask_report
from core.usecases.schedule_reports import KEEPERS, make_schedule, set_recipients, set_schedule
from dashboard.api.documents.base import Id, Listing
from dashboard.api.documents.report_requests import (
    AddresseeDocument,
    AddresseesQuery,
    RecipientsBody,
    ReportBody,
    ScheduledReportBody,
    ScheduleStateBody,
)
from dashboard.api.documents.reports import ReportDocument, ScheduleDocument
from dashboard.api.guard import RateReader, ReportWriter

router = APIRouter(tags=["reports"])

ScheduleId = Annotated[Id, Path(description="Id of a schedule.")]


@router.post("/reports", status_code=201)
def ask_for_report(body: ReportBody, caller: ReportWriter) -> ReportDocument:
    """Ask for a site's report card or a study's quality report; it is made within seconds."""
    with caller.open_session() as session:
        report_id = ask_report(
            session,
            actor=caller.actor,
            kind=body.kind,
            study_id=body.study_id,
            site_id=body.site_id,
            n_weeks=body.n_weeks,
        )
        session.flush()
        return ReportDocument.model_validate(read_report(session, report_id))


@router.get("/report-addressees")
def list_report_addressees(
    asked: Annotated[AddresseesQuery, Query()], caller: RateReader
) -> Listing[AddresseeDocument]:
    """Who could get such a report by mail, for those who may make schedules for it."""
    caller.require_role(frozenset(KEEPERS))
    with caller.open_session() as session:
        found = list_addressees(session, asked.kind, study_id=asked.study, site_id=asked.site)
    return Listing(items=[AddresseeDocument.model_validate(each) for each in found])


@router.post("/report-schedules", status_code=201)
def make_report_schedule(body: ScheduledReportBody, caller: ReportWriter) -> ScheduleDocument:
    """Make a schedule whose reports go to these people by mail."""
    timing = Timing(body.every, body.on_day, body.hour)
    new = NewSchedule(body.kind, body.study_id, body.site_id, timing, body.n_weeks)
    with caller.open_session() as session:
        added = make_schedule(
            session,
            actor=caller.actor,
            new=new,
            recipient_ids=body.recipient_ids,
            settings=caller.installation.settings,
        )
        return _schedule(session, added)


@router.put("/report-schedules/{schedule_id}/recipients")
def change_recipients(schedule_id: ScheduleId, body: RecipientsBody, caller: ReportWriter) -> ScheduleDocument:
    """Send its reports to these people from now on."""
    with caller.open_session() as session:
        set_recipients(session, actor=caller.actor, schedule_id=schedule_id, recipient_ids=body.recipient_ids)
        return _schedule(session, schedule_id)


@router.put("/report-schedules/{schedule_id}/state")
def move_report_schedule(schedule_id: ScheduleId, body: ScheduleStateBody, caller: ReportWriter) -> ScheduleDocument:
    """Pause, resume or end it."""
    with caller.open_session() as session:
        set_schedule(session, actor=caller.actor, schedule_id=schedule_id, state=body.state)
        return _schedule(session, schedule_id)


def _schedule(session: Session, schedule_id: int) -> ScheduleDocument:
    session.flush()
    session.expire_all()
    return ScheduleDocument.model_validate(read_schedules(session, schedule_id=schedule_id)[0])
