"""Log in and out, and change one's own password. A session is a random token; the database keeps its hash only."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.database.session import Database, session_scope
from core.errors import NotAllowedError, UsageError
from core.passwords import (
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    hash_as_stored,
    hash_password,
    is_outdated,
    password_weakness,
)
from core.settings import Settings
from core.store.access import (
    Actor,
    current_actor,
    end_session,
    login_parameters,
    replace_own_password,
    start_session,
)

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class LoginResult:
    """A new session. ``token`` goes into the session cookie, ``csrf_token`` into forms and request headers."""

    token: str = field(repr=False)
    csrf_token: str = field(repr=False)
    actor: Actor


def log_in(database: Database, settings: Settings, *, name: str, password: str, client: str = "") -> LoginResult:
    """Check name and password as the dashboard's role and open a session; ``client`` says with what, in words.

    Raises NotAllowedError in the same words, and after the same work, for a wrong name, a wrong password, a disabled
    account and one that is locked for a while after five wrong passwords in a row.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with session_scope(database) as session:
        parameters = login_parameters(session, name)
    is_too_long = len(password) > MAX_PASSWORD_LENGTH
    offered_hash = hash_as_stored("" if is_too_long else password, parameters)
    new_hash = hash_password(password) if parameters is not None and is_outdated(parameters) else None
    with session_scope(database) as session:  # a failed attempt is counted, so this commits either way
        user_id = start_session(
            session,
            name=name,
            offered_hash=offered_hash,
            token_sha256=hashlib.sha256(token.encode()).hexdigest(),
            idle_timeout=settings.session_idle_timeout,
            lifetime=settings.session_lifetime,
            new_hash=new_hash,
            client=client,
        )
    result = opened_session(database, token) if user_id is not None else None
    if result is None:
        raise NotAllowedError(
            "Name or password is wrong, or the account is locked for a few minutes after too many attempts.",
            remedy="Try again, or ask an administrator for a new password.",
        )
    return result


def opened_session(database: Database, token: str) -> LoginResult | None:
    """What a sign-in answers for a session that has just been opened; None where it has ended meanwhile."""
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
    return None if actor is None else LoginResult(token=token, csrf_token=csrf_token_for(token), actor=actor)


def log_out(database: Database, *, token: str) -> None:
    """End the token's session; harmless for a token that has none."""
    with session_scope(database, token=token) as session:
        end_session(session)


def change_password(database: Database, *, token: str, actor: Actor, old: str, new: str) -> None:
    """Change the password of ``actor``, to whom the token belongs, and end the person's other sessions.

    A wrong old password counts towards the lock-out of the sign-in.
    """
    name = actor.name
    refuse_weak_password(new, name=name, names=[actor.display_name])
    with session_scope(database, token=token) as session:
        parameters = login_parameters(session, name)
        is_changed = replace_own_password(
            session, offered_hash=hash_as_stored(old, parameters), new_hash=hash_password(new)
        )
    if not is_changed:
        raise NotAllowedError(
            "The old password is wrong, or the account is locked for a few minutes after too many attempts.",
            remedy="Nothing was changed; try again.",
        )


def refuse_weak_password(password: str, *, name: str, names: Sequence[str] = ()) -> None:
    """Raise UsageError for a password that is too short, too long, holds the name or is easily guessed."""
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise UsageError(
            f"The password has {len(password)} characters.",
            remedy=f"Take {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH}; a few unrelated words are good.",
        )
    if name.lower() in password.lower():
        raise UsageError("The password contains the user name.", remedy="Take another one.")
    weakness = password_weakness(password, [name, *names])
    if weakness:
        raise UsageError(
            f"The password is easily guessed. {weakness}",
            remedy="A few unrelated words are better than one with digits.",
        )


def csrf_token_for(token: str) -> str:
    """The CSRF token that belongs to a session token; it cannot be turned back into it."""
    return hmac.new(token.encode(), b"octaudit csrf", hashlib.sha256).hexdigest()


def is_csrf_token(token: str, offered: str) -> bool:
    """Whether ``offered`` is the session's CSRF token, compared in constant time."""
    return hmac.compare_digest(csrf_token_for(token).encode(), offered.encode())
