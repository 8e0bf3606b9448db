"""No page walks a table that grows with scans, whoever asks; and no page asks what this test does not know."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from databases import fresh_settings
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.database.tables import Acquisition, Blob
from core.store.generated_counts import count_programme, tidy
from core.store.generated_programme import write_programme
from core.store.generated_reader import Reader, add_reader
from core.usecases import page_model_questions, page_questions
from core.usecases.measure_pages import READERS, ask, watched
from core.usecases.page_questions import PAGES
from core.usecases.page_visit import Visit
from core.usecases.seal_audit import seal_audit

DASHBOARD = Path(__file__).parents[3] / "dashboard"
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
N_SCANS, N_SITES = 12_000, 40
"""Enough for the planner to have a choice: whole tables of 12,000 rows, or the 30 scans of a site's half a year."""
GROWING = frozenset({
    "scan", "acquisition", "assessment", "assessment_artifact", "assessment_reason", "visit", "subject",
    "expected_scan", "review", "rate", "rate_sum", "batch", "batch_file", "blob", "audit_event", "audit_seal",
    "reacquisition_request", "reacquisition_step", "query_message", "grading", "grading_assignment", "accepted_check",
})  # fmt: skip
"""Not rate_delta: the keeper empties it every few seconds; nor query_seen and best_capture, which are empty here."""
NO_VIEW = {
    "core.store.beside_scan": "one scan; look_at_scan, which is asked, asks it too",
    "core.usecases.look_at_scan": "the whole is asked; the API has the check list alone, a part of it",
    "core.store.access": "who is there, and lists of people: they do not grow with scans",
    "core.store.administration": "lists of places",
    "core.store.api_client": "lists of programs: they do not grow with scans",
    "core.store.model_version": "one row",
    "core.store.signed_baseline": "asked within scope_of",
    "core.usecases.accept_in_bulk": "the proposal is asked; a list that was drawn up is its own few scans",
    "core.reports.export": "a file asked for, in chunks over a cursor",
    "core.reports.export_dicom": "one scan's results",
    "core.reports.exportable": "one scan's origin",
    "core.reports.make_report": "one batch's receipt, or no scan at all",
    "core.store.report": "the lists are asked; the rest is one report",
    "core.usecases.ask_report": "writes",
    "core.usecases.requeue_scans": "writes",
    "core.usecases.retry_scans": "writes, and one batch",
    "core.usecases.schedule_reports": "writes",
    "core.usecases.acknowledge_flag": "writes",
    "core.usecases.act_on_unit": "writes",
    "core.usecases.administer_clients": "writes, and one program",
    "core.usecases.administer_study": "writes",
    "core.usecases.administer_users": "writes",
    "core.usecases.annotate_event": "writes",
    "core.usecases.calibrate_reviewer": "writes",
    "core.store.certificate": "the lists are asked; the rest is one certificate",
    "core.store.completeness": "the lists are asked; find_missing_slot is one row",
    "core.usecases.undo_review": "the own last decision, and writes",
    "core.store.visit_plan": "one visit",
    "core.store.volume_files": "one volume, and those of the same subject",
    "core.usecases.mark_fovea": "writes",
    "core.usecases.order_rescoring": "writes; the look before counts what would be written",
    "core.usecases.adopt_scores": "writes; the look before goes over one order's scans",
    "core.usecases.outline_faz": "writes; the sample to outline is a file asked for, from the newest 2,000 scans",
    "core.usecases.plan_visits": "writes; the look before looks up the rows of one file by their codes",
    "core.store.evidence": "the candidates are asked; what was shown for one certificate is a few rows",
    "core.usecases.certify": "writes, and one study's protocol",
    "core.usecases.change_place": "writes",
    "core.usecases.prefill_missing": "one expected scan",
    "core.usecases.re_evaluate": "a preview walks the chosen scans on request, site by site through indexes; else writes",
    "core.usecases.check_accepted": "writes",
    "core.usecases.check_batch": "one draft's files",
    "core.usecases.look_at_unit": "one unit",
    "core.usecases.answer_query": "writes",
    "core.usecases.assign_request": "writes",
    "core.usecases.choose_best": "writes",
    "core.usecases.choose_masks": "the look before is asked; else writes",
    "core.usecases.exchange_masks": "one round's files",
    "core.usecases.end_sessions": "writes",
    "core.usecases.follow_query": "writes",
    "core.usecases.grade_assigned": "writes",
    "core.usecases.grade_masked": "writes",
    "core.store.identity": "one account's links",
    "core.store.login_session": "one person's sessions",
    "core.usecases.log_in_by_identity": "writes",
    "core.usecases.note_export": "writes",
    "core.usecases.settle_grading": "writes",
    "core.usecases.open_batch": "writes",
    "core.usecases.prefill_replacement": "one request",
    "core.usecases.link_replacement": "writes",
    "core.usecases.reacquire": "writes",
    "core.usecases.prepare_review": "writes",
    "core.usecases.release_held": "writes",
    "core.usecases.review_scan": "writes",
    "core.usecases.submit_batch": "writes; the receipt is asked",
    "core.usecases.subscribe_to_alerts": "writes",
    "core.usecases.unlink_replacement": "writes",
    "core.store.query_thread": "one thread is asked; mark_seen is one row",
    "core.store.batch": "the list and a batch are asked; read_file is one row",
}
"""Modules of which a page calls something that is no question for its data, and why."""


@pytest.fixture(scope="module")
def programme(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, dict[str, Reader]]]:
    """A generated programme, open with the dashboard's rights, and managers of one, ten and all its sites."""
    home = tmp_path_factory.mktemp("programme")
    with fresh_settings(servers, database_template, home) as settings:
        with open_database(settings, DatabaseRole.OWNER) as owner:
            with session_scope(owner) as session:
                write_programme(session, n_scans=N_SCANS, ends_at=NOW, n_sites=N_SITES)
                count_programme(session)
                readers = {name: add_reader(session, n_sites) for name, n_sites in READERS.items()}
            with open_database(settings, DatabaseRole.SEALER) as sealer:
                seal_audit(sealer, settings)
            tidy(owner)
        with open_database(settings, DatabaseRole.DASHBOARD) as database:
            yield database, readers


def plans_of(database: Database, token: str | None, statements: list[tuple[str, Any]]) -> list[str]:
    with session_scope(database, token=token) as session:
        connection = session.connection()
        return [
            "\n".join(row[0] for row in connection.exec_driver_sql(f"explain {statement}", parameters))
            for statement, parameters in statements
            if statement.lstrip().lower().startswith(("select", "with")) and "set_config" not in statement
        ]


def walked(plan: str) -> set[str]:
    return set(re.findall(r"Seq Scan on (\w+)", plan)) & GROWING


@pytest.mark.parametrize("page", PAGES)
def test_no_page_walks_a_growing_table(programme: tuple[Database, dict[str, Reader]], page: str) -> None:
    database, readers = programme
    for name, reader in readers.items():
        found, _ = ask(database, reader, PAGES[page], NOW)
        assert [(name, plan) for plan in plans_of(database, reader.token, found.statements) if walked(plan)] == []


WALKS = text("select relname from pg_stat_xact_user_tables where seq_scan > 0")
"""Tables of which this transaction read all rows, also from within functions of the database, which hide their plans."""


@pytest.mark.parametrize("page", PAGES)
def test_no_function_of_the_database_walks_one_for_a_page(
    programme: tuple[Database, dict[str, Reader]], page: str
) -> None:
    database, readers = programme
    for reader in readers.values():
        visit = Visit(NOW, reader.scan_id, reader.batch_id, reader.scan_type)
        with session_scope(database, token=reader.token) as session:
            PAGES[page](session, visit)
            assert set(session.scalars(WALKS)) & GROWING == set()


def test_a_walk_would_be_seen(programme: tuple[Database, dict[str, Reader]]) -> None:
    def walk(session: Session, _: Visit) -> object:
        return session.scalars(select(Blob.sha256).where(Blob.size_bytes > 50)).all()

    database, readers = programme
    found, _ = ask(database, readers["1 site"], walk, NOW)
    plans = plans_of(database, readers["1 site"].token, found.statements)
    assert [walked(plan) for plan in plans] == [{"blob"}]
    with session_scope(database, token=readers["1 site"].token) as session:
        walk(session, Visit(NOW, 0, 0, ""))
        assert set(session.scalars(WALKS)) & GROWING == {"blob"}


def asked_by_the_dashboard() -> dict[str, set[str]]:
    """Functions of core that a page, component or route calls with a session, and where."""
    found: dict[str, set[str]] = {}
    for path in sorted(DASHBOARD.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("core.")
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.args[0]) == "session":
                name = ast.unparse(node.func)
                head, dot, rest = name.partition(".")
                if head in imported:
                    found.setdefault(imported[head] + dot + rest, set()).add(str(path.relative_to(DASHBOARD)))
    return found


def test_everything_that_a_page_asks_is_in_the_list() -> None:
    listed = {
        f"{value.__module__}.{name}"
        for name, value in (vars(page_questions) | vars(page_model_questions)).items()
        if callable(value) and getattr(value, "__module__", "").startswith("core.")
    }
    asked = asked_by_the_dashboard()
    assert {"core.store.overview.read_overview", "core.usecases.flag_sites.flag_sites"} <= asked.keys() & listed
    unknown = {name: where for name, where in asked.items() if name not in listed}
    assert {name: where for name, where in unknown.items() if name.rpartition(".")[0] not in NO_VIEW} == {}


def test_what_is_sent_is_seen(programme: tuple[Database, dict[str, Reader]]) -> None:
    database, readers = programme
    with watched(database) as found, session_scope(database, token=readers["1 site"].token) as session:
        session.scalar(select(Acquisition.id).limit(1))
    assert len(found.statements) == 2  # the token, and what was asked
    assert found.in_database_ms > 0
