"""Who a session belongs to, and accounts and grants, by way of the database's own functions.

The tables behind them (session, site_grant, password hashes) are closed to the dashboard's role on purpose; see the
migration "accounts and sessions".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from core.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in one study (None: every study) at one site of it (None: all its sites)."""

    role: Role
    study_id: int | None
    site_id: int | None

    def covers(self, study_id: int | None, site_id: int | None) -> bool:
        """Whether it reaches the given study and site; None asks for no particular one."""
        return (study_id is None or self.study_id in {None, study_id}) and (
            site_id is None or self.site_id in {None, site_id}
        )


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. ``user_id`` is None for the program itself."""

    user_id: int | None
    name: str
    display_name: str
    grants: tuple[Grant, ...]
    must_change_password: bool = False

    @property
    def roles(self) -> frozenset[Role]:
        """Every role that the person has anywhere."""
        return frozenset(grant.role for grant in self.grants)

    def has_role(self, *roles: Role, study_id: int | None = None, site_id: int | None = None) -> bool:
        """Whether the person has one of ``roles``, and where a study or site is given, there.

        For showing and hiding only: what may be read and written is decided in the database. Give ``study_id``
        with ``site_id``: a grant for all sites of another study does not reach this site.
        """
        return any(grant.role in roles and grant.covers(study_id, site_id) for grant in self.grants)


PROGRAM = Actor(user_id=None, name="octaudit", display_name="octaudit", grants=())
"""Worker, keeper and the operator's commands."""


@dataclass(frozen=True, slots=True)
class Account:
    """One line of the list of accounts. ``last_seen_at`` is None where the person never logged in."""

    user_id: int
    name: str
    display_name: str
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None
    must_change_password: bool
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountGrant:
    """One line of the list of grants."""

    grant_id: int
    user_id: int
    grant: Grant
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def current_actor(session: Session) -> Actor | None:
    """Who the session's token belongs to; None for no, an unknown, a revoked or an expired token.

    A call counts as use of the session and moves its idle limit on.
    """
    row = session.execute(text("select * from session_actor()")).mappings().one_or_none()
    return None if row is None else _actor(row)


def login_parameters(session: Session, name: str) -> str | None:
    """The stored Argon2 hash of a name without its last part: parameters and salt; None for unknown names."""
    parameters: str | None = session.scalar(text("select login_parameters(:name)"), {"name": name})
    return parameters


def start_session(
    session: Session,
    *,
    name: str,
    offered_hash: str,
    token_sha256: str,
    idle_timeout: timedelta,
    lifetime: timedelta,
    new_hash: str | None,
    client: str,
) -> int | None:
    """Compare the offered hash and make a session: the user's id, or None for wrong, disabled or locked.

    ``client`` says in words with what it was opened. ``new_hash`` replaces the stored one on success (renewed
    parameters). A failure is counted towards the lock-out.
    """
    user_id: int | None = session.scalar(
        text("select open_session(:name, :offered_hash, :token_sha256, :idle, :lifetime, :new_hash, :client)"),
        {
            "name": name,
            "offered_hash": offered_hash,
            "token_sha256": token_sha256,
            "idle": idle_timeout,
            "lifetime": lifetime,
            "new_hash": new_hash,
            "client": client,
        },
    )
    return user_id


def end_session(session: Session) -> None:
    """End the session whose token this transaction carries; harmless where there is none."""
    session.execute(text("select close_session()"))


def replace_own_password(session: Session, *, offered_hash: str, new_hash: str) -> bool:
    """Change the password of the session's user and end the user's other sessions; False for a wrong old one."""
    return bool(
        session.scalar(
            text("select change_own_password(:offered_hash, :new_hash)"),
            {"offered_hash": offered_hash, "new_hash": new_hash},
        )
    )


def add_account(session: Session, *, name: str, display_name: str, password_hash: str) -> int:
    """Add a user whose password must be changed at the first login; administrators and the operator only."""
    values = {"name": name, "display_name": display_name, "hash": password_hash}
    return _required(session.scalar(text("select add_account(:name, :display_name, :hash)"), values))


def set_account_password(session: Session, user_id: int, password_hash: str) -> bool:
    """Give a user another first password, unlock the account and end its sessions; False where there is none."""
    values = {"user_id": user_id, "hash": password_hash}
    return bool(session.scalar(text("select set_account_password(:user_id, :hash)"), values))


def set_account_disabled(session: Session, user_id: int, *, is_disabled: bool) -> bool:
    """Shut or reopen an account; shutting ends its sessions. False where there is none."""
    values = {"user_id": user_id, "is_disabled": is_disabled}
    return bool(session.scalar(text("select set_account_disabled(:user_id, :is_disabled)"), values))


def add_grant(session: Session, user_id: int, grant: Grant, *, expires_at: datetime | None) -> int:
    """Give a user a role; administrators of the study and the operator only."""
    values = {
        "user_id": user_id,
        "role": grant.role.value,
        "study_id": grant.study_id,
        "site_id": grant.site_id,
        "expires_at": expires_at,
    }
    return _required(
        session.scalar(text("select add_grant(:user_id, :role, :study_id, :site_id, :expires_at)"), values)
    )


def revoke_grant(session: Session, grant_id: int) -> bool:
    """Take a role back; False where it was taken back already."""
    return bool(session.scalar(text("select revoke_grant(:grant_id)"), {"grant_id": grant_id}))


def list_accounts(session: Session) -> tuple[Account, ...]:
    """The accounts that this administrator may see, by name; nobody else sees any."""
    rows = session.execute(text("select * from list_accounts()")).mappings()
    return tuple(Account(user_id=row["id"], **{key: row[key] for key in row if key != "id"}) for row in rows)


def list_grants(session: Session) -> tuple[AccountGrant, ...]:
    """The grants in the studies that this administrator administers, revoked ones included."""
    rows = session.execute(text("select * from list_grants()")).mappings()
    return tuple(
        AccountGrant(
            grant_id=row["id"],
            user_id=row["user_id"],
            grant=_grant(row),
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
        )
        for row in rows
    )


def _actor(row: RowMapping) -> Actor:
    grants: Sequence[Mapping[str, Any]] = row["grants"]
    return Actor(
        user_id=row["user_id"],
        name=row["name"],
        display_name=row["display_name"],
        grants=tuple(_grant(grant) for grant in grants),
        must_change_password=row["must_change_password"],
    )


def _grant(row: Mapping[str, Any] | RowMapping) -> Grant:
    return Grant(role=Role(row["role"]), study_id=row["study_id"], site_id=row["site_id"])


def _required(value: int | None) -> int:
    assert value is not None, "the function returns a value or raises"
    return value
