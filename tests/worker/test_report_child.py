"""A report is made by a process of its own; whatever ends that is in the report's row and ends nothing else."""

from datetime import date, timedelta

import pytest
from worker_process import Site, environment_of

from core.database.session import Database, session_scope
from core.storage import open_blob_store
from core.store.report import NewReport, ReportRow, ask, read_report
from core.usecases.take_reports import make_each
from core.vocabulary import ReportKind, ReportState
from worker.report_child import make_apart


@pytest.fixture
def asked(site: Site, worker_database: Database, monkeypatch: pytest.MonkeyPatch) -> int:
    """A report that waits; the child will find the test's installation in its environment."""
    for name, value in environment_of(site.settings).items():
        monkeypatch.setenv(name, value)
    new = NewReport(ReportKind.STUDY, site.scene.study.id, None, date(2026, 3, 2), date(2026, 3, 30))
    with session_scope(site.owner) as session:
        report_id = ask(session, new)
    assert report_id is not None
    return report_id


def row_of(database: Database, report_id: int) -> ReportRow:
    with session_scope(database) as session:
        return read_report(session, report_id)


def test_a_report_is_made_by_the_child(site: Site, worker_database: Database, asked: int) -> None:
    assert make_each(worker_database, lambda report_id: make_apart(worker_database, report_id)) == 1
    row = row_of(worker_database, asked)
    assert row.state is ReportState.MADE
    assert row.made is not None
    assert open_blob_store(site.settings).get(row.made.pdf_sha256).startswith(b"%PDF")


def test_a_child_that_takes_too_long_or_dies_leaves_the_reason_and_the_next_try(
    worker_database: Database, asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = timedelta(milliseconds=50)
    assert make_each(worker_database, lambda id_: make_apart(worker_database, id_, longest=brief)) == 0
    row = row_of(worker_database, asked)
    assert (row.state, row.error) == (ReportState.ASKED, "Making it took longer than 0.000833333 minutes.")
    monkeypatch.setenv("OCTAUDIT_DATABASE_WORKER_URL", "postgresql+psycopg://nobody@localhost:1/nothing")
    assert not make_apart(worker_database, asked)
    assert "ended with 1, perhaps for want of memory" in str(row_of(worker_database, asked).error)
