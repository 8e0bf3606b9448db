"""Whether the worker or the keeper of this machine is alive: it did something lately, or there was nothing to do.

`python -m worker.health` (worker) and `python -m worker.health keeper` exit 0 or 1, for a container's health check. A
process that merely exists proves nothing: after Redis came back, Celery workers have been alive and deaf.
"""

import sys
from datetime import timedelta

from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.settings import Settings, load_settings
from core.store.queue import waiting_lanes
from worker.heartbeat import Heartbeat

KEEPER_SILENCE = timedelta(minutes=2)
"""The keeper acts every few seconds; only a large prune keeps it longer."""


def allowed_silence(settings: Settings) -> timedelta:
    """How long a worker may give no sign of life while scans wait: one hanging batch, found and ended, and a sweep."""
    return settings.worker_batch_timeout + 2 * settings.worker_sweep_interval


def worker_fault(settings: Settings, database: Database) -> str | None:
    """What is wrong with this machine's worker, in one sentence; None where nothing is."""
    age = Heartbeat.of_worker(settings).age()
    if age is not None and age <= allowed_silence(settings):
        return None
    with session_scope(database) as session:
        waiting = waiting_lanes(session)
    n_waiting = sum(waiting.get(lane, 0) for lane in settings.worker_lanes)
    if not n_waiting:
        return None
    silence = "has never given a sign of life" if age is None else f"has been silent for {age}"
    return f"{n_waiting} scans wait and the worker {silence}."


def keeper_fault(settings: Settings) -> str | None:
    """What is wrong with this machine's keeper, in one sentence; None where nothing is."""
    age = Heartbeat.of_keeper(settings).age()
    if age is not None and age <= KEEPER_SILENCE:
        return None
    return "The keeper has never given a sign of life." if age is None else f"The keeper has been silent for {age}."


def main(arguments: list[str]) -> int:
    """Print the fault, if there is one; return the exit code."""
    settings = load_settings()
    if arguments == ["keeper"]:
        fault = keeper_fault(settings)
    else:
        with open_database(settings, DatabaseRole.WORKER) as database:
            fault = worker_fault(settings, database)
    if fault is not None:
        sys.stderr.write(f"{fault}\n")
    return 0 if fault is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
