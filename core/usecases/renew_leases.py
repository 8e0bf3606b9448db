"""Keeps the leases of a running worker alive from a thread of its own, but not for a batch that hangs."""

import logging
import threading
import time
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from core.database.session import Database, session_scope
from core.settings import Settings
from core.store.queue import Claim, renew_leases

_LOG = logging.getLogger(__name__)
_RENEWALS_PER_LEASE = 3
"""Two renewals may get lost before a lease ends."""


class LeaseRenewal:
    """Renews held claims every third of a lease while the block runs.

    A claim that is held for longer than ``worker_batch_timeout`` is renewed no more: whoever holds it hangs, and
    another worker should have the scans.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._lease = settings.worker_lease
        self._timeout_s = settings.worker_batch_timeout.total_seconds()
        self._held: dict[str, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-renewal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def hold(self, claim: Claim) -> None:
        """Renew this claim from now on."""
        with self._lock:
            self._held[claim.token] = time.monotonic()

    def drop(self, claim: Claim) -> None:
        """Renew it no more: it was written or given back."""
        with self._lock:
            self._held.pop(claim.token, None)

    def _run(self) -> None:
        while not self._ended.wait(self._lease.total_seconds() / _RENEWALS_PER_LEASE):
            tokens = self._live_tokens()
            if not tokens:
                continue
            try:
                with session_scope(self._database) as session:
                    renew_leases(session, tokens=tokens, lease=self._lease)
            except SQLAlchemyError:
                _LOG.exception("The leases could not be renewed; the next try comes before they end.")

    def _live_tokens(self) -> list[str]:
        oldest = time.monotonic() - self._timeout_s
        with self._lock:
            return [token for token, since in self._held.items() if since > oldest]
