"""End sessions: one, all of a person, and those that ran out; the database writes the event of each."""

from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.errors import NotFoundError
from core.store import login_session


def end_session(session: Session, *, session_id: int) -> None:
    """End one of the own sessions, or as administrator of all studies anybody's; it ends at its next step."""
    if not login_session.end_live_session(session, session_id):
        raise NotFoundError("This session has ended already.", remedy="Load the page again to see which are open.")


def revoke_sessions(session: Session, *, user_id: int) -> int:
    """End every session of a user, the asking one included where it is the own; returns how many were live.

    Raises NotAllowedError for another person's sessions where the caller is no administrator of all studies.
    """
    return login_session.end_sessions_of(session, user_id)


def close_expired_sessions(worker: Database) -> int:
    """Write down which sessions ran out; for the keeper, as the worker's role. Returns how many."""
    n_closed, n = 0, -1
    while n:
        with session_scope(worker) as session:
            n = login_session.close_expired_sessions(session)
        n_closed += n
    return n_closed
