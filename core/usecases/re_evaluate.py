"""Judging a study's stored scores by another protocol version: foreseen, ordered with a reason, carried out, recorded.

Publishing a version never does it. An order is a row; whoever has the worker's rights (the keeper) carries it out visit
by visit, each in a transaction of its own, so a run that is cut short goes on where it stopped. What people decided is
left alone and listed; so are captures with an open reacquisition request, until that has ended.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.storage import BlobStore
from core.store import re_evaluation as store
from core.store.access import Actor
from core.store.assessment import NewAssessment, add_assessments
from core.store.audit import record_event
from core.store.protocol import ProtocolInForce, read_protocols
from core.store.queue import Success, record_successes
from core.store.rate import contributions, lock_slots, recount_slots
from core.store.re_evaluation import Reach, ReEvaluationRow, ScanOutcome
from core.store.slot import AsIf, Slot, read_slots
from core.usecases.administer_study import refuse_unless_admin, unless_taken
from core.usecases.rejudge_scans import Rejudged, rejudge_scans
from core.vocabulary import Outcome, RateMeasure, ReEvaluationState, Verdict

VISITS_AT_ONCE = 100
"""Judged, written and counted in one transaction: a few hundred scans, below a second."""
MOST_EXAMPLES = 6
"""Scans named of each change."""
JUDGED = (Outcome.CHANGED, Outcome.SAME)

Move = tuple[Verdict, Verdict]
Progress = Callable[[int, int], None]
"""Told how many visits are done and how many there are."""


@dataclass(frozen=True, slots=True)
class RateChange:
    """Gradable of decided first captures, and slots gradable in the end of those received, before and after."""

    decided: tuple[int, int]
    gradable: tuple[int, int]
    final_received: tuple[int, int]
    final_gradable: tuple[int, int]


@dataclass(slots=True)
class Forecast:
    """What carrying it out would do. ``examples`` are scan ids by change; ``left`` those by why they are left alone."""

    version_id: int
    reach: Reach
    n_by_outcome: Counter[Outcome] = field(default_factory=Counter)
    moves: Counter[Move] = field(default_factory=Counter)
    examples: dict[Move, list[int]] = field(default_factory=dict)
    left: dict[Outcome, list[int]] = field(default_factory=dict)
    n_grades_begin: int = 0
    """Model grades that begin to count: the model would abstain no longer."""
    n_grades_cease: int = 0
    n_window_closed: int = 0
    """Scans to be taken again now, of whose visit the window has closed since."""
    before: Counter[RateMeasure] = field(default_factory=Counter)
    after: Counter[RateMeasure] = field(default_factory=Counter)

    @property
    def n_judged(self) -> int:
        """Scans that would be judged by the version."""
        return sum(self.n_by_outcome[each] for each in JUDGED)

    @property
    def rates(self) -> RateChange:
        """The rates of the captures within reach."""

        def pair(measure: RateMeasure) -> tuple[int, int]:
            return self.before[measure], self.after[measure]

        return RateChange(
            pair(RateMeasure.DECIDED), pair(RateMeasure.GRADABLE), pair(RateMeasure.FINAL_RECEIVED),
            pair(RateMeasure.FINAL_GRADABLE),
        )  # fmt: skip


def foresee_re_evaluation(
    session: Session,
    *,
    actor: Actor,
    version_id: int,
    reach: Reach,
    blobs: BlobStore,
    on_progress: Progress = lambda _done, _total: None,
) -> Forecast:
    """What judging these scans by the version would change. Writes nothing; takes a second per few thousand scans."""
    refuse_unless_admin(actor, reach.study_id)
    version = _version(session, reach.study_id, version_id)
    forecast, total = Forecast(version_id, reach), store.count_visits(session, reach)
    n_done = 0
    for visit_ids in _steps(session, reach, after=0):
        rejudged = rejudge_scans(session, store.read_met(session, visit_ids, reach), version, blobs)
        for each in rejudged:
            _note(forecast, each)
        _count(session, forecast, rejudged, version)
        session.expunge_all()  # the next step needs none of these rows
        n_done += len(visit_ids)
        on_progress(n_done, total)
    return forecast


def order_re_evaluation(session: Session, *, actor: Actor, forecast: Forecast, reason: str) -> int:
    """Order what was foreseen, with the reason; returns its id. One of a study is open at a time."""
    refuse_unless_admin(actor, forecast.reach.study_id)
    version = _version(session, forecast.reach.study_id, forecast.version_id)
    if not reason.strip():
        raise UsageError("Why are the scans judged again?", remedy="Write the reason: the audit trail keeps it.")
    if not forecast.n_judged:
        raise UsageError("No scan would be judged again.", remedy="Choose another version, site or period.")
    if actor.user_id is None:
        raise NotAllowedError("Only a person orders a re-evaluation.", remedy="Log in.")
    user_id, reach = actor.user_id, forecast.reach
    if any(row.is_open for row in store.read_re_evaluations(session, reach.study_id, limit=1)):
        raise IllegalMoveError(
            "Another re-evaluation of this study is not done yet.", remedy="Wait for it, or stop it."
        )
    foreseen = {outcome.value: n for outcome, n in forecast.n_by_outcome.items()}
    added = unless_taken(
        session,
        "A re-evaluation of this study",
        lambda: store.add_re_evaluation(
            session, reach, version_id=version.id, reason=reason.strip(), requested_by_id=user_id, foreseen=foreseen
        ),
    )
    after = {
        "protocol_version": version.number, "site_id": reach.site_id, "since": f"{reach.since or ''}",
        "until": f"{reach.until or ''}", "foreseen": foreseen,
    }  # fmt: skip
    record_event(
        session, actor=actor, action="re_evaluation.order", entity="re_evaluation", entity_id=added,
        study_id=reach.study_id, site_id=reach.site_id, after=after, reason=reason.strip(),
    )  # fmt: skip
    return added


def stop_re_evaluation(session: Session, *, actor: Actor, re_evaluation_id: int, reason: str) -> None:
    """Stop one that is not done; what was judged until now stays as it was judged."""
    found = store.read_re_evaluation(session, re_evaluation_id)
    if found is None:
        raise NotFoundError(f"There is no re-evaluation {re_evaluation_id}.", remedy="Choose one from the list.")
    refuse_unless_admin(actor, found.reach.study_id)
    if not reason.strip():
        raise UsageError("Why is it stopped?", remedy="Write the reason.")
    if not found.is_open or not store.end_re_evaluation(session, re_evaluation_id, ReEvaluationState.STOPPED, at=now()):
        raise IllegalMoveError(
            "It has ended already.", remedy="Order another one by the earlier version to judge the scans back."
        )
    _record_end(session, actor, found, ReEvaluationState.STOPPED, reason=reason.strip())


def carry_out_re_evaluations(database: Database, blobs: BlobStore) -> int:
    """Carry out what was ordered, to its end; returns how many visits were done. With the worker's rights.

    Of several keepers one does a step at a time: the row is locked while a step lasts.
    """
    n_visits = 0
    while True:
        with session_scope(database) as session:
            order = store.lock_next(session)
            if order is None:
                return n_visits
            n_visits += _take_step(session, order, blobs)


def _take_step(session: Session, order: ReEvaluationRow, blobs: BlobStore) -> int:
    """Judge the next visits of one order in this transaction, or say that it is done; how many visits."""
    visit_ids = store.next_visits(session, order.reach, after=order.done_up_to, limit=VISITS_AT_ONCE)
    requester = _requester(order)
    if not visit_ids:
        store.end_re_evaluation(session, order.id, ReEvaluationState.DONE, at=now())
        _record_end(session, requester, order, ReEvaluationState.DONE, reason=order.reason)
        return 0
    version = _version(session, order.reach.study_id, order.version_id)
    slot_ids = {each.expected_scan_id for each in store.read_met(session, visit_ids, order.reach)}
    lock_slots(session, slot_ids)  # whoever decides meanwhile waits, or is seen by the next line
    rejudged = rejudge_scans(session, store.read_met(session, visit_ids, order.reach), version, blobs)
    _write(session, [each for each in rejudged if each.verdict is not None], version)
    store.add_outcomes(session, order.id, [_outcome(each) for each in rejudged])
    for each in rejudged:
        if each.outcome is Outcome.CHANGED:
            _record_change(session, requester, order, each)
    recount_slots(session, slot_ids)
    store.note_progress(session, order.id, done_up_to=visit_ids[-1], at=now())
    return len(visit_ids)


def _write(session: Session, rejudged: Sequence[Rejudged], version: ProtocolInForce) -> None:
    """An assessment of each scan under the version, which counts from now on; those before it stay."""
    fresh = [each for each in rejudged if each.known is None]
    ids = {each.case.scan_id: each.known.id for each in rejudged if each.known is not None}
    by_model = sorted(fresh, key=lambda each: each.before.model_version_id)
    for model_version_id, members in groupby(by_model, key=lambda each: each.before.model_version_id):
        new = [_assessment(each, version) for each in members]
        ids |= add_assessments(session, new, model_version_id=model_version_id)
    verdicts = {each.case.scan_id: each.verdict for each in rejudged}
    record_successes(
        session, [Success(scan_id, ids[scan_id], verdict) for scan_id, verdict in verdicts.items() if verdict]
    )


def _assessment(rejudged: Rejudged, version: ProtocolInForce) -> NewAssessment:
    assert rejudged.scores is not None, "what was left alone is not written"
    assert rejudged.judgement is not None, "what was left alone is not written"
    return NewAssessment(
        scan_id=rejudged.case.scan_id,
        site_id=rejudged.case.site_id,
        protocol_version_id=version.id,
        scores=rejudged.scores,
        judgement=rejudged.judgement,
        inherited=rejudged.before.inherited,
        pictures=rejudged.before.pictures,
        scored_at=rejudged.before.scored_at,
    )


def _outcome(rejudged: Rejudged) -> ScanOutcome:
    return ScanOutcome(
        rejudged.case.scan_id, rejudged.case.site_id, rejudged.outcome, rejudged.before.protocol_version_id,
        rejudged.before.verdict, rejudged.verdict,
    )  # fmt: skip


def _record_change(session: Session, actor: Actor, order: ReEvaluationRow, rejudged: Rejudged) -> None:
    record_event(
        session, actor=actor, action="scan.re_evaluated", entity="scan", entity_id=rejudged.case.scan_id,
        study_id=rejudged.case.study_id, site_id=rejudged.case.site_id, before={"verdict": rejudged.before.verdict},
        after={"verdict": rejudged.verdict, "protocol_version": order.version_number, "re_evaluation_id": order.id},
        reason=order.reason,
    )  # fmt: skip


def _record_end(
    session: Session, actor: Actor, order: ReEvaluationRow, state: ReEvaluationState, *, reason: str
) -> None:
    counts = store.count_outcomes(session, [order.id]).get(order.id, Counter())
    record_event(
        session, actor=actor, action=f"re_evaluation.{state.value}", entity="re_evaluation", entity_id=order.id,
        study_id=order.reach.study_id, site_id=order.reach.site_id, before={"state": order.state.value},
        after={"state": state.value, "scans": {outcome.value: n for outcome, n in counts.items()}}, reason=reason,
    )  # fmt: skip


def _requester(order: ReEvaluationRow) -> Actor:
    """In whose name the program carries it out."""
    return Actor(order.requested_by_id, order.requested_by, order.requested_by, ())


def _steps(session: Session, reach: Reach, *, after: int) -> Iterator[list[int]]:
    last = after
    while visit_ids := store.next_visits(session, reach, after=last, limit=VISITS_AT_ONCE):
        yield visit_ids
        last = visit_ids[-1]


def _note(forecast: Forecast, each: Rejudged) -> None:
    forecast.n_by_outcome[each.outcome] += 1
    if each.verdict is None:
        named = forecast.left.setdefault(each.outcome, [])
        if len(named) < MOST_EXAMPLES:
            named.append(each.case.scan_id)
        return
    was_abstained = each.before.scores.grade.abstained
    forecast.n_grades_begin += was_abstained and not each.is_abstained
    forecast.n_grades_cease += each.is_abstained and not was_abstained
    if each.outcome is Outcome.SAME:
        return
    move = each.before.verdict, each.verdict
    forecast.moves[move] += 1
    examples = forecast.examples.setdefault(move, [])
    if len(examples) < MOST_EXAMPLES:
        examples.append(each.case.scan_id)
    is_closed = not each.case.is_window_open(now().date())
    forecast.n_window_closed += each.verdict is Verdict.REACQUIRE and is_closed


def _count(session: Session, forecast: Forecast, rejudged: Iterable[Rejudged], version: ProtocolInForce) -> None:
    """Add what these scans' slots contribute to the rates, as they stand and as they would."""
    there = tuple(rejudged)
    slot_ids = sorted({each.met.expected_scan_id for each in there})
    as_if = {
        each.case.scan_id: AsIf(each.is_abstained, version) for each in there if each.verdict is not None
    }  # fmt: skip
    forecast.before.update(_measures(read_slots(session, slot_ids)))
    forecast.after.update(_measures(read_slots(session, slot_ids, as_if)))


def _measures(slots: Iterable[Slot]) -> Mapping[RateMeasure, int]:
    counts: Counter[RateMeasure] = Counter()
    for slot in slots:
        for key, n in contributions(slot, [capture.standing for capture in slot.captures]).items():
            counts[key.measure] += n
    return counts


def _version(session: Session, study_id: int, version_id: int) -> ProtocolInForce:
    version = read_protocols(session, [study_id]).version(version_id)
    if version is None:
        raise NotFoundError("The study has no such protocol version.", remedy="Choose one from the list.")
    return version
