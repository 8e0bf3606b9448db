"""Asks for the password again before a person signs; a wrong one is counted, whatever becomes of the act."""

from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.errors import NotAllowedError
from core.passwords import MAX_PASSWORD_LENGTH, hash_as_stored
from core.store.access import Actor, current_actor, login_parameters
from core.store.signed_baseline import is_own_password


def confirm_signature(database: Database, *, token: str, password: str) -> Actor:
    """Who signs, where the password is that of the session's person.

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
        is_right = is_own_password(session, _offered_hash(session, actor, password))
    if not is_right:
        raise NotAllowedError(
            "The password is wrong, or the account is locked for a few minutes after too many attempts.",
            remedy="Nothing was signed; try again.",
        )
    return actor


def _offered_hash(session: Session, actor: Actor, password: str) -> str:
    is_too_long = len(password) > MAX_PASSWORD_LENGTH
    return hash_as_stored("" if is_too_long else password, login_parameters(session, actor.name))
