"""What a backup asks of the database: one moment that dump and lists share, what is in it, and whether one is empty."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import func, inspect, select, text, update
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.database.tables import AuditEvent, Blob, Scan, Study, User
from core.database.tables import Session as Login

COUNTED = {"studies": Study, "accounts": User, "scans": Scan, "files": Blob, "audit_events": AuditEvent}
"""What a backup says it holds."""
READ_AT_ONCE = 5_000


@contextmanager
def one_moment(owner: Database) -> Iterator[tuple[Session, str]]:
    """A transaction that sees one moment however long it lasts, and the snapshot's name for pg_dump to see the same."""
    with session_scope(owner) as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session, str(session.scalar(text("select pg_export_snapshot()")))


def blob_names(session: Session) -> Iterator[str]:
    """The sha256 of every file that the database names."""
    yield from session.scalars(select(Blob.sha256).order_by(Blob.sha256).execution_options(yield_per=READ_AT_ONCE))


def row_counts(session: Session) -> Mapping[str, int]:
    """How much there is of what a person would ask for."""
    return {name: session.scalar(select(func.count()).select_from(table)) or 0 for name, table in COUNTED.items()}


def has_tables(owner: Database) -> bool:
    """Whether a schema was ever made here."""
    return bool(inspect(owner.engine).get_table_names())


def is_used(session: Session) -> bool:
    """Whether anything was ever set up here: a study, an account or an event."""
    return any(session.scalar(select(table.id).limit(1)) is not None for table in (Study, User, AuditEvent))


def forget_revision(session: Session) -> None:
    """Remove what undoing every migration leaves behind, so that a dump finds a database without tables."""
    session.execute(text("drop table if exists alembic_version"))


def end_every_session(session: Session) -> int:
    """End the logins that a backup brought back: some had been ended since. Returns how many."""
    ended = update(Login).where(Login.revoked_at.is_(None)).values(revoked_at=func.now()).returning(Login.id)
    return len(session.scalars(ended).all())
