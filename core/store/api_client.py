"""Clients of the API and their tokens, by way of the database's own functions; the tables are closed to every role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from core.vocabulary import ApiScope, Role


@dataclass(frozen=True, slots=True)
class CallingClient:
    """The client behind the token that a transaction carries. ``prefix`` is the token's recognisable beginning."""

    id: int
    name: str
    scopes: frozenset[ApiScope]
    prefix: str


@dataclass(frozen=True, slots=True)
class ClientRow:
    """One line of the list of clients. ``study_id`` None: every study; ``site_id`` None: all its sites."""

    id: int
    name: str
    owner_name: str
    scopes: tuple[ApiScope, ...]
    roles: tuple[Role, ...]
    study_id: int | None
    site_id: int | None
    created_at: datetime
    ended_at: datetime | None
    is_owner_able: bool
    """False: the owner is disabled or may not give roles there any more, so no token of the client works."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One line of the list of tokens. ``last_used_at`` is None where it never was, and else right to a minute."""

    id: int
    client_id: int
    prefix: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether it opens anything at ``now``."""
        return self.revoked_at is None and self.expires_at > now


def current_client(session: Session) -> CallingClient | None:
    """The client whose token this transaction carries; None for a person's session and for no live one."""
    row = session.execute(text("select * from current_api_client()")).mappings().one_or_none()
    if row is None:
        return None
    return CallingClient(row["id"], row["name"], frozenset(_scopes(row["scopes"])), row["prefix"])


def add_client(
    session: Session,
    *,
    name: str,
    scopes: Sequence[ApiScope],
    roles: Sequence[Role],
    study_id: int | None,
    site_id: int | None,
) -> int:
    """Add a client that the session's user answers for; administrators of the study only."""
    statement = text("select add_api_client(:name, :scopes, :roles, :study_id, :site_id)").bindparams(
        bindparam("scopes", type_=JSONB), bindparam("roles", type_=ARRAY(Text))
    )
    values = {
        "name": name,
        "scopes": [scope.value for scope in scopes],
        "roles": [role.value for role in roles],
        "study_id": study_id,
        "site_id": site_id,
    }
    return _required(session.scalar(statement, values))


def add_token(session: Session, client_id: int, *, token_sha256: str, prefix: str, lifetime: timedelta) -> int | None:
    """Give a client a token; None where there is no live client of that id that this administrator keeps."""
    added: int | None = session.scalar(
        text("select add_api_token(:client_id, :token_sha256, :prefix, :lifetime)"),
        {"client_id": client_id, "token_sha256": token_sha256, "prefix": prefix, "lifetime": lifetime},
    )
    return added


def end_token(session: Session, token_id: int) -> bool:
    """End a token at once; False where there is no live one that this administrator keeps."""
    return bool(session.scalar(text("select end_api_token(:token_id)"), {"token_id": token_id}))


def end_client(session: Session, client_id: int) -> bool:
    """End a client with its account, grants and tokens; False where there is no live one that is theirs to keep."""
    return bool(session.scalar(text("select end_api_client(:client_id)"), {"client_id": client_id}))


def list_clients(session: Session) -> tuple[ClientRow, ...]:
    """The clients of the studies that this administrator administers, live ones first."""
    rows = session.execute(text("select * from list_api_clients()")).mappings()
    return tuple(
        ClientRow(
            **{key: row[key] for key in row if key not in {"scopes", "roles"}},
            scopes=_scopes(row["scopes"]),
            roles=tuple(Role(role) for role in row["roles"]),
        )
        for row in rows
    )


def list_tokens(session: Session) -> tuple[TokenRow, ...]:
    """The tokens of those clients, revoked and expired ones included."""
    return tuple(TokenRow(**row) for row in session.execute(text("select * from list_api_tokens()")).mappings())


def why_refused(session: Session, token_sha256: str) -> str:
    """Why a token opens nothing: ``unknown``, ``revoked``, ``expired`` or ``without rights``.

    The refused use of a known token is written to the audit trail, at most once an hour for each.
    """
    words: str | None = session.scalar(text("select refuse_api_token(:token_sha256)"), {"token_sha256": token_sha256})
    assert words is not None, "the function always answers"
    return words


def _scopes(values: Sequence[str]) -> tuple[ApiScope, ...]:
    """In the order of the vocabulary; a scope of a later release is left out, not an error."""
    return tuple(scope for scope in ApiScope if scope.value in values)


def _required(value: int | None) -> int:
    assert value is not None, "the function returns a value or raises"
    return value
