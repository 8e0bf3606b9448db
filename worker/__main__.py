"""`python -m worker`: one Celery worker with one child process, which owns the models and the GPU."""

import os

from celery import Celery

from core.jobs import lane_queue
from core.settings import Settings, load_settings
from worker.app import make_app


def run(app: Celery, settings: Settings) -> None:
    """Run the worker until TERM (finishes the running batch) or QUIT (at once)."""
    queues = ",".join(lane_queue(lane) for lane in settings.worker_lanes)
    app.worker_main(
        [
            "worker",
            "--pool=prefork",
            "--concurrency=1",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            f"--queues={queues}",
            f"--loglevel={settings.log_level}",
            f"--hostname=octaudit-{os.getpid()}@%h",
        ]
    )


if __name__ == "__main__":
    chosen = load_settings()
    run(make_app(chosen), chosen)
