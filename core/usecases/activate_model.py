"""An administrator decides by signature which model scores a study's lane, for all devices or those of one model.

It holds from the workers' next claim on; what was scored stays as it was scored. Raised by all: UsageError,
NotAllowedError, NotFoundError, IllegalMoveError.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import IllegalMoveError, NotFoundError, UsageError
from core.store import model_activation as store
from core.store.access import Actor
from core.store.administration import insert_annotation
from core.store.audit import record_event
from core.store.mark import MarkKind
from core.store.model_activation import Activation
from core.store.model_version import ModelRow
from core.usecases.administer_study import refuse_unless_admin, unless_taken
from core.usecases.confirm_signature import confirm_signature
from core.usecases.register_model import require_model
from core.vocabulary import ScanKind

MEANINGS = ("approved for use", "approved after comparison", "returns to an earlier model")
"""What a signature can stand for (21 CFR 11.50 asks that it is stated)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which scans of a study are meant: a lane's, of every device (empty) or of those of one manufacturer and model."""

    study_id: int
    kind: ScanKind
    device_model: str = ""

    @property
    def words(self) -> str:
        """The place as people read it."""
        return f"{self.kind.value}, {self.device_model or 'every device'}"


def activate_model(
    database: Database, *, token: str, place: Place, version_id: int, password: str, meaning: str, reason: str
) -> int:
    """Sign that this version scores from now on; what held there ends with the same reason. Returns its id."""
    if meaning not in MEANINGS:
        raise UsageError("The signature has no meaning.", remedy=f"Choose one: {', '.join(MEANINGS)}.")
    _require_reason(reason, "this model is activated")
    actor = confirm_signature(database, token=token, password=password)
    with session_scope(database, token=token) as session:
        refuse_unless_admin(actor, place.study_id)
        model = _choosable(session, place, version_id)
        former = store.find_open(session, place.study_id, place.kind, place.device_model)
        if former is not None and former.version_id == version_id:
            raise IllegalMoveError(f"{model.label} is active there already.", remedy="Nothing was changed.")
        if former is not None:
            _end(session, actor, former, reason=f"{model.label} took its place: {reason.strip()}")
        return _add(session, actor, place, model, meaning=meaning, reason=reason.strip())


def end_activation(database: Database, *, token: str, activation_id: int, password: str, reason: str) -> str:
    """Sign that an activation ends; the next wider one holds, or the installation's own. Returns the model's name."""
    _require_reason(reason, "the activation ends")
    actor = confirm_signature(database, token=token, password=password)
    with session_scope(database, token=token) as session:
        found = store.read_activation(session, activation_id)
        if found is None:
            raise NotFoundError(f"There is no activation {activation_id}.", remedy="Choose one from the list.")
        refuse_unless_admin(actor, found.study_id)
        if not found.is_open:
            raise IllegalMoveError("It has ended already.", remedy="Load the page anew.")
        _end(session, actor, found, reason=reason.strip())
        return found.model


def _require_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise UsageError(f"Why is it that {what}?", remedy="Write the reason: the audit trail keeps it.")


def _choosable(session: Session, place: Place, version_id: int) -> ModelRow:
    model = require_model(session, version_id)
    if model.kind is not place.kind:
        raise UsageError(f"{model.label} scores {model.kind.value}, not {place.kind.value}.", remedy="Choose another.")
    if model.retired_at is not None:
        raise IllegalMoveError(f"{model.label} is retired.", remedy="Choose another, or bring it back first.")
    if not model.is_stored:
        raise IllegalMoveError(
            f"The weights of {model.label} are not stored here.",
            remedy="Register them: octaudit model add FILE.safetensors.",
        )
    if place.device_model and place.device_model not in store.list_device_models(session, place.study_id):
        raise UsageError(f"The study has no device {place.device_model}.", remedy="Choose one of its device models.")
    return model


def _add(session: Session, actor: Actor, place: Place, model: ModelRow, *, meaning: str, reason: str) -> int:
    assert actor.user_id is not None, "only a person signs"
    user_id = actor.user_id
    added = unless_taken(
        session,
        "An activation of the same devices",
        lambda: store.add_activation(
            session, study_id=place.study_id, kind=place.kind, device_model=place.device_model,
            version_id=model.id, reason=reason, meaning=meaning, activated_by_id=user_id,
        ),
    )  # fmt: skip
    after = {"kind": place.kind.value, "device_model": place.device_model, "model": model.label,
             "weights_sha256": model.weights_sha256}  # fmt: skip
    record_event(
        session, actor=actor, action="model.activate", entity="model_activation", entity_id=added,
        study_id=place.study_id, after=after, reason=reason, meaning=meaning,
    )  # fmt: skip
    insert_annotation(
        session, study_id=place.study_id, happened_at=now(), kind=MarkKind.MODEL.value,
        text=f"{model.label} active ({place.words})",
    )  # fmt: skip
    return added


def _end(session: Session, actor: Actor, found: Activation, *, reason: str) -> None:
    assert actor.user_id is not None, "only a person signs"
    store.end_activation(session, found.id, by_id=actor.user_id, reason=reason, at=now())
    record_event(
        session, actor=actor, action="model.deactivate", entity="model_activation", entity_id=found.id,
        study_id=found.study_id, before={"model": found.model, "device_model": found.device_model},
        after={"is_active": False}, reason=reason,
    )  # fmt: skip
