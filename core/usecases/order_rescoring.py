"""Somebody orders that a study's scans are scored again with another model, with a reason, or stops such an order.

The worker carries it out beside its normal work (core.usecases.rescore_scans). Nothing counts by it until somebody
adopts it (core.usecases.adopt_scores).
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store import rescoring as store
from core.store.access import Actor
from core.store.audit import record_event
from core.store.re_evaluation import Reach
from core.store.rescoring import RescoringRow
from core.store.rescoring_queue import end_if_done
from core.usecases.administer_study import refuse_unless_admin, unless_taken
from core.usecases.register_model import require_model
from core.vocabulary import ReEvaluationState, ScanKind


@dataclass(frozen=True, slots=True)
class RescoringOrder:
    """What is asked for: which version scores which scans of a lane again."""

    kind: ScanKind
    reach: Reach
    version_id: int


def foresee_rescoring(session: Session, *, actor: Actor, order: RescoringOrder) -> int:
    """How many scans the order would take. Writes nothing."""
    refuse_unless_admin(actor, order.reach.study_id)
    return store.count_reach(session, order.kind, order.reach, order.version_id)


def order_rescoring(session: Session, *, actor: Actor, order: RescoringOrder, reason: str) -> tuple[int, int]:
    """Write the order and its queue; its id and the number of scans. One of a study's lane is open at a time.

    Ring the lane's bell after the commit (``core.broker``); a lost one costs half a minute.
    """
    refuse_unless_admin(actor, order.reach.study_id)
    model = require_model(session, order.version_id)
    if actor.user_id is None:
        raise NotAllowedError("Only a person orders that scans are scored again.", remedy="Log in.")
    if not reason.strip():
        raise UsageError("Why are the scans scored again?", remedy="Write the reason: the audit trail keeps it.")
    if model.kind is not order.kind:
        raise UsageError(f"{model.label} scores {model.kind.value}, not {order.kind.value}.", remedy="Choose another.")
    if not model.may_be_chosen:
        raise IllegalMoveError(
            f"{model.label} is retired, or its weights are not stored here.", remedy="Choose another model."
        )
    user_id = actor.user_id
    if any(row.is_open and row.kind is order.kind for row in store.read_rescorings(session, order.reach.study_id)):
        raise IllegalMoveError(
            "Scans of this study are being scored again already.", remedy="Wait for that to end, or stop it."
        )
    added, n_scans = unless_taken(
        session,
        "Such an order of this study",
        lambda: store.add_rescoring(
            session, kind=order.kind, reach=order.reach, version_id=order.version_id, reason=reason.strip(),
            requested_by_id=user_id,
        ),
    )  # fmt: skip
    if not n_scans:
        raise UsageError(
            "No scan would be scored again.", remedy="Choose another model, site or period: none is left there."
        )
    after = {
        "model": model.label, "weights_sha256": model.weights_sha256, "kind": order.kind.value,
        "site_id": order.reach.site_id, "since": f"{order.reach.since or ''}", "until": f"{order.reach.until or ''}",
        "scans": n_scans,
    }  # fmt: skip
    record_event(
        session, actor=actor, action="rescoring.order", entity="rescoring", entity_id=added,
        study_id=order.reach.study_id, site_id=order.reach.site_id, after=after, reason=reason.strip(),
    )  # fmt: skip
    end_if_done(session, added, at=now())  # where the model has scored all of them before
    return added, n_scans


def stop_rescoring(session: Session, *, actor: Actor, rescoring_id: int, reason: str) -> None:
    """Score no more of its scans; what was said until now stays beside what counts."""
    found = require_rescoring(session, actor, rescoring_id)
    if not reason.strip():
        raise UsageError("Why is it stopped?", remedy="Write the reason.")
    if not store.end_rescoring(session, rescoring_id, ReEvaluationState.STOPPED, at=now()):
        raise IllegalMoveError("It has ended already.", remedy="Load the page anew.")
    record_end(session, actor, found, ReEvaluationState.STOPPED, reason=reason.strip())


def require_rescoring(session: Session, actor: Actor, rescoring_id: int) -> RescoringRow:
    """The order of that id, for an administrator of its study.

    Raises
    ------
    NotFoundError, NotAllowedError
        There is none in the person's sight; or the person does not administer the study.
    """
    found = store.read_rescoring(session, rescoring_id)
    if found is None:
        raise NotFoundError(f"There is no order {rescoring_id}.", remedy="Choose one from the list.")
    refuse_unless_admin(actor, found.reach.study_id)
    return found


def record_end(session: Session, actor: Actor, order: RescoringRow, state: ReEvaluationState, *, reason: str) -> None:
    """Write down how an order ended, with where its scans stand."""
    counts = store.count_scans(session, [order.id])
    states = {name.value: n for name, n in counts[order.id].states.items()} if order.id in counts else {}
    record_event(
        session, actor=actor, action=f"rescoring.{state.value}", entity="rescoring", entity_id=order.id,
        study_id=order.reach.study_id, site_id=order.reach.site_id, before={"state": order.state.value},
        after={"state": state.value, "scans": states}, reason=reason,
    )  # fmt: skip
