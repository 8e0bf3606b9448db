"""`octaudit model`: registers models that were trained here, lists them, retires them; as the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.database.session import Database
    from core.store.model_version import ModelRow


@click.group(name="model")
def command() -> None:
    """Add, list and retire the models that can score a lane.

    Example: octaudit model add trained/octa-enface.safetensors
    """


@command.command()
@click.argument("weights", type=click.Path(path_type=Path), metavar="FILE.safetensors")
def add(*, weights: Path) -> None:
    """Register a model: weights with the card (FILE.json) beside them, as `octaudit train` writes them.

    The model is loaded first, so weights that do not fit their card are refused. Both go into the blob store, where
    every worker finds them. Nothing is scored with it until somebody chooses it on the page Models.

    \b
    Example:
      octaudit model add trained/octa-enface.safetensors
    """
    from core.scoring.registry import load_scorer
    from core.settings import load_settings
    from core.storage import open_blob_store
    from core.usecases.register_model import lane_of_card, read_card_document, register_model

    settings = load_settings()
    card = read_card_document(weights)
    scorer = load_scorer(lane_of_card(weights, card), model=str(weights), device="cpu")
    with _owner() as database:
        version_id, is_new = register_model(
            database, open_blob_store(settings), identity=scorer.identity, card=card, weights=weights
        )
    words = "is registered" if is_new else "was registered before"
    click.echo(
        f"{scorer.identity.name} {scorer.identity.version} {words}: version {version_id} of {scorer.kind.value}."
    )
    if is_new:
        click.echo("The page Models gives it scans: activate it for a study, or score a study again with it first.")


@command.command(name="list")
def list_models() -> None:
    """List the registered models, the newest first.

    Example: octaudit model list
    """
    from core.store.model_version import list_model_versions

    with _operator_session() as session:
        rows = list_model_versions(session)
    if not rows:
        click.echo("No model is registered. A worker registers its own when it starts.")
    for row in rows:
        click.echo(f"{row.id:>4}  {row.kind.value:<12} {row.label:<28} {row.weights_sha256[:12]}  {_standing(row)}")


@command.command()
@click.argument("version_id", type=int)
@click.option("--reason", required=True, help="Why, for the audit trail.")
def retire(*, version_id: int, reason: str) -> None:
    """Take a registered model out of the choice; what it said stays. Refused while it is active in a study.

    Example: octaudit model retire 7 --reason "replaced by version 3"
    """
    from core.store.access import PROGRAM
    from core.usecases.register_model import require_model, retire_model

    with _operator_session() as session:
        retire_model(session, actor=PROGRAM, version_id=version_id, reason=reason)
        label = require_model(session, version_id).label
    click.echo(f"{label} can be chosen no more.")


@command.command()
@click.argument("version_id", type=int)
@click.option("--reason", required=True, help="Why, for the audit trail.")
def restore(*, version_id: int, reason: str) -> None:
    """Bring a retired model back into the choice.

    Example: octaudit model restore 7 --reason "retired by mistake"
    """
    from core.store.access import PROGRAM
    from core.usecases.register_model import require_model, restore_model

    with _operator_session() as session:
        restore_model(session, actor=PROGRAM, version_id=version_id, reason=reason)
        label = require_model(session, version_id).label
    click.echo(f"{label} can be chosen again.")


def _standing(row: "ModelRow") -> str:
    if row.retired_at is not None:
        return f"retired {row.retired_at:%Y-%m-%d}: {row.retired_reason}"
    if not row.is_stored:
        return "weights not stored here"
    return f"active in {row.n_active} place{'' if row.n_active == 1 else 's'}" if row.n_active else "can be chosen"


@contextmanager
def _owner() -> "Iterator[Database]":
    from core.database.roles import DatabaseRole
    from core.database.session import open_database
    from core.settings import load_settings

    with open_database(load_settings(), DatabaseRole.OWNER) as database:
        yield database


@contextmanager
def _operator_session() -> "Iterator[Session]":
    from core.database.session import session_scope

    with _owner() as database, session_scope(database) as session:
        yield session
