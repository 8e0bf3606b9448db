"""The calendar of visits: what is planned is expected from its day on, so that a visit that sends nothing is missing.

A calendar is imported again whenever it or the protocol changed: what is new is added, what moved is moved, what the
protocol of the planned day no longer expects is replaced as far as nothing of it arrived, what is unchanged is left.
Where it is said to be whole, planned visits that it does not name and that sent nothing are called off. Scans that
arrived keep their slots, whatever happens to the plan. Each change has its audit event. Raised by all: NotAllowedError,
UsageError, NotFoundError.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.intake.problems import Problem
from core.intake.visit_calendar import CalendarTable, PlannedRow
from core.policy.protocol import Protocol
from core.store import visit_plan as store
from core.store.access import Actor
from core.store.audit import record_event
from core.store.batch import SiteRef, read_sites
from core.store.capture import add_visit, find_or_add_subject
from core.store.protocol import ProtocolTimeline, read_protocols
from core.store.visit_plan import Slot, VisitKey, VisitPlan
from core.vocabulary import Role

PLANNERS = (Role.QC_TECHNICIAN, Role.MANAGER, Role.ADMIN)
"""Who plans: the reading centre. A site whose plan it were could move what it has not sent."""
EARLIEST, LATEST = date(2000, 1, 1), timedelta(days=3650)
"""Days that a plan may name: a slip in the year is no visit in ten years' time."""


class PlanChange(StrEnum):
    """What a row does to the visit that it names."""

    NEW = "new"
    MOVED = "moved"
    CALLED_OFF = "called off"
    RESUMED = "takes place after all"
    REPLACED = "expects other scans"
    LEFT_OUT = "left out, so called off"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One row and what it would do, or did."""

    row: PlannedRow
    change: PlanChange
    site_id: int
    window_ends_on: date | None
    former: VisitPlan | None
    """The visit as it stood; None where the row makes it."""
    added: tuple[Slot, ...] = ()
    """What the visit did not expect before; empty of a visit that the row makes."""
    removed: tuple[Slot, ...] = ()
    """What the protocol of its day no longer expects, and nothing arrived of."""

    @property
    def key(self) -> VisitKey:
        """Which visit it is."""
        return self.site_id, self.row.subject, self.row.visit


@dataclass(frozen=True, slots=True)
class CalendarCheck:
    """What importing a calendar would do. Rows with a blocking problem are in no line."""

    lines: tuple[PlanLine, ...]
    problems: tuple[Problem, ...]

    def count(self, change: PlanChange) -> int:
        """How many visits it does that to."""
        return sum(line.change is change for line in self.lines)


def check_calendar(
    session: Session, table: CalendarTable, *, actor: Actor, study_id: int, is_whole: bool = False
) -> CalendarCheck:
    """What each row would do; a row of a site that is unknown or not the person's is a problem. Writes nothing.

    ``is_whole``: the calendar names every visit of its sites, so those that it leaves out are called off; not where a
    row has a fault, because that row's visit would be among them.
    """
    sites = {each.site.casefold(): each for each in read_sites(session) if each.study_id == study_id}
    timeline = read_protocols(session, [study_id])
    problems, kept = list(table.problems), []
    for row in table.rows:
        site = sites.get(row.site.casefold())
        fault = _fault(row, site, actor)
        if fault is not None:
            problems.append(fault)
        elif site is not None:
            kept.append((row, site))
    plans = store.find_plans(session, [_key(row, site) for row, site in kept])
    lines = tuple(_line(row, site, plans, timeline) for row, site in kept)
    if lines and not any(_expected(timeline, study_id, line.row) for line in lines):
        problems.append(_EXPECTS_NOTHING)
    if is_whole and any(problem.is_blocking for problem in problems):
        problems.append(_NOT_WHOLE)
    elif is_whole:
        lines += _left_out(session, {site.site_id: site for _, site in kept}, {line.key for line in lines})
    return CalendarCheck(lines, tuple(problems))


def _left_out(session: Session, sites: Mapping[int, SiteRef], named: Collection[VisitKey]) -> tuple[PlanLine, ...]:
    """Planned visits of these sites that sent nothing and stand in no row."""
    reason = f"Not in the calendar imported on {now():%d %b %Y}."
    return tuple(
        PlanLine(
            PlannedRow(
                None, sites[plan.site_id].site, plan.subject, plan.visit, plan.planned_on, plan.window_ends_on, reason
            ),
            PlanChange.LEFT_OUT, plan.site_id, plan.window_ends_on, plan,
        )
        for plan in store.find_unmet_plans(session, sites)
        if plan.key not in named and plan.planned_on is not None
    )  # fmt: skip


def plan_visits(
    session: Session, table: CalendarTable, *, actor: Actor, study_id: int, is_whole: bool = False
) -> CalendarCheck:
    """Do what the rows say; returns what was done. Rows with problems stop none of the others."""
    check = check_calendar(session, table, actor=actor, study_id=study_id, is_whole=is_whole)
    if not check.lines and any(problem.is_blocking for problem in check.problems):
        fault = next(problem for problem in check.problems if problem.is_blocking)
        raise UsageError(f"No row of the calendar can be taken. {fault.message}", remedy=fault.remedy)
    timeline = read_protocols(session, [study_id])
    for line in check.lines:
        if line.change is not PlanChange.UNCHANGED:
            visit_id = _write(session, line, _expected(timeline, study_id, line.row))
            _record(session, actor, line, visit_id, study_id)
    return check


def call_off_visit(session: Session, *, actor: Actor, visit_id: int, reason: str) -> VisitPlan:
    """Say that a visit does not take place, so nothing more of it is missing; returns it as it was."""
    plan = _planned(session, actor, visit_id)
    if not reason.strip():
        raise UsageError("The visit is called off without a reason.", remedy="Say why it does not take place.")
    if plan.called_off_at is not None:
        raise IllegalMoveError("The visit was called off already.", remedy="Load the page again.")
    store.set_called_off(session, visit_id, at=now(), reason=reason.strip())
    _record_standing(session, actor, plan, "visit.called_off", reason=reason.strip())
    return plan


def resume_visit(session: Session, *, actor: Actor, visit_id: int) -> VisitPlan:
    """Take a calling-off back: the visit is expected again from its planned day on; returns it as it was."""
    plan = _planned(session, actor, visit_id)
    if plan.called_off_at is None:
        raise IllegalMoveError("The visit was not called off.", remedy="Load the page again.")
    store.set_called_off(session, visit_id, at=None, reason="")
    _record_standing(session, actor, plan, "visit.resumed", reason="")
    return plan


def may_plan(actor: Actor, study_id: int, site_id: int | None = None) -> bool:
    """Whether a person plans visits there."""
    return actor.has_role(*PLANNERS, study_id=study_id, site_id=site_id)


_EXPECTS_NOTHING = Problem(
    "protocol_expects_nothing",
    "The study's protocol names no expected scans for these visits, so nothing of them can be missing.",
    "Name the expected scans in the protocol first (page Admin), then import the calendar.",
    is_blocking=False,
)
_NOT_WHOLE = Problem(
    "calendar_not_whole",
    "Nothing is called off for being left out: the rows that have a fault name visits, too.",
    "Correct those rows, then import the whole calendar again.",
    is_blocking=False,
)


def _fault(row: PlannedRow, site: SiteRef | None, actor: Actor) -> Problem | None:
    """Why a row cannot be taken, whatever the visit is."""
    if site is None:
        return Problem("site_unknown", f"Line {row.line}: there is no site {row.site} in this study.",
                       "Use the site's code as the page Admin shows it.", "site")  # fmt: skip
    if not may_plan(actor, site.study_id, site.site_id):
        return Problem("not_yours", f"Line {row.line}: you do not plan visits of site {row.site}.",
                       "Leave its rows out, or ask its manager.", "site")  # fmt: skip
    if not EARLIEST <= row.planned_on <= now().date() + LATEST:
        return Problem("day_implausible", f"Line {row.line}: the planned day {row.planned_on} cannot be meant.",
                       "Check the year.", "planned_on")  # fmt: skip
    return None


def _key(row: PlannedRow, site: SiteRef) -> VisitKey:
    return site.site_id, row.subject, row.visit


def _line(row: PlannedRow, site: SiteRef, plans: Mapping[VisitKey, VisitPlan], timeline: ProtocolTimeline) -> PlanLine:
    former = plans.get(_key(row, site))
    window = row.window_ends_on or _window_end(row, timeline, site.study_id, former)
    added, removed = _replacement(row, former, _expected(timeline, site.study_id, row))
    change = _change(row, window, former, is_replaced=bool(added or removed))
    return PlanLine(row, change, site.site_id, window, former, added, removed)


def _replacement(
    row: PlannedRow, former: VisitPlan | None, expected: Sequence[Slot]
) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
    """What a known visit is to expect that it did not, and what no longer; nothing of one that is called off."""
    if former is None or row.called_off:
        return (), ()
    known = former.received | former.awaited
    return tuple(slot for slot in expected if slot not in known), tuple(sorted(former.awaited - set(expected)))


def _change(row: PlannedRow, window: date | None, former: VisitPlan | None, *, is_replaced: bool) -> PlanChange:
    if former is None:
        return PlanChange.NEW
    if row.called_off:
        is_same = former.called_off_reason == row.called_off
        return PlanChange.UNCHANGED if is_same else PlanChange.CALLED_OFF
    if former.called_off_at is not None:
        return PlanChange.RESUMED
    if (former.planned_on, former.window_ends_on) != (row.planned_on, window):
        return PlanChange.MOVED
    return PlanChange.REPLACED if is_replaced else PlanChange.UNCHANGED


def _window_end(row: PlannedRow, timeline: ProtocolTimeline, study_id: int, former: VisitPlan | None) -> date | None:
    """By the protocol, from the planned day on; once something arrived the window stays as its capture set it."""
    if former is not None and (former.is_received or former.planned_on == row.planned_on):
        return former.window_ends_on
    protocol = _protocol(timeline, study_id, row)
    days = protocol.window_days_of(row.visit) if protocol is not None else None
    return row.planned_on + timedelta(days=days) if days is not None else None


def _protocol(timeline: ProtocolTimeline, study_id: int, row: PlannedRow) -> Protocol | None:
    in_force = timeline.at(study_id, datetime.combine(row.planned_on, time(12), UTC))
    return in_force.protocol if in_force is not None else None


def _expected(timeline: ProtocolTimeline, study_id: int, row: PlannedRow) -> Sequence[Slot]:
    protocol = _protocol(timeline, study_id, row)
    return protocol.expected_at(row.visit) if protocol is not None else ()


def _write(session: Session, line: PlanLine, expected: Sequence[Slot]) -> int:
    row, former = line.row, line.former
    if former is None:
        subject_id = find_or_add_subject(session, line.site_id, row.subject)
        visit_id = add_visit(
            session, line.site_id, subject_id, row.visit, window_ends_on=line.window_ends_on,
            expected=expected,
        )  # fmt: skip
    else:
        visit_id = former.visit_id
        store.replace_awaited(session, former, added=line.added, removed=line.removed)
    store.set_plan(session, visit_id, planned_on=row.planned_on, window_ends_on=line.window_ends_on)
    was_called_off = former is not None and former.called_off_at is not None
    if row.called_off or was_called_off:
        store.set_called_off(session, visit_id, at=now() if row.called_off else None, reason=row.called_off)
    return visit_id


_ACTIONS = {
    PlanChange.NEW: "visit.planned", PlanChange.MOVED: "visit.moved", PlanChange.CALLED_OFF: "visit.called_off",
    PlanChange.RESUMED: "visit.resumed", PlanChange.REPLACED: "visit.expects_otherwise",
    PlanChange.LEFT_OUT: "visit.called_off",
}  # fmt: skip


def _record(session: Session, actor: Actor, line: PlanLine, visit_id: int, study_id: int) -> None:
    former = line.former
    before: dict[str, Any] | None = None if former is None else _days(former.planned_on, former.window_ends_on)
    after: dict[str, Any] = {"visit": line.row.visit, **_days(line.row.planned_on, line.window_ends_on)}
    if former is not None and (line.added or line.removed):
        before = (before or {}) | {"awaited": _slot_words(former.awaited)}
        after["awaited"] = _slot_words((former.awaited - set(line.removed)) | set(line.added))
    record_event(
        session, actor=actor, action=_ACTIONS[line.change], entity="visit", entity_id=visit_id, study_id=study_id,
        site_id=line.site_id, before=before, after=after, reason=line.row.called_off,
    )  # fmt: skip


def _slot_words(slots: Iterable[Slot]) -> list[str]:
    return sorted(f"{laterality} {scan_type}" for laterality, scan_type in slots)


def _days(planned_on: date | None, window_ends_on: date | None) -> dict[str, str | None]:
    named = {"planned_on": planned_on, "window_ends_on": window_ends_on}
    return {name: None if day is None else f"{day}" for name, day in named.items()}


def _planned(session: Session, actor: Actor, visit_id: int) -> VisitPlan:
    plan = store.find_plan(session, visit_id)
    if plan is None:
        raise NotFoundError("There is no such visit, or none that you may see.", remedy="Open it from Completeness.")
    if not may_plan(actor, plan.study_id, plan.site_id):
        raise NotAllowedError(
            "Your role does not plan this site's visits.", remedy="Ask quality control or a manager of the study."
        )
    return plan


def _record_standing(session: Session, actor: Actor, plan: VisitPlan, action: str, *, reason: str) -> None:
    before = {"visit": plan.visit, "called_off": plan.called_off_reason}
    record_event(
        session, actor=actor, action=action, entity="visit", entity_id=plan.visit_id, study_id=plan.study_id,
        site_id=plan.site_id, before=before, after={"called_off": reason}, reason=reason,
    )  # fmt: skip
