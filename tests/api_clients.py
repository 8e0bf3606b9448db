"""Clients of the API with a token, as an administrator makes them: for the tests of clients and of the API."""

from collections.abc import Sequence
from datetime import timedelta

from core.clock import now
from core.database.session import Database, session_scope
from core.store.access import current_actor
from core.usecases.administer_clients import FreshToken, add_client, issue_token
from core.vocabulary import ApiScope, Role


def make_client(
    database: Database,
    admin_token: str,
    *,
    study_id: int | None,
    scopes: Sequence[ApiScope] = tuple(ApiScope),
    roles: Sequence[Role] = (Role.QC_TECHNICIAN,),
    site_id: int | None = None,
    name: str = "Image archive",
    lifetime: timedelta = timedelta(days=30),
) -> FreshToken:
    """A client of the administrator whose session token is given, with one token."""
    with session_scope(database, token=admin_token) as session:
        actor = current_actor(session)
        assert actor is not None
        client_id = add_client(
            session, actor=actor, name=name, scopes=scopes, roles=roles, study_id=study_id, site_id=site_id
        )
        return issue_token(session, actor=actor, client_id=client_id, lifetime=lifetime, now=now())
