"""Makes the Celery application: settings, the task, and what happens when its processes start and stop.

Nothing imported here imports torch: a process that has run torch before the fork leaves its children without a result.
"""

import ctypes
import logging
from multiprocessing import sharedctypes
from typing import Any

from celery import Celery, signals

from core.broker import broker_url, transport_options
from core.settings import Settings, load_settings
from worker.scorer_cache import Loader, load_from
from worker.sweep import Sweep
from worker.tasks import add_tasks
from worker.workplace import SLICE, Workplace

_LOG = logging.getLogger(__name__)
_HARD_LIMIT_S = 30
"""Between the soft limit, which a forward pass in C does not hear, and the end of the process."""
_CHILD_START_S = 180
"""Importing torch and loading a model outlasts Celery's own limit of 4 s on a busy machine."""


class Child:
    """The worker process of a Celery worker: its workplace, made after the fork, and whether it should stop.

    The stop flag lies in shared memory without a lock: the parent sets it from its signal handler, and a child that is
    killed in the wrong moment cannot leave a lock behind.
    """

    def __init__(self, settings: Settings, load: Loader) -> None:
        self._settings = settings
        self._load = load
        self._stop: Any = sharedctypes.RawValue(ctypes.c_bool, False)  # noqa: FBT003 - the C value's start
        self._workplace: Workplace | None = None

    def workplace(self) -> Workplace:
        """The workplace of this process, made on first use."""
        if self._workplace is None:
            self._workplace = Workplace(self._settings, self._load, should_stop=self.should_stop)
        return self._workplace

    def should_stop(self) -> bool:
        """Whether the worker was asked to stop after the running batch."""
        return bool(self._stop.value)

    def start(self, **_: object) -> None:
        """Load the models. A failure here is not the end: the next message tries again and reports it."""
        try:
            self.workplace().prepare()
        except Exception:  # noqa: BLE001 - reported, and raised again by the next message
            _LOG.exception("The worker process could not get ready; it tries again at the next message.")

    def end(self, **_: object) -> None:
        """Close what the process holds."""
        if self._workplace is not None:
            self._workplace.close()

    def ask_to_stop(self, **_: object) -> None:
        """Let the running batch be the last; called in the parent."""
        self._stop.value = True


def make_app(settings: Settings, *, load: Loader | None = None) -> Celery:
    """The worker's Celery application; ``load`` fetches models and is replaced in tests only."""
    app = Celery("octaudit", broker=broker_url(settings))
    slice_s = SLICE.total_seconds() + settings.worker_batch_timeout.total_seconds()
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_soft_time_limit=slice_s,
        task_time_limit=slice_s + _HARD_LIMIT_S,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=_CHILD_START_S,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=transport_options(),
        timezone="UTC",
    )
    child = Child(settings, load or load_from(settings))
    sweep = Sweep(settings)
    signals.worker_process_init.connect(child.start, weak=False)
    signals.worker_process_shutdown.connect(child.end, weak=False)
    signals.worker_shutting_down.connect(child.ask_to_stop, weak=False)
    signals.worker_ready.connect(sweep.start, weak=False)
    signals.worker_shutting_down.connect(sweep.stop, weak=False)
    add_tasks(app, child.workplace)
    return app


def __getattr__(name: str) -> Any:
    """``worker.app.app`` for `celery -A worker.app`, made only where it is asked for."""
    if name == "app":
        return make_app(load_settings())
    raise AttributeError(name)
