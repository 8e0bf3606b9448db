"""What the manager's pages ask never walks a table that grows with scans, whoever asks."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from demo_rows import ENDS_ON, TODAY, Demo
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.database.tables import Acquisition
from core.store.blind_grade import read_masked_grades
from core.store.case_mix import read_case_mix
from core.store.cause import read_findings
from core.store.faz import read_faz
from core.store.graded_scan import Reference, read_graded_scans
from core.store.histogram import read_histograms
from core.store.scan_filter import ScanFilter
from core.store.scan_score import read_scan_scores
from core.store.site_week import read_open_requests, read_site_weeks, read_waits
from core.store.unit import UnitKind, read_units
from core.store.unit_week import read_unit_weeks, read_weeks
from core.store.version_pair import read_version_pairs
from core.vocabulary import Slab

GROWING = frozenset({
    "scan", "acquisition", "assessment", "assessment_artifact", "assessment_reason", "visit", "subject",
    "expected_scan", "review", "rate", "batch",
})  # fmt: skip
HALF_A_YEAR = {"since": ENDS_ON - timedelta(weeks=26), "until": ENDS_ON + timedelta(days=7)}

Ask = Callable[[Session, ScanFilter], object]
QUESTIONS: dict[str, Ask] = {
    "weeks": read_weeks,
    "findings": read_findings,
    "site weeks": read_site_weeks,
    "histograms": partial(read_histograms, starts_on=ENDS_ON),
    "masked grades": read_masked_grades,
    "open requests": partial(read_open_requests, today=ENDS_ON),
    "waits": partial(read_waits, now=TODAY),
    "scan scores": read_scan_scores,
    "version pairs": read_version_pairs,
    "graded scans": partial(read_graded_scans, reference=Reference.MASKED),
    "decided scans": partial(read_graded_scans, reference=Reference.DECISIONS),
    "faz": lambda session, chosen: read_faz(
        session, replace(chosen, slab=Slab.SUPERFICIAL, scan_type="octa-enface 3x3")
    ),
}
for _kind in UnitKind:
    QUESTIONS[f"units by {_kind}"] = partial(read_units, kind=_kind)
    QUESTIONS[f"case mix by {_kind}"] = partial(read_case_mix, kind=_kind)
    QUESTIONS[f"weeks by {_kind}"] = partial(read_unit_weeks, kind=_kind)


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_c: object, _k: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.lstrip().lower().startswith(("select", "with")):
            sent.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def walks(database: Database, token: str | None, ask: Ask, chosen: ScanFilter) -> list[str]:
    """Plans that walk a growing table although the planner was asked to avoid it: no index could have spared it."""
    with session_scope(database, token=token) as session, statements(database) as sent:
        ask(session, chosen)
    with session_scope(database, token=token) as session:
        connection = session.connection()
        connection.exec_driver_sql("set local enable_seqscan = off")
        plans = [
            "\n".join(row[0] for row in connection.exec_driver_sql(f"explain {statement}", parameters))
            for statement, parameters in sent
        ]
    return [plan for plan in plans if set(re.findall(r"Seq Scan on (\w+)", plan)) & GROWING]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("who", ["manager", "technician"])
def test_no_page_walks_a_growing_table(demo: Demo, question: str, who: str) -> None:
    for chosen in (ScanFilter(**HALF_A_YEAR), ScanFilter(), ScanFilter(site_id=demo.rows.site_ids["CEDAR"])):
        assert walks(demo.database, getattr(demo.rows, who), QUESTIONS[question], chosen) == []


def test_a_walk_would_be_seen(owner_database: Database) -> None:
    def walk(session: Session, _: ScanFilter) -> object:
        return session.scalars(select(Acquisition.id).where(Acquisition.age_years > 50)).all()

    assert len(walks(owner_database, None, walk, ScanFilter())) == 1
