"""Add, disable and reset users, grant and revoke roles; each change with its audit event.

The rights are checked by the database: an administrator of all studies keeps accounts, an administrator of one study
gives roles in it. The operator's commands connect as the owner and may do both.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import NotFoundError, UsageError
from core.passwords import generate_password, hash_password
from core.store import access
from core.store.access import Actor, Grant
from core.store.audit import record_event
from core.vocabulary import Role

MAX_NAME_LENGTH = 64


@dataclass(frozen=True, slots=True)
class FirstLogin:
    """A user with the generated password, which is shown once and stored nowhere."""

    user_id: int
    name: str
    password: str = field(repr=False)


def add_user(session: Session, *, actor: Actor, name: str, display_name: str = "") -> FirstLogin:
    """Add a user with a generated password that must be changed at the first login."""
    name = name.strip().lower()
    if not name or len(name) > MAX_NAME_LENGTH or not all(letter.isalnum() or letter in "._-@" for letter in name):
        raise UsageError(
            f"{name!r} is no user name.", remedy=f"Take letters, digits and . _ - @, {MAX_NAME_LENGTH} at most."
        )
    password = generate_password()
    try:
        user_id = access.add_account(
            session, name=name, display_name=display_name.strip() or name, password_hash=hash_password(password)
        )
    except IntegrityError as error:
        raise UsageError(f"There is a user {name} already.", remedy="Take another name.") from error
    record_event(session, actor=actor, action="add_user", entity="user", entity_id=user_id, after={"name": name})
    return FirstLogin(user_id, name, password)


def reset_password(session: Session, *, actor: Actor, user_id: int) -> str:
    """Give a user a new generated password, unlock the account, end its sessions; returns the password, once."""
    password = generate_password()
    _require(access.set_account_password(session, user_id, hash_password(password)), user_id)
    record_event(session, actor=actor, action="reset_password", entity="user", entity_id=user_id)
    return password


def disable_user(session: Session, *, actor: Actor, user_id: int, reason: str = "") -> None:
    """Shut an account and end its sessions; what the person did stays as it is."""
    _require(access.set_account_disabled(session, user_id, is_disabled=True), user_id)
    record_event(session, actor=actor, action="disable_user", entity="user", entity_id=user_id, reason=reason)


def enable_user(session: Session, *, actor: Actor, user_id: int, reason: str = "") -> None:
    """Reopen a disabled account with its old password and grants."""
    _require(access.set_account_disabled(session, user_id, is_disabled=False), user_id)
    record_event(session, actor=actor, action="enable_user", entity="user", entity_id=user_id, reason=reason)


def grant_role(
    session: Session,
    *,
    actor: Actor,
    user_id: int,
    role: Role,
    study_id: int | None,
    site_id: int | None = None,
    expires_at: datetime | None = None,
) -> int:
    """Give a user a role in a study, at one of its sites or (``site_id`` None) all; returns the grant's id.

    ``study_id`` None means every study, present and future, and is for administrators only.
    """
    if study_id is None and role is not Role.ADMIN:
        raise UsageError(f"The role {role} needs a study.", remedy="Only an administrator may have every study.")
    grant = Grant(role=role, study_id=study_id, site_id=site_id)
    try:
        grant_id = access.add_grant(session, user_id, grant, expires_at=expires_at)
    except IntegrityError as error:
        raise UsageError(
            "This grant cannot be given: the user has it already, or there is no such user, study or site.",
            remedy="Look at the list of grants; a site must belong to the study.",
        ) from error
    after = asdict(grant) | {"user_id": user_id, "expires_at": expires_at.isoformat() if expires_at else None}
    record_event(
        session,
        actor=actor,
        action="grant_role",
        entity="site_grant",
        entity_id=grant_id,
        study_id=study_id,
        site_id=site_id,
        after=after,
    )
    return grant_id


def revoke_grant(session: Session, *, actor: Actor, grant_id: int, reason: str = "") -> None:
    """Take a role back, effective at the person's next step."""
    known = {line.grant_id: line for line in access.list_grants(session)}
    line = known.get(grant_id)
    if line is None or not access.revoke_grant(session, grant_id):
        raise NotFoundError(
            f"There is no live grant {grant_id}, or none that you may take back.", remedy="Look at the list of grants."
        )
    record_event(
        session,
        actor=actor,
        action="revoke_grant",
        entity="site_grant",
        entity_id=grant_id,
        study_id=line.grant.study_id,
        site_id=line.grant.site_id,
        before=asdict(line.grant) | {"user_id": line.user_id},
        reason=reason,
    )


def find_user_id(session: Session, name: str) -> int:
    """The id of the user with that login name, for administrators and the operator."""
    for account in access.list_accounts(session):
        if account.name == name.strip().lower():
            return account.user_id
    raise NotFoundError(f"There is no user {name}.", remedy="The page Admin lists the users.")


def _require(is_found: bool, user_id: int) -> None:
    if not is_found:
        raise NotFoundError(f"There is no user {user_id}.", remedy="Look at the list of users.")
