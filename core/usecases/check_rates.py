"""Compares the counts behind the rates with the raw rows, and rebuilds them."""

from core.database.session import Database, session_scope
from core.store.rate_audit import WrongCount, rebuild_counts, verify_counts


def verify_rates(database: Database) -> list[WrongCount]:
    """Counts that differ from the raw rows as of one moment; work may go on meanwhile."""
    with session_scope(database) as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        return verify_counts(session)


def rebuild_rates(database: Database) -> int:
    """Count the raw rows again; return how many counts were written. Whoever counts waits meanwhile."""
    with session_scope(database) as session:
        return rebuild_counts(session)
