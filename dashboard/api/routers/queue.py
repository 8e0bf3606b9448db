"""The scoring queue: what waits, how fast it is scored, what could not be scored."""

from datetime import timedelta

from fastapi import APIRouter

from core.clock import now
from core.store.queue_state import STUCK_STATES, read_lanes, read_scored_hours, read_stuck
from core.store.worker_process import read_hours, read_processes
from core.vocabulary import Role
from dashboard.api.documents.base import Page
from dashboard.api.documents.queue import (
    HourOfWorkDocument,
    LaneDocument,
    ProcessDocument,
    QueueDocument,
    ScoredHourDocument,
    StuckScanDocument,
)
from dashboard.api.filters import PlacesAsked, StuckAsked
from dashboard.api.guard import WorkReader

router = APIRouter(tags=["queue"])

KEEPERS = frozenset({Role.MANAGER, Role.ADMIN})
HOURS = 24


@router.get("/queue")
def read_queue(asked: PlacesAsked, caller: WorkReader) -> QueueDocument:
    """What waits to be scored, by kind of scan, and how many were scored by whom in the last 24 hours."""
    caller.require_role(KEEPERS)
    at = now()
    with caller.open_session() as session:
        lanes = read_lanes(session, study_id=asked.study, site_id=asked.site)
        since = at - timedelta(hours=HOURS)
        hours = read_scored_hours(session, since=since, study_id=asked.study, site_id=asked.site)
        processes, work = read_processes(session, since=since), read_hours(session, since=since)
    return QueueDocument(
        as_of=at,
        lanes=[LaneDocument.model_validate(lane) for lane in lanes],
        hours=[ScoredHourDocument.model_validate(hour) for hour in hours],
        processes=[ProcessDocument.model_validate(process) for process in processes],
        work=[HourOfWorkDocument.model_validate(hour) for hour in work],
    )


@router.get("/queue/stuck")
def list_stuck(asked: StuckAsked, caller: WorkReader) -> Page[StuckScanDocument]:
    """Scans that could not be scored, with why; a page begins after a number of rows."""
    caller.require_role(KEEPERS)
    with caller.open_session() as session:
        scans, total = read_stuck(
            session,
            STUCK_STATES,
            study_id=asked.study,
            site_id=asked.site,
            page=asked.number,
            page_size=asked.limit,
        )
    return Page(
        items=[StuckScanDocument.model_validate(scan) for scan in scans],
        next=asked.next_of(len(scans), total=total),
    )
