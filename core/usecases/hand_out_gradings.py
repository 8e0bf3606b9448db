"""Moves gradings on: hands drawn scans out, replaces graders who left, settles or passes on what is graded, repeats.

The keeper calls it. Everything follows from the rows, so a round that comes twice, or late, does nothing twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.policy.grading_plan import (
    Draw,
    GradingPlan,
    choose_people,
    is_drawn,
    require_move,
    settled_ordinal,
)
from core.store.access import PROGRAM
from core.store.grading import (
    NewAssignment,
    People,
    add_assignments,
    count_open,
    count_to_settle,
    give_to_adjudicator,
    lock_handing_out,
    move_grading,
    people_at,
    read_due_repeats,
    read_plans,
    settle_by_agreement,
    sites_with_gradings,
    study_of_site,
    withdraw_open,
)
from core.store.pending_grading import PendingGrading, read_waiting, read_without_adjudicator
from core.usecases.call_for_check import call_for_check
from core.usecases.draw_scans import note_grading
from core.vocabulary import GradingState

MOST_AT_ONCE = 200
"""Gradings of one site moved in one transaction; the rest follow at the next round."""
_SHORTEST = timedelta(days=1)
"""No plan repeats sooner."""


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What a round did."""

    n_assigned: int = 0
    n_settled: int = 0
    n_to_adjudicate: int = 0
    n_withdrawn: int = 0

    def __add__(self, other: "HandedOut") -> "HandedOut":
        return HandedOut(
            self.n_assigned + other.n_assigned,
            self.n_settled + other.n_settled,
            self.n_to_adjudicate + other.n_to_adjudicate,
            self.n_withdrawn + other.n_withdrawn,
        )


@dataclass(slots=True)
class _Desk:
    """One site's round: who is there, who has how much, under which plans."""

    session: Session
    site_id: int
    study_id: int
    people: People
    n_open: Counter[int]
    n_to_settle: Counter[int]
    plans: dict[int, GradingPlan] = field(default_factory=dict)
    n_assigned: int = 0

    def plan_of(self, version_id: int) -> GradingPlan:
        """The grading plan of a protocol version, read once."""
        if version_id not in self.plans:
            self.plans |= read_plans(self.session, [version_id])
        return self.plans[version_id]

    def hand_out(self, new: Sequence[NewAssignment], action: str) -> None:
        """Write who got what, and leave an event for each."""
        add_assignments(self.session, new)
        for each in new:
            self.n_open[each.grader_id] += each.ordinal is None
            self.note(action, each.grading_id, scan_id=each.scan_id, grader_id=each.grader_id, due_on=f"{each.due_on}")
        self.n_assigned += len(new)

    def note(self, action: str, grading_id: int, **after: object) -> None:
        """Leave an audit event."""
        note_grading(self.session, action, grading_id, study_id=self.study_id, **after)


def hand_out_gradings(database: Database) -> HandedOut:
    """Do it for every site where something waits, each in a transaction of its own, with the worker's rights."""
    with session_scope(database) as session:
        site_ids = sites_with_gradings(session)
    done = HandedOut()
    for site_id in site_ids:
        with session_scope(database) as session:
            if lock_handing_out(session):
                done += tend_site(session, site_id)
    return done


def tend_site(session: Session, site_id: int) -> HandedOut:
    """Move on what can be moved at one site."""
    desk = _Desk(
        session, site_id, study_of_site(session, site_id), people_at(session, site_id), Counter(count_open(session)),
        Counter(count_to_settle(session)),
    )  # fmt: skip
    n_withdrawn = _withdraw(desk)
    waiting = read_waiting(session, site_id, limit=MOST_AT_ONCE)
    for grading in waiting:
        if len(grading.parts) < grading.n_graders:
            _assign(desk, grading)
    graded = [each for each in waiting if len(each.ordinals) == each.n_graders]
    n_settled = sum(_settle_or_pass_on(desk, each) for each in graded)
    for grading in read_without_adjudicator(session, site_id, desk.people.adjudicators, limit=MOST_AT_ONCE):
        _find_adjudicator(desk, grading)
    _repeat(desk)
    return HandedOut(desk.n_assigned, n_settled, len(graded) - n_settled, n_withdrawn)


def _withdraw(desk: _Desk) -> int:
    """Take the open scans of those who may no longer grade here."""
    taken = withdraw_open(desk.session, desk.site_id, unless=desk.people.graders)
    for each in taken:
        desk.note("grading.withdrawn", each.grading_id, scan_id=each.scan_id, grader_id=each.grader_id)
    return len(taken)


def _assign(desk: _Desk, grading: PendingGrading) -> None:
    """Give a scan to as many graders as it lacks; a drawn one to all of them at once or to none.

    A masked grade that an eligible person has given already is that person's part: nobody grades a scan twice for it.
    """
    plan, lacking = desk.plan_of(grading.protocol_version_id), grading.n_graders - len(grading.parts)
    eligible = desk.people.graders - grading.partial_to - grading.graders
    given = {each.grader_id: each for each in grading.given if each.grader_id in eligible}
    graded = tuple(given)[:lacking]
    wanted = lacking - len(graded)
    chosen = (*graded, *choose_people(eligible - given.keys(), desk.n_open, wanted=wanted, scan_id=grading.scan_id))
    if grading.state is GradingState.DRAWN and len(chosen) < lacking:
        return
    due_on = now().date() + timedelta(days=plan.due_days)
    new = [
        NewAssignment(
            grading.id, desk.site_id, grading.scan_id, grader_id, due_on,
            is_to_repeat=is_drawn(Draw.REPEAT, plan.repeat_share, desk.study_id, grading.scan_id, grader_id),
            ordinal=given[grader_id].ordinal if grader_id in given else None,
            done_at=given[grader_id].given_at if grader_id in given else None,
        )
        for grader_id in chosen
    ]  # fmt: skip
    desk.hand_out(new, "grading.assigned")
    if grading.state is GradingState.DRAWN:
        require_move(grading.state, GradingState.ASSIGNED)
        move_grading(desk.session, grading.id, GradingState.ASSIGNED)


def _settle_or_pass_on(desk: _Desk, grading: PendingGrading) -> bool:
    """Settle a scan that all have graded, or pass it on to an adjudicator; whether it was settled."""
    plan = desk.plan_of(grading.protocol_version_id)
    ordinal = settled_ordinal(plan.rule, grading.ordinals)
    is_checked = ordinal is not None and is_drawn(
        Draw.SENIOR_CHECK, plan.senior_check_share, desk.study_id, grading.scan_id
    )
    if ordinal is None or is_checked:
        require_move(grading.state, GradingState.TO_ADJUDICATE)
        move_grading(desk.session, grading.id, GradingState.TO_ADJUDICATE, is_senior_check=is_checked)
        cause = "senior check" if is_checked else "the graders differ"
        desk.note("grading.to_adjudicate", grading.id, scan_id=grading.scan_id, cause=cause)
        return False
    require_move(grading.state, GradingState.SETTLED)
    settle_by_agreement(desk.session, grading.id, ordinal=ordinal, at=now())
    desk.note("grading.settled", grading.id, scan_id=grading.scan_id, ordinal=ordinal, by="agreement")
    call_for_check(
        desk.session, actor=PROGRAM, study_id=desk.study_id, site_id=desk.site_id, scan_id=grading.scan_id,
        ordinal=ordinal,
    )  # fmt: skip
    return True


def _find_adjudicator(desk: _Desk, grading: PendingGrading) -> None:
    """Give a scan to the adjudicator with the fewest to settle who has neither graded nor reviewed nor made it."""
    eligible = desk.people.adjudicators - grading.partial_to - grading.graders
    chosen = choose_people(eligible, desk.n_to_settle, wanted=1, scan_id=grading.scan_id)
    if not chosen and grading.adjudicator_id is None:
        return
    give_to_adjudicator(desk.session, grading.id, chosen[0] if chosen else None)
    desk.n_to_settle.update(chosen)
    desk.note("grading.given_to_adjudicator", grading.id, adjudicator_id=chosen[0] if chosen else None)


def _repeat(desk: _Desk) -> None:
    """Give those first looks again to the same grader that were drawn for it and are old enough."""
    today = now()
    due = read_due_repeats(
        desk.session, desk.site_id, graders=desk.people.graders, done_before=today - _SHORTEST, limit=MOST_AT_ONCE
    )
    for each in due:
        plan = desk.plan_of(each.protocol_version_id)
        if today - each.done_at >= timedelta(days=plan.repeat_after_days):
            again = NewAssignment(
                each.grading_id, desk.site_id, each.scan_id, each.grader_id,
                today.date() + timedelta(days=plan.due_days), repeat_of_id=each.assignment_id,
            )  # fmt: skip
            desk.hand_out([again], "grading.repeated")
