"""Asks who it is again before a person signs: by password, or by the identity provider's fresh word.

A wrong password is counted, whatever becomes of the act.
"""

from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.errors import NotAllowedError
from core.passwords import MAX_PASSWORD_LENGTH, hash_as_stored
from core.store.access import Actor, current_actor, login_parameters
from core.store.signed_baseline import is_own_password


def confirm_signature(database: Database, *, token: str, password: str) -> Actor:
    """Who signs, where the password is that of the session's person; "" where the provider was asked instead.

    A transaction of its own: a wrong password must be counted although nothing else is written.

    Raises
    ------
    NotAllowedError
        The session has ended, the password is wrong, or the account is locked after too many wrong ones.
    """
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
        if actor is None:
            raise NotAllowedError("The session has ended.", remedy="Sign in again.")
        is_right = is_own_password(session, offered_hash(session, actor, password))
    if not is_right:
        raise not_confirmed(password)
    return actor


def not_confirmed(password: str) -> NotAllowedError:
    """What to say where it was not the person, as far as could be told."""
    if not password:
        return NotAllowedError(
            "No password was given, and your organisation has not vouched for you within the last five minutes.",
            remedy="Enter your password, or sign in again by the link in the form; nothing was signed.",
        )
    return NotAllowedError(
        "The password is wrong, or the account is locked for a few minutes after too many attempts.",
        remedy="Nothing was signed; try again.",
    )


BY_IDENTITY = "identity"
"""What the database takes in place of a hash where it is to look for the provider's word (migration 0028)."""


def offered_hash(session: Session, actor: Actor, password: str) -> str:
    """What the database compares: the password hashed as the stored one is, or the word for the provider's."""
    if not password:
        return BY_IDENTITY
    is_too_long = len(password) > MAX_PASSWORD_LENGTH
    return hash_as_stored("" if is_too_long else password, login_parameters(session, actor.name))
