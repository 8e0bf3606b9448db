"""Schedules of reports: a manager makes, changes and ends them; the keeper asks for what is due, once each.

What may follow what stands in one table. A schedule that was missed while nothing ran asks once, for its latest moment:
the reports of the moments before would say less of the same weeks.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.settings import Settings
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.report import NewReport, ask
from core.store.report_schedule import (
    Due,
    NewSchedule,
    Schedule,
    Timing,
    add_recipients,
    add_schedule,
    claim_due,
    list_addressees,
    move_schedule,
    put_next,
    read_schedules,
    remove_recipients,
)
from core.usecases.ask_report import LONGEST_WEEKS
from core.usecases.find_flags import standing_weeks
from core.vocabulary import ReportKind, Role, SchedulePace, ScheduleState

KEEPERS = (Role.MANAGER, Role.ADMIN)
_S = ScheduleState
MOVES: dict[ScheduleState, frozenset[ScheduleState]] = {
    _S.RUNNING: frozenset({_S.PAUSED, _S.ENDED}),
    _S.PAUSED: frozenset({_S.RUNNING, _S.ENDED}),
    _S.ENDED: frozenset(),
}
"""What may follow what. An ended schedule stays ended: make a new one."""
LAST_DAYS = {SchedulePace.WEEK: 7, SchedulePace.MONTH: 28}
LAST_HOUR = 23


def make_schedule(
    session: Session, *, actor: Actor, new: NewSchedule, recipient_ids: Sequence[int], settings: Settings
) -> int:
    """Make a schedule whose reports go to these people by mail; return its id.

    Raises NotAllowedError where the person does not manage what it is about, UsageError for a moment that cannot be,
    for no recipient, and for one whose rights do not reach the report or who has no confirmed address.
    """
    _refuse_unless_kept(actor, new.study_id, new.site_id)
    _refuse_impossible(new)
    if not settings.smtp_host:
        raise UsageError("No mail server is set.", remedy="Set OCTAUDIT_SMTP_HOST; docs/settings.md says how.")
    names = _refuse_unreachable(
        session, new.kind, study_id=new.study_id, site_id=new.site_id, recipient_ids=recipient_ids
    )
    assert actor.user_id is not None, "only people make schedules"
    next_at = next_moment(new.timing, after=now())
    wanted = tuple(dict.fromkeys(recipient_ids))
    added = add_schedule(session, new, next_at=next_at, created_by_id=actor.user_id, recipient_ids=wanted)
    after = {
        "kind": new.kind.value, "every": new.timing.every.value, "on_day": new.timing.on_day, "hour": new.timing.hour,
        "n_weeks": new.n_weeks, "recipients": names,
    }  # fmt: skip
    record_event(
        session, actor=actor, action="schedule.made", entity="report_schedule", entity_id=added, study_id=new.study_id,
        site_id=new.site_id, after=after,
    )  # fmt: skip
    return added


def set_schedule(session: Session, *, actor: Actor, schedule_id: int, state: ScheduleState) -> Schedule:
    """Pause, resume or end a schedule; return it as it was. A resumed one is due at its next moment, not at a missed.

    Raises NotFoundError, NotAllowedError, and IllegalMoveError with the reason where it cannot become ``state``.
    """
    schedule = _kept(session, actor, schedule_id)
    if state not in MOVES[schedule.state]:
        raise IllegalMoveError(
            f"The schedule is {schedule.state} and cannot become {state}.",
            remedy="Make a new one." if schedule.state is _S.ENDED else "Load the page again.",
        )
    moment = now()
    next_at = next_moment(schedule.timing, after=moment) if state is _S.RUNNING else None
    move_schedule(session, schedule_id, state, at=moment, next_at=next_at)
    record_event(
        session, actor=actor, action=f"schedule.{state}", entity="report_schedule", entity_id=schedule_id,
        study_id=schedule.study_id, site_id=schedule.site_id, before={"state": schedule.state.value},
        after={"state": state.value},
    )  # fmt: skip
    return schedule


def set_recipients(session: Session, *, actor: Actor, schedule_id: int, recipient_ids: Sequence[int]) -> Schedule:
    """Send a schedule's reports to these people from now on; return it as it was.

    Raises NotFoundError, NotAllowedError, IllegalMoveError where it has ended, and UsageError for nobody, or for
    somebody new whose rights do not reach the report or who has no confirmed address.
    """
    schedule = _kept(session, actor, schedule_id)
    if schedule.state is ScheduleState.ENDED:
        raise IllegalMoveError("The schedule has ended: it sends nothing.", remedy="Make a new one.")
    wanted, before = set(recipient_ids), set(schedule.recipient_ids)
    if wanted == before:
        raise UsageError("Nobody was added or taken away.", remedy="Change the list first.")
    if not wanted:
        raise UsageError("The schedule would have no recipient.", remedy="End it instead.")
    added, removed = sorted(wanted - before), sorted(before - wanted)
    if added:  # who stays is asked again at every sending, and must not keep others from being taken away
        _refuse_unreachable(
            session, schedule.kind, study_id=schedule.study_id, site_id=schedule.site_id, recipient_ids=added
        )
    add_recipients(session, schedule_id, schedule.study_id, added)
    remove_recipients(session, schedule_id, removed)
    session.flush()
    after = read_schedules(session, schedule_id=schedule_id)[0]
    record_event(
        session, actor=actor, action="schedule.recipients", entity="report_schedule", entity_id=schedule_id,
        study_id=schedule.study_id, site_id=schedule.site_id, before={"recipients": list(schedule.recipients)},
        after={"recipients": list(after.recipients)},
    )  # fmt: skip
    return schedule


def _kept(session: Session, actor: Actor, schedule_id: int) -> Schedule:
    """The schedule, where this person keeps it."""
    schedule = next(iter(read_schedules(session, schedule_id=schedule_id)), None)
    if schedule is None:
        raise NotFoundError(f"There is no schedule {schedule_id}.", remedy="Choose one on the page Reports.")
    _refuse_unless_kept(actor, schedule.study_id, schedule.site_id)
    return schedule


def ask_due(database: Database) -> int:
    """Ask for the reports whose moment has come, with the worker's rights; return how many were asked for.

    Safe from several keepers at once and after any pause: one report per schedule and moment.
    """
    with session_scope(database) as session:
        moment = now()
        return sum(_ask(session, due, at=moment) for due in claim_due(session, at=moment))


def _ask(session: Session, due: Due, *, at: datetime) -> bool:
    occurrence, n_missed = due.next_at, 0
    while (later := next_moment(due.timing, after=occurrence)) <= at:
        occurrence, n_missed = later, n_missed + 1
    since, until = standing_weeks(occurrence.date(), due.n_weeks)
    report_id = ask(
        session,
        NewReport(
            due.kind, due.study_id, due.site_id, since, until, schedule_id=due.schedule_id, occurrence_at=occurrence
        ),
    )
    put_next(session, due.schedule_id, later)
    if report_id is not None:
        record_event(
            session, actor=PROGRAM, action="report.asked", entity="report", entity_id=report_id,
            study_id=due.study_id, site_id=due.site_id,
            after={"schedule": due.schedule_id, "moment": occurrence.isoformat(), "missed_before": n_missed},
        )  # fmt: skip
    return report_id is not None


def next_moment(timing: Timing, *, after: datetime) -> datetime:
    """The first moment after ``after`` at which a schedule of this timing is due."""
    day = after.astimezone(UTC).date()
    for _ in range(LONGEST_WAIT_DAYS):
        found = datetime.combine(day, time(timing.hour), UTC)
        if found > after and _is_day(timing, found):
            return found
        day += timedelta(days=1)
    raise AssertionError("every week and every month has the day")


LONGEST_WAIT_DAYS = 33


def _is_day(timing: Timing, moment: datetime) -> bool:
    return timing.on_day == (moment.isoweekday() if timing.every is SchedulePace.WEEK else moment.day)


def _refuse_unless_kept(actor: Actor, study_id: int, site_id: int | None) -> None:
    kept = [grant for grant in actor.grants if grant.role in KEEPERS and grant.covers(study_id, site_id)]
    if not any(site_id is not None or grant.site_id is None for grant in kept):
        raise NotAllowedError(
            "Only a manager of what the report is about makes and changes its schedules.", remedy="Ask one of them."
        )


def _refuse_impossible(new: NewSchedule) -> None:
    timing = new.timing
    if (new.kind is ReportKind.SITE) != (new.site_id is not None) or new.kind in {ReportKind.RECEIPT, ReportKind.TIPS}:
        raise UsageError("A schedule is of one site or of one study.", remedy="Choose a site for a site report card.")
    if not (1 <= timing.on_day <= LAST_DAYS[timing.every] and 0 <= timing.hour <= LAST_HOUR):
        raise UsageError(
            f"Day {timing.on_day} of a {timing.every} at {timing.hour} h is no moment.",
            remedy="Weeks have days 1 to 7, months 1 to 28, which every month has; hours are 0 to 23 UTC.",
        )
    if not 1 <= new.n_weeks <= LONGEST_WEEKS:
        raise UsageError(f"{new.n_weeks} weeks are no period.", remedy=f"Choose 1 to {LONGEST_WEEKS} weeks.")


def _refuse_unreachable(
    session: Session, kind: ReportKind, *, study_id: int, site_id: int | None, recipient_ids: Sequence[int]
) -> list[str]:
    """The names of the recipients; UsageError where there is none, or one whom the report must not or cannot reach."""
    known = {each.user_id: each for each in list_addressees(session, kind, study_id=study_id, site_id=site_id)}
    if not recipient_ids:
        raise UsageError("The schedule has no recipient.", remedy="Choose at least one person.")
    if any(each not in known for each in recipient_ids):
        raise UsageError(
            "One of the recipients has no role that reaches this report.",
            remedy="Choose from the list. Plain addresses are not taken: rights are asked again at every sending.",
        )
    silent = [known[each].name for each in recipient_ids if not known[each].has_address]
    if silent:
        raise UsageError(
            f"No e-mail address is confirmed of {', '.join(silent)}.",
            remedy="They enter and confirm one on the page Alerts.",
        )
    return [known[each].name for each in recipient_ids]
