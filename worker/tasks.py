"""The Celery tasks: shells of a few lines around the workplace."""

from collections.abc import Callable

from celery import Celery

from core.jobs import SCORE_LANE
from core.vocabulary import ScanKind
from worker.workplace import Workplace


def add_tasks(app: Celery, workplace: Callable[[], Workplace]) -> None:
    """Give the application its tasks; ``workplace`` is called in the worker's child process."""

    @app.task(name=SCORE_LANE, ignore_result=True)
    def score_lane(lane: str) -> None:
        workplace().score_lane(ScanKind(lane))
