"""Removes alerts that ended long ago, with what was sent about them, and confirmations that ended as long ago."""

from core.clock import now
from core.database.session import Database, session_scope
from core.settings import Settings
from core.store.alert import prune_alerts as remove_alerts
from core.store.email_confirmation import prune_confirmations

_CHUNK = 1_000


def prune_alerts(database: Database, settings: Settings) -> int:
    """Do it with the worker's rights, in transactions of bounded size; returns how many alerts were removed."""
    before = now() - settings.alert_keep
    n_removed, n_last = 0, _CHUNK
    while n_last == _CHUNK:
        with session_scope(database) as session:
            n_last = remove_alerts(session, before=before, limit=_CHUNK)
        n_removed += n_last
    with session_scope(database) as session:
        prune_confirmations(session, before=before)
    return n_removed
