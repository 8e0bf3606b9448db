"""A site with a queue, and workers to score it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from lane import make_scene
from worker_process import PROGRAM, Site, WorkerProcess, environment_of, running, wait_until

from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store


@pytest.fixture
def site(owner_database: Database, worker_database: Database, settings: Settings) -> Site:
    with session_scope(owner_database) as session:
        scene = make_scene(session, open_blob_store(settings))
    return Site(owner_database, worker_database, settings, scene)


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers with the scorer of lane.py; all are stopped after the test."""
    with ExitStack() as stack:
        started: list[WorkerProcess] = []

        def start(**environment: str) -> WorkerProcess:
            log_file = tmp_path / f"worker-{len(started)}.log"
            command = [sys.executable, str(PROGRAM)]
            worker = stack.enter_context(running(command, environment_of(settings, **environment), log_file))
            started.append(worker)
            wait_until(worker.is_ready, "the worker is ready")
            return worker

        yield start
