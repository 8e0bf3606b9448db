"""Who is at the page, re-read from the database on every run; the only reader of the session cookie in a page.

The gate sees a websocket only when it opens, so a session revoked while a page is open ends here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.store import login_session
from core.store.access import Actor, current_actor
from dashboard.gate import session_cookie_name
from dashboard.installation import installation


def session_token() -> str | None:
    """The cookie's token. AppTest has no cookies: its suites replace this function and nothing else."""
    return st.context.cookies.get(session_cookie_name(installation().settings))


def actor_of(database: Database, token: str) -> Actor | None:
    """The person a token belongs to, or None where the session is unknown, revoked or expired."""
    with session_scope(database, token=token) as session:
        return current_actor(session)


def is_live(database: Database, token: str) -> bool:
    """Whether a session goes on; asking does not count as its use."""
    with session_scope(database, token=token) as session:
        return login_session.is_live(session)


def current_user() -> Actor:
    """The signed-in person; where the session has ended the page stops here and says so."""
    token = session_token()
    actor = actor_of(installation().database, token) if token else None
    if actor is None:
        _say_session_ended()
        st.stop()
    return actor


@contextmanager
def open_session() -> Iterator[Session]:
    """A database session that sees what the signed-in person may see. Commits at the end, rolls back on error."""
    with session_scope(installation().database, token=session_token()) as session:
        yield session


def _say_session_ended() -> None:
    st.title("Your session has ended")
    st.write("You were signed out, or nothing happened for a while. Nothing that you saved is lost.")
    st.html('<p><a href="/login" target="_self">Sign in again</a></p>')
