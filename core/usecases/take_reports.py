"""Takes the reports that wait, one after the other, and hands each to whoever makes it. Composes and sets nothing."""

from collections.abc import Callable

from core.clock import now
from core.database.session import Database, session_scope
from core.store.report import claim_report

REPORTS_PER_ROUND = 10


def make_each(database: Database, make: Callable[[int], bool]) -> int:
    """Claim what waits and have ``make`` make it, by its id; return how many it made."""
    n_made = 0
    for _ in range(REPORTS_PER_ROUND):
        with session_scope(database) as session:
            report_id = claim_report(session, at=now())
        if report_id is None:
            break
        n_made += make(report_id)
    return n_made
