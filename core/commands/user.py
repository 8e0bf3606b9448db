"""`octaudit user`: adds, disables and resets accounts from the server's own command line, as the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from core.vocabulary import Role

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.usecases.administer_users import FirstLogin


@click.group(name="user")
def command() -> None:
    """Add, disable and reset accounts.

    Example: octaudit user add maria --role manager --study MYSTUDY
    """


@command.command()
@click.argument("name")
@click.option("--display-name", default="", help="Name on the pages. [default: NAME]")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="A first role; the pages give more.")
@click.option("--study", help="Code of the study that the role is for; an admin without one has every study.")
@click.option("--site", help="Code of the site that the role is for. [default: all sites of the study]")
def add(*, name: str, display_name: str, role: str | None, study: str | None, site: str | None) -> None:
    """Add an account with a generated password, which is shown once and must be changed at the first login.

    \b
    Example:
      octaudit user add maria --role manager --study MYSTUDY
      octaudit user add tech1 --role site_technician --study MYSTUDY --site S1
    """
    from core.store.access import PROGRAM
    from core.usecases.administer_users import add_user

    if role is None and (study or site):
        raise click.UsageError("--study and --site need --role.")
    with _operator_session() as session:
        login = add_user(session, actor=PROGRAM, name=name, display_name=display_name)
        if role is not None:
            _grant(session, login, Role(role), study, site)
    click.echo(f"User: {login.name}\nPassword: {login.password}\n(shown once; to be changed at the first login)")


@command.command()
@click.argument("name")
@click.option("--reason", default="", help="Why, for the audit trail.")
def disable(*, name: str, reason: str) -> None:
    """Shut an account and end its sessions at once; what the person did stays.

    Example: octaudit user disable maria --reason "left the centre"
    """
    from core.store.access import PROGRAM
    from core.usecases.administer_users import disable_user, find_user_id

    with _operator_session() as session:
        disable_user(session, actor=PROGRAM, user_id=find_user_id(session, name), reason=reason)
    click.echo(f"{name} can no longer log in.")


@command.command()
@click.argument("name")
def reset(*, name: str) -> None:
    """Give an account a new generated password, unlock it, and end its sessions.

    Example: octaudit user reset maria
    """
    from core.store.access import PROGRAM
    from core.usecases.administer_users import find_user_id, reset_password

    with _operator_session() as session:
        password = reset_password(session, actor=PROGRAM, user_id=find_user_id(session, name))
    click.echo(f"User: {name}\nPassword: {password}\n(shown once; to be changed at the next login)")


@contextmanager
def _operator_session() -> "Iterator[Session]":
    from core.database.roles import DatabaseRole
    from core.database.session import open_database, session_scope
    from core.settings import load_settings

    with open_database(load_settings(), DatabaseRole.OWNER) as database, session_scope(database) as session:
        yield session


def _grant(session: "Session", login: "FirstLogin", role: Role, study: str | None, site: str | None) -> None:
    from core.errors import UsageError
    from core.store.access import PROGRAM
    from core.store.administration import find_study
    from core.store.batch import find_site
    from core.usecases.administer_users import grant_role

    site_id = study_id = None
    if study is not None:
        found = find_study(session, study)
        if found is None:
            raise UsageError(f"There is no study {study}.", remedy="The page Admin lists the studies.")
        study_id = found.id
    if site is not None:
        if study is None:
            raise UsageError("--site needs --study.", remedy="A site belongs to one study.")
        site_id = find_site(session, study=study, site=site).site_id
    grant_role(session, actor=PROGRAM, user_id=login.user_id, role=role, study_id=study_id, site_id=site_id)
