"""The demo study's calendar of visits: everybody comes once more half a year after the first visit.

It is imported twice, as a reading centre does: in the second version one visit has moved and one does not take place.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from core.clock import pretending
from core.intake.visit_calendar import check_rows
from core.phantom.demo_values import SENT_AT, DemoStudy
from core.store.access import Actor, Grant
from core.store.demo import find_user
from core.usecases.demo_people import FOLLOW_UP
from core.usecases.demo_workflow import Story
from core.usecases.plan_visits import PlanChange, check_calendar, plan_visits
from core.vocabulary import Role

COMES_AGAIN_AFTER = timedelta(weeks=25)
"""So that the first of them are due in the study's last days and the others lie ahead."""
PLANNED_WEEKS = 5
"""First visits of so many weeks have their day; the others get theirs with a later calendar."""
IMPORTED_BEFORE_END, CHANGED_BEFORE_END = timedelta(weeks=3), timedelta(weeks=1)
MOVED, CALLED_OFF = 3, 5
"""Which visit of the calendar, by its day, is changed in the second version."""
MOVED_BY = timedelta(days=7)
WHY_CALLED_OFF = "Subject moved abroad."


def planned_days(study: DemoStudy) -> Mapping[str, tuple[str, date]]:
    """By subject: site and day of the visit to come, in the order of the days."""
    first = {visit.subject.code: visit for visit in study.visits if visit.code == "V1" and not visit.is_missed}
    latest = study.starts_on + timedelta(weeks=PLANNED_WEEKS)
    chosen = sorted((visit.planned_on, code) for code, visit in first.items() if visit.planned_on < latest)
    return {code: (first[code].subject.site, day + COMES_AGAIN_AFTER) for day, code in chosen}


def calendar_rows(study: DemoStudy, *, is_changed: bool) -> list[dict[str, str]]:
    """The calendar as it was imported first, or with what changed since."""
    rows = [
        {"site": site, "subject": subject, "visit": FOLLOW_UP, "planned_on": f"{day}", "called_off": ""}
        for subject, (site, day) in planned_days(study).items()
    ]
    if is_changed and len(rows) > CALLED_OFF:
        rows[MOVED]["planned_on"] = f"{date.fromisoformat(rows[MOVED]['planned_on']) + MOVED_BY}"
        rows[CALLED_OFF]["called_off"] = WHY_CALLED_OFF
    return rows


def plan_follow_ups(story: Story) -> None:
    """Import both versions as the demo's manager, each on its day; a second telling changes nothing."""
    study_id = story.places.study_id
    with story.open_session() as session:
        person = find_user(session, "manager")
        manager = Actor(person, "manager", "Manager (demo)", (Grant(Role.MANAGER, study_id, None),))
        first = check_rows(calendar_rows(story.study, is_changed=False))
        check = check_calendar(session, first, actor=manager, study_id=study_id)
        is_told = check.count(PlanChange.NEW) == 0
    versions = ((True, CHANGED_BEFORE_END),) if is_told else ((False, IMPORTED_BEFORE_END), (True, CHANGED_BEFORE_END))
    for is_changed, before_end in versions:
        table = check_rows(calendar_rows(story.study, is_changed=is_changed))
        day = datetime.combine(story.study.ends_on - before_end, SENT_AT)
        if table.rows:
            with pretending(day), story.open_session() as session:
                plan_visits(session, table, actor=manager, study_id=study_id)
