"""Lets the scores of another model count for scans that were scored again with it: foreseen, signed, carried out.

What people decided stays as it is, and so do captures with an open reacquisition request. What counted until then stays
on record, and an adoption of the earlier model's scores takes it back.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import IllegalMoveError, UsageError
from core.store import adoption as store
from core.store.access import Actor
from core.store.adoption import Rescored
from core.store.audit import record_event
from core.store.queue import Success, record_successes
from core.store.rate import lock_slots, recount_slots
from core.store.re_evaluation import MetScan, read_met_scans
from core.store.rescoring import RescoringRow
from core.usecases.confirm_signature import confirm_signature
from core.usecases.order_rescoring import require_rescoring
from core.vocabulary import AdoptionOutcome, ScanState

SCANS_AT_ONCE = 200
"""Adopted, written and counted in one transaction: below a second."""
MEANING = "approved after comparison"
_OPEN_TO_ADOPTION = frozenset({ScanState.ACCEPTED, ScanState.UNDER_REVIEW})


def foresee_adoption(session: Session, *, actor: Actor, rescoring_id: int) -> Counter[AdoptionOutcome]:
    """How many scans would change, stay the same, or be left alone. Writes nothing."""
    require_rescoring(session, actor, rescoring_id)
    outcomes: Counter[AdoptionOutcome] = Counter()
    after = 0
    while step := store.next_rescored(session, rescoring_id, after=after, limit=SCANS_AT_ONCE):
        outcomes.update(outcome for _, outcome in _outcomes(session, step))
        after = step[-1].scan_id
    return outcomes


def adopt_scores(database: Database, *, token: str, rescoring_id: int, password: str, reason: str) -> None:
    """Sign that the scores of an ended order count from now on; the keeper carries it out within seconds."""
    if not reason.strip():
        raise UsageError("Why shall these scores count?", remedy="Write the reason: the audit trail keeps it.")
    actor = confirm_signature(database, token=token, password=password)
    with session_scope(database, token=token) as session:
        order = require_rescoring(session, actor, rescoring_id)
        if order.is_open:
            raise IllegalMoveError("Its scans are still being scored.", remedy="Wait for that to end, or stop it.")
        assert actor.user_id is not None, "only a person signs"
        if not store.adopt_rescoring(session, rescoring_id, by_id=actor.user_id, reason=reason.strip(), at=now()):
            raise IllegalMoveError("Its scores count already.", remedy="Load the page anew.")
        record_event(
            session, actor=actor, action="rescoring.adopt", entity="rescoring", entity_id=rescoring_id,
            study_id=order.reach.study_id, site_id=order.reach.site_id, after={"model": order.model},
            reason=reason.strip(), meaning=MEANING,
        )  # fmt: skip


def carry_out_adoptions(database: Database) -> int:
    """Carry out what was adopted, to its end; how many scans were seen to. With the worker's rights."""
    n_scans = 0
    while True:
        with session_scope(database) as session:
            order = store.lock_next_adoption(session)
            if order is None:
                return n_scans
            n_scans += _take_step(session, order)


def _take_step(session: Session, order: RescoringRow) -> int:
    """Adopt the next scans of one order in this transaction, or say that all were seen to."""
    step = store.next_rescored(session, order.id, after=0, limit=SCANS_AT_ONCE)
    if not step:
        store.end_adoption(session, order.id, at=now())
        return 0
    slot_ids = {each.expected_scan_id for each in step}
    lock_slots(session, slot_ids)  # whoever decides meanwhile waits, or is seen by the next line
    outcomes = _outcomes(session, store.next_rescored(session, order.id, after=0, limit=SCANS_AT_ONCE))
    adopted = [each for each, outcome in outcomes if outcome in {AdoptionOutcome.CHANGED, AdoptionOutcome.SAME}]
    record_successes(session, [Success(each.scan_id, each.assessment_id, each.verdict) for each in adopted])
    for each, outcome in outcomes:
        store.note_outcome(session, order.id, each, outcome)
        if outcome is AdoptionOutcome.CHANGED:
            _record_change(session, order, each)
    recount_slots(session, slot_ids | {each.expected_scan_id for each, _ in outcomes})
    return len(outcomes)


def _outcomes(session: Session, step: Sequence[Rescored]) -> list[tuple[Rescored, AdoptionOutcome]]:
    met = {each.scan_id: each for each in read_met_scans(session, [each.scan_id for each in step])}
    return [(each, _outcome(each, met.get(each.scan_id))) for each in step]


def _outcome(rescored: Rescored, met: MetScan | None) -> AdoptionOutcome:
    if met is None or rescored.counting_verdict is None:
        return AdoptionOutcome.ENDED
    if met.has_open_request:
        return AdoptionOutcome.REQUESTED
    if met.is_decided:
        return AdoptionOutcome.DECIDED
    if met.state not in _OPEN_TO_ADOPTION:
        return AdoptionOutcome.ENDED
    if rescored.counting_protocol_id != rescored.protocol_version_id:
        return AdoptionOutcome.OUTDATED
    return AdoptionOutcome.SAME if rescored.verdict is rescored.counting_verdict else AdoptionOutcome.CHANGED


def _record_change(session: Session, order: RescoringRow, each: Rescored) -> None:
    adopter = Actor(order.adopted_by_id, order.adopted_by or "", order.adopted_by or "", ())
    record_event(
        session, actor=adopter, action="scan.rescored", entity="scan", entity_id=each.scan_id,
        study_id=order.reach.study_id, site_id=each.site_id, before={"verdict": each.counting_verdict},
        after={"verdict": each.verdict, "model": order.model, "rescoring_id": order.id},
        reason=order.adoption_reason,
    )  # fmt: skip
