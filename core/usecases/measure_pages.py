"""Measures how long the database takes for each page's data, by the size of the programme and by who asks."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import event

from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.settings import Settings
from core.store.generated_reader import Reader, add_reader
from core.usecases.page_questions import PAGES, Question, Visit

READERS: dict[str, int | None] = {"1 site": 1, "10 sites": 10, "all sites": None}
N_ROUNDS = 20


@dataclass
class Watch:
    """Time spent in statements, ms, while the block of ``watched`` runs."""

    in_database_ms: float = 0.0
    statements: list[tuple[str, Any]] = field(default_factory=list)


@contextmanager
def watched(database: Database) -> Iterator[Watch]:
    """What is sent to the database meanwhile, and how long it takes to answer, its rows included."""
    found, began = Watch(), [0.0]

    def before(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
        found.statements.append((statement, parameters))
        began[0] = time.perf_counter()

    def after(*_: object) -> None:
        found.in_database_ms += 1000.0 * (time.perf_counter() - began[0])

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "after_cursor_execute", after)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
        event.remove(database.engine, "after_cursor_execute", after)


def ask(database: Database, reader: Reader, question: Question, now: datetime) -> tuple[Watch, float]:
    """One page for one person: the watch, and how long it all took with what Python makes of it, ms."""
    visit = Visit(now, reader.scan_id, reader.batch_id, reader.scan_type)
    with watched(database) as found, session_scope(database, token=reader.token) as session:
        began = time.perf_counter()
        question(session, visit)
        whole = 1000.0 * (time.perf_counter() - began)
    return found, whole


def measure_programme(
    settings: Settings, *, now: datetime, n_rounds: int = N_ROUNDS, on_page: Callable[[str], object] = lambda _: None
) -> list[dict[str, Any]]:
    """Every page for a manager of one, ten and all sites of the programme that these settings name.

    The pages take turns round by round, so that a busy moment of the machine does not meet one of them alone. The first
    round only warms the caches.
    """
    with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        readers = {name: add_reader(session, n_sites) for name, n_sites in READERS.items()}
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with open_database(settings, DatabaseRole.DASHBOARD) as database:
        for number in range(n_rounds + 1):
            for name, reader in readers.items():
                for page, question in PAGES.items():
                    on_page(f"{page} for {name}, round {number} of {n_rounds}")
                    found, whole = ask(database, reader, question, now)
                    if number:
                        times.setdefault((page, name), []).append((found.in_database_ms, whole))
    return [{"page": page, "reader": name, **_figures(each)} for (page, name), each in times.items()]


def _figures(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    in_database = sorted(each for each, _ in times)
    return {
        "median_ms": round(statistics.median(in_database), 1),
        "p95_ms": round(_p95(in_database), 1),
        "with_python_ms": round(statistics.median(whole for _, whole in times), 1),
    }


def _p95(ordered: Sequence[float]) -> float:
    if len(ordered) == 1:
        return ordered[0]
    return statistics.quantiles(ordered, n=20, method="inclusive")[-1]
