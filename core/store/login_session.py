"""Live sessions of a person: listed for the person and for administrators of all studies, and ended, with their event.

The table itself is closed to the dashboard's role; the functions of migration 0024 decide whose sessions are shown.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class LiveSession:
    """One session that has neither ended nor run out. ``client`` is what it was opened with, "" where unknown."""

    id: int
    opened_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    client: str
    is_own: bool
    """Whether it is the one that asks."""


def read_live_sessions(session: Session, user_id: int) -> tuple[LiveSession, ...]:
    """The sessions of a user, last used first; nobody's but the own ones for who is no administrator of all studies."""
    rows = session.execute(text("select * from live_sessions(:user_id)"), {"user_id": user_id}).mappings()
    return tuple(LiveSession(**row) for row in rows)


def end_live_session(session: Session, session_id: int) -> bool:
    """End one session, own or as administrator of all studies; False where there is none to end."""
    return bool(session.scalar(text("select end_session(:id)"), {"id": session_id}))


def end_sessions_of(session: Session, user_id: int) -> int:
    """End every session of a user (own, or as administrator) and return how many were live."""
    return session.scalar(text("select revoke_sessions(:user_id)"), {"user_id": user_id}) or 0


def close_expired_sessions(session: Session) -> int:
    """Mark sessions that ran out as ended, each with its event; for the worker's role. Returns how many."""
    return session.scalar(text("select end_expired_sessions()")) or 0


def is_live(session: Session) -> bool:
    """Whether the transaction's token still opens anything. Unlike a page, asking does not count as use."""
    return session.scalar(text("select current_user_id()")) is not None
