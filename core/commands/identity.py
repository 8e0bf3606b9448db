"""`octaudit identity`: which OpenID provider may open sessions, and who is who there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.settings import Settings


@click.group(name="identity")
def command() -> None:
    """Trust an OpenID provider and link its identities to accounts.

    Example: octaudit identity trust
    """


@command.command()
def trust() -> None:
    """Let the provider of OCTAUDIT_OIDC_ISSUER open sessions; repeat it after its client secret was changed.

    Example: octaudit identity trust
    """
    from core.settings import load_settings
    from core.usecases.log_in_by_identity import trust_provider

    settings = load_settings()
    with _operator(settings) as session:
        issuer = trust_provider(session, settings)
    click.echo(f"{issuer} may open sessions of the accounts that are linked to it.")


@command.command()
@click.argument("issuer")
def distrust(*, issuer: str) -> None:
    """End that; links and passwords stay, and open sessions go on.

    Example: octaudit identity distrust https://login.example.org
    """
    from core.settings import load_settings
    from core.usecases.log_in_by_identity import distrust_provider

    with _operator(load_settings()) as session:
        distrust_provider(session, issuer=issuer.rstrip("/"))
    click.echo(f"{issuer} opens no session any more.")


@command.command()
@click.argument("name")
@click.argument("subject")
def link(*, name: str, subject: str) -> None:
    """Link the account NAME to SUBJECT, the provider's own name for the person (the audit trail has it after a try).

    Example: octaudit identity link maria 3f0c6a52-0b1e-4b57-9d5b-1f7ad2c0b4f1
    """
    from core.settings import load_settings
    from core.usecases.administer_users import find_user_id
    from core.usecases.log_in_by_identity import issuer_of, link_identity

    settings = load_settings()
    with _operator(settings) as session:
        link_identity(session, user_id=find_user_id(session, name), issuer=issuer_of(settings), subject=subject)
    click.echo(f"{name} signs in as {subject} from now on, too.")


@contextmanager
def _operator(settings: "Settings") -> "Iterator[Session]":
    from core.database.roles import DatabaseRole
    from core.database.session import open_database, session_scope

    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as session:
        yield session
