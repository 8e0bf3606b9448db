"""Model versions come and go: registered with their weights in the blob store, fetched, retired, brought back.

The weights lie where the images lie, so every worker of the installation finds them and a backup holds them.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.scoring.card import sha256_of
from core.storage import BlobStore
from core.store.access import PROGRAM, Actor
from core.store.assessment import NewBlob, add_blobs, ensure_model_version
from core.store.audit import record_event
from core.store.model_version import (
    ModelRow,
    note_stored_weights,
    read_model_version,
    read_stored_weights,
    set_retired,
)
from core.values import ModelIdentity
from core.vocabulary import ModelOrigin, Role, ScanKind

WEIGHTS_TYPE = "application/vnd.safetensors"
_IN_USE = "55006"
"""SQLSTATE object_in_use: the function's word for a model that is active somewhere."""


def register_model(
    database: Database,
    blobs: BlobStore,
    *,
    identity: ModelIdentity,
    card: Mapping[str, Any],
    weights: Path,
    origin: ModelOrigin = ModelOrigin.ADDED,
) -> tuple[int, bool]:
    """Store a model's weights and its card; its version's id, and whether it is new here. Safe to call again.

    The caller has loaded the model: weights and card belong together and score.
    """
    kind = ScanKind(card["kind"])
    sha256 = blobs.put_file(weights)  # before the rows that name it
    with session_scope(database) as session:
        version_id = ensure_model_version(session, identity, card, origin=origin)
        add_blobs(session, [NewBlob(sha256, weights.stat().st_size, WEIGHTS_TYPE)])
        is_new = note_stored_weights(session, version_id, sha256=sha256, kind=kind)
        if is_new:
            after = {
                "name": identity.name, "version": identity.version, "kind": kind.value,
                "weights_sha256": identity.weights_sha256, "preprocessing": identity.preprocessing,
            }  # fmt: skip
            record_event(
                session, actor=PROGRAM, action="model.register", entity="model_version", entity_id=version_id,
                after=after,
            )  # fmt: skip
    return version_id, is_new


def read_card_document(weights: Path) -> dict[str, Any]:
    """The card that lies beside a weights file, as JSON.

    Raises
    ------
    UsageError
        There is no such pair of files, or the card is no JSON object.
    """
    card = weights.with_suffix(".json")
    if weights.suffix != ".safetensors" or not weights.is_file() or not card.is_file():
        raise UsageError(
            f"A model is NAME.safetensors with its card NAME.json beside it; {weights} has not both.",
            remedy="Give the path of the weights that `octaudit train` wrote.",
        )
    try:
        document = json.loads(card.read_text("utf-8"))
    except ValueError:  # no JSON, or no UTF-8
        document = None
    if not isinstance(document, dict):
        raise UsageError(f"{card.name} is no model card: no JSON object.", remedy="Copy both files again.")
    return document


def lane_of_card(weights: Path, card: Mapping[str, Any]) -> ScanKind:
    """The lane that a card says its model scores; UsageError where it names none."""
    try:
        return ScanKind(card.get("kind", ""))
    except ValueError:
        raise UsageError(
            f"{weights.with_suffix('.json').name} does not say what kind of scan its model scores.",
            remedy=f"A card has kind: {', '.join(ScanKind)}. Other weights of `octaudit train` serve other ends.",
        ) from None


def fetch_model(database: Database, blobs: BlobStore, *, version_id: int, folder: Path) -> Path:
    """The weights of a registered version as a file with its card beside it, below ``folder``; kept for the next time.

    Raises
    ------
    NotFoundError
        Its weights were never stored.
    StorageError
        They are missing from the blob store, or damaged.
    """
    with session_scope(database) as session:
        stored = read_stored_weights(session, version_id)
    if stored is None:
        raise NotFoundError(
            f"The weights of model version {version_id} are not stored here.",
            remedy="Register them: octaudit model add FILE.safetensors.",
        )
    weights = folder / stored.sha256 / "model.safetensors"
    weights.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not weights.is_file() or sha256_of(weights) != stored.sha256:
        _write_whole(weights, blobs.get(stored.sha256))
    _write_whole(weights.with_suffix(".json"), json.dumps(stored.card).encode())
    return weights


def _write_whole(path: Path, data: bytes) -> None:
    """Never half a file under the name: another worker of this machine may read it at this moment."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(name).replace(path)


def retire_model(session: Session, *, actor: Actor, version_id: int, reason: str) -> None:
    """From now on nothing can be given to this version; what it said stays."""
    _set_retired(session, actor, version_id, is_retired=True, reason=reason)


def restore_model(session: Session, *, actor: Actor, version_id: int, reason: str) -> None:
    """Bring a retired version back, so that it can be chosen again."""
    _set_retired(session, actor, version_id, is_retired=False, reason=reason)


def may_retire(actor: Actor) -> bool:
    """Whether a person may: an administrator of all studies, for a model serves them all."""
    return any(grant.role is Role.ADMIN and grant.study_id is None for grant in actor.grants)


def _set_retired(session: Session, actor: Actor, version_id: int, *, is_retired: bool, reason: str) -> None:
    model = require_model(session, version_id)
    if not reason.strip():
        raise UsageError(f"Why is {model.label} {'retired' if is_retired else 'brought back'}?",
                         remedy="Write the reason: the audit trail keeps it.")  # fmt: skip
    if actor is not PROGRAM and not may_retire(actor):
        raise NotAllowedError(
            "A model is retired by an administrator of all studies.", remedy="Ask one, or end its activations here."
        )
    try:
        is_done = set_retired(session, version_id, is_retired=is_retired, reason=reason.strip())
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _IN_USE:
            raise
        raise IllegalMoveError(
            f"{model.label} is active in a study.", remedy="End its activations, or activate another model first."
        ) from error
    if not is_done:
        stands = "retired already" if is_retired else "not retired"
        raise IllegalMoveError(f"{model.label} is {stands}.", remedy="Load the page anew.")
    record_event(
        session, actor=actor, action="model.retire" if is_retired else "model.restore", entity="model_version",
        entity_id=version_id, before={"is_retired": not is_retired}, after={"is_retired": is_retired},
        reason=reason.strip(),
    )  # fmt: skip


def require_model(session: Session, version_id: int) -> ModelRow:
    """The registered version of that id.

    Raises
    ------
    NotFoundError
        There is none.
    """
    model = read_model_version(session, version_id)
    if model is None:
        raise NotFoundError(f"There is no model version {version_id}.", remedy="Choose one from the page Models.")
    return model
