"""Rings the bell of a lane: tells the workers, after a commit, that there is work. The only import of Celery in core.

A bell carries no work. A lost one costs time, not scans: the workers' sweep finds the rows. So ringing never raises.
"""

import logging
from typing import Protocol

from core.database.embedded import read_addresses
from core.errors import SettingsError
from core.jobs import SCORE_LANE, lane_queue
from core.settings import Settings
from core.vocabulary import ScanKind

_LOG = logging.getLogger(__name__)
_CONNECT_TIMEOUT_S = 2.0
"""A person waits for the receipt while the bell rings; the sweep comes within half a minute anyway."""
_RETRIES = 1
_EXPIRES_S = 600
"""A bell that nobody heard for so long is dropped: the workers have looked for work many times since."""


class Bell(Protocol):
    """Tells workers that a lane has work."""

    def ring(self, lane: ScanKind) -> None:
        """Ring the lane's bell. Never raises for a broker that cannot be reached."""
        ...


class NullBell:
    """Rings nobody: for tests and for commands that score in their own process."""

    def ring(self, lane: ScanKind) -> None:
        """Do nothing."""


class CeleryBell:
    """Sends ``octaudit.score_lane`` by name, so that the sender needs to know no task.

    Parameters
    ----------
    url : str
        Celery broker URL, e.g. ``redis://redis:6379/0`` or ``redis+socket:///path``.
    """

    def __init__(self, url: str) -> None:
        from celery import Celery  # here, so that a use case can name a Bell without loading Celery

        self._app = Celery("octaudit-bell", broker=url, set_as_current=False)
        self._app.conf.update(
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
            broker_connection_timeout=_CONNECT_TIMEOUT_S,
            broker_transport_options=transport_options(),
        )

    def ring(self, lane: ScanKind) -> None:
        """Send one message to the lane's queue; log and go on where the broker cannot be reached."""
        from celery.exceptions import OperationalError

        try:
            self._app.send_task(
                SCORE_LANE,
                kwargs={"lane": lane.value},
                queue=lane_queue(lane),
                expires=_EXPIRES_S,
                retry=True,
                retry_policy={"max_retries": _RETRIES, "interval_start": 0.1, "interval_max": 0.2},
            )
        except (OperationalError, OSError) as error:
            _LOG.warning("No bell for lane %s (%s); the workers' sweep will find the scans.", lane.value, error)


def transport_options() -> dict[str, float | bool]:
    """Time limits of the broker connection, so that a broker that is gone is noticed in seconds."""
    return {"socket_connect_timeout": _CONNECT_TIMEOUT_S, "socket_timeout": 5.0, "socket_keepalive": True}


def broker_url(settings: Settings) -> str:
    """Celery's broker URL: the one that is set, or the embedded server's. SettingsError where there is neither."""
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    return read_addresses(settings.home).redis_url


def open_bell(settings: Settings) -> Bell:
    """The bell for these settings: the given broker or the embedded one.

    Where neither is known the installation is incomplete, but an upload must not fail for that: the bell is then
    silent and a warning says what to set.
    """
    try:
        return CeleryBell(broker_url(settings))
    except SettingsError as error:
        _LOG.warning("%s Uploads wait for the workers' sweep.", error)
        return NullBell()


def broker_fault(settings: Settings) -> str | None:
    """What is wrong with the broker, in one sentence; None where it answers."""
    from celery import Celery
    from celery.exceptions import OperationalError

    app = Celery("octaudit-check", broker=broker_url(settings), set_as_current=False)
    app.conf.update(broker_connection_timeout=_CONNECT_TIMEOUT_S, broker_transport_options=transport_options())
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=_RETRIES, timeout=int(_CONNECT_TIMEOUT_S))
    except (OperationalError, OSError) as error:
        return f"The broker does not answer: {error}."
    return None
