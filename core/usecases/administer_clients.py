"""Make clients of the API, give them tokens, and end both; each change with its audit event. ADR 0036.

A token is shown once; the database keeps its hash. What a client may see follows from its roles, which row-level
security knows; what it may do with it, from its scopes, which the API asks of every route.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.errors import NotFoundError, UsageError
from core.store import api_client as store
from core.store.access import Actor, current_actor
from core.store.api_client import CallingClient, current_client, why_refused
from core.store.audit import record_event
from core.vocabulary import ApiScope, Role

TOKEN_MARK = "octa."  # noqa: S105 - how tokens begin, no secret
"""How every token of a client begins. The dot is in no session cookie's token, so neither can pass for the other."""
MAX_LIFETIME = timedelta(days=366)
"""Longest that a token may last; the database refuses more."""
MAX_NAME_LENGTH = 80
CLIENT_ROLES = (Role.SITE_TECHNICIAN, Role.QC_TECHNICIAN, Role.MANAGER, Role.ADMIN)
"""Roles that a program may have. Grading and adjudicating are people's: agreement compares people with the model."""


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A token as it is shown once. ``prefix`` is its beginning, by which it is told from others later."""

    token_id: int
    client_id: int
    prefix: str
    expires_at: datetime
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallerFound:
    """The client that a token belongs to, as an actor with its live grants."""

    actor: Actor
    client: CallingClient


def add_client(
    session: Session,
    *,
    actor: Actor,
    name: str,
    scopes: Sequence[ApiScope],
    roles: Sequence[Role],
    study_id: int | None,
    site_id: int | None = None,
) -> int:
    """Make a client that ``actor`` answers for; returns its id.

    ``study_id`` None is every study and for the role admin alone. Raises UsageError for a name that is empty, taken or
    too long, for no scope, and for a role that is not for programs.
    """
    name = " ".join(name.split())
    _refuse_unfit(name, scopes, roles, study_id)
    try:
        client_id = store.add_client(session, name=name, scopes=scopes, roles=roles, study_id=study_id, site_id=site_id)
    except IntegrityError as error:
        raise UsageError(
            f"The client {name} cannot be made: the study has one of that name, or the site is not of the study.",
            remedy="Take another name, or end the other client first.",
        ) from error
    after = {"name": name, "scopes": [*scopes], "roles": [*roles], "study_id": study_id, "site_id": site_id}
    record_event(
        session, actor=actor, action="api_client.added", entity="api_client", entity_id=client_id, study_id=study_id,
        site_id=site_id, after=after,
    )  # fmt: skip
    return client_id


def issue_token(session: Session, *, actor: Actor, client_id: int, lifetime: timedelta, now: datetime) -> FreshToken:
    """Give a client a new token, beside those it has: a program changes over before the old one ends."""
    if not timedelta(0) < lifetime <= MAX_LIFETIME:
        raise UsageError(f"A token cannot last {lifetime.days} days.", remedy=f"Choose 1 to {MAX_LIFETIME.days} days.")
    client = _find_client(session, client_id)
    prefix = f"{TOKEN_MARK}{secrets.token_hex(4)}"
    token = f"{prefix}.{secrets.token_urlsafe(32)}"
    token_id = store.add_token(session, client_id, token_sha256=sha256_of(token), prefix=prefix, lifetime=lifetime)
    if token_id is None:
        raise _no_client(client_id)
    fresh = FreshToken(token_id, client_id, prefix, now + lifetime, token)
    after = {"client": client.name, "prefix": prefix, "expires_at": fresh.expires_at.isoformat()}
    record_event(
        session, actor=actor, action="api_token.issued", entity="api_token", entity_id=token_id,
        study_id=client.study_id, site_id=client.site_id, after=after,
    )  # fmt: skip
    return fresh


def revoke_token(session: Session, *, actor: Actor, token_id: int, reason: str = "") -> None:
    """End a token: its next request is refused."""
    token = next((each for each in store.list_tokens(session) if each.id == token_id), None)
    if token is None or not store.end_token(session, token_id):
        raise NotFoundError(
            f"There is no live token {token_id}, or none of a client that you keep.",
            remedy="Look at the list of tokens.",
        )
    client = _find_client(session, token.client_id)
    record_event(
        session, actor=actor, action="api_token.revoked", entity="api_token", entity_id=token_id,
        study_id=client.study_id, site_id=client.site_id, before={"client": client.name, "prefix": token.prefix},
        reason=reason,
    )  # fmt: skip


def end_client(session: Session, *, actor: Actor, client_id: int, reason: str = "") -> None:
    """End a client with its roles and every token; what it did stays in the audit trail under its name."""
    client = _find_client(session, client_id)
    if not store.end_client(session, client_id):
        raise _no_client(client_id)
    record_event(
        session, actor=actor, action="api_client.ended", entity="api_client", entity_id=client_id,
        study_id=client.study_id, site_id=client.site_id, before={"name": client.name}, reason=reason,
    )  # fmt: skip


def find_caller(database: Database, token: str) -> CallerFound | str:
    """The client of a token, or why there is none: ``unknown``, ``revoked``, ``expired``, ``without rights``.

    Counts as a use of the token. A client without a live grant (taken back, or its owner may not give it any more)
    is refused as a whole: it would see nothing.
    """
    if not (token.startswith(TOKEN_MARK) and token.isascii() and token.isprintable()):
        return "unknown"
    with session_scope(database, token=token) as session:
        actor, client = current_actor(session), current_client(session)
    if actor is not None and client is not None and actor.grants:
        return CallerFound(actor, client)
    with session_scope(database) as session:
        return why_refused(session, sha256_of(token))


def record_refusal(session: Session, *, caller: CallerFound, wanted: ApiScope, path: str) -> None:
    """Write down that a client asked for what its scopes do not give it."""
    grant = caller.actor.grants[0]
    record_event(
        session, actor=caller.actor, action="api_client.refused", entity="api_client", entity_id=caller.client.id,
        study_id=grant.study_id, site_id=grant.site_id,
        after={"scope": wanted.value, "path": path, "prefix": caller.client.prefix}, reason="scope",
    )  # fmt: skip


def sha256_of(token: str) -> str:
    """What the database keeps of a token, hex. A token has 256 random bits: no salt or stretching is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _refuse_unfit(name: str, scopes: Sequence[ApiScope], roles: Sequence[Role], study_id: int | None) -> None:
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise UsageError(
            "A client needs a name.", remedy=f"Say which program it is, in {MAX_NAME_LENGTH} characters at most."
        )
    if not scopes:
        raise UsageError("The client may do nothing.", remedy="Choose at least one scope.")
    if not roles:
        raise UsageError("The client has no role and would see nothing.", remedy="Choose at least one role.")
    unfit = [role.value for role in roles if role not in CLIENT_ROLES]
    if unfit:
        raise UsageError(
            f"{', '.join(unfit)} is no role for a program.", remedy="Grades are given by people; choose another role."
        )
    if study_id is None and set(roles) != {Role.ADMIN}:
        raise UsageError("Every study is for the role admin alone.", remedy="Choose a study.")


def _find_client(session: Session, client_id: int) -> store.ClientRow:
    found = next((each for each in store.list_clients(session) if each.id == client_id), None)
    if found is None:
        raise _no_client(client_id)
    return found


def _no_client(client_id: int) -> NotFoundError:
    return NotFoundError(
        f"There is no live client {client_id}, or none that you keep.", remedy="Look at the list of clients."
    )
