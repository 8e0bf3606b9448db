"""Whatever is taken away leaves an event in the audit trail: every button, every route, and those that are to come."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from clinics import Clinics
from sqlalchemy import func, select
from starlette.routing import Route
from starlette.testclient import TestClient

import dashboard
from core.database import tables
from core.database.session import Database, session_scope
from core.reports.make_report import make_asked
from core.store.access import current_actor
from core.usecases.ask_report import ask_report
from core.vocabulary import ReportKind
from dashboard.api.app import build_api
from dashboard.installation import Installation
from dashboard.server import own_routes

FILES = {"application/pdf", "application/zip"}
EMPTY_FORMS = {"calendar_template", "manifest_template"}
"""Functions that write a form to fill in: there is nothing in it."""
ELSEWHERE = {
    "/scans/{scan_id}/dicom.zip": "tests/dashboard/test_dicom_results.py",
    "/annotate/{round_id}.zip": "tests/core/usecases/test_exchange_masks.py",
    "/mask-rounds/{round_id}/images.zip": "tests/core/usecases/test_exchange_masks.py",
    "/outlines/{study_id}.zip": "tests/core/usecases/test_outline_faz.py",
    "/faz-outlines/images.zip": "tests/core/usecases/test_outline_faz.py",
}
"""Downloads that need a world of their own, and the test that holds them to it."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def addresses(
    clinics: Clinics, installation: Installation, owner_database: Database, worker_database: Database
) -> dict[str, str]:
    """Every download by its path, with something to take."""
    with session_scope(installation.database, token=clinics.manager) as session:
        actor = current_actor(session)
        assert actor is not None
        report_id = ask_report(
            session, actor=actor, kind=ReportKind.SITE, study_id=clinics.study_id, site_id=clinics.site_id, n_weeks=4
        )
    assert make_asked(worker_database, installation.blobs) == 1
    with session_scope(owner_database) as session:
        batch_id = session.get_one(tables.Scan, clinics.accepted_id).batch_id
    study = clinics.study_id
    return {
        "/reports/{report_id}.pdf": f"/reports/{report_id}.pdf",
        "/receipts/{batch_id}.pdf": f"/receipts/{batch_id}.pdf",
        "/tips/{study_id}/{reason}.pdf": f"/tips/{study}/oscar-mp:M.pdf",
        "/exports/{kind}.zip": f"/exports/scans.zip?study={study}",
        "/reports/{report_id}/report.pdf": f"/api/v1/reports/{report_id}/report.pdf",
        "/batches/{batch_id}/receipt.pdf": f"/api/v1/batches/{batch_id}/receipt.pdf",
        "/studies/{study_id}/tip-sheets/{reason}.pdf": f"/api/v1/studies/{study}/tip-sheets/oscar-mp:M.pdf",
        "/exports/scans.zip": f"/api/v1/exports/scans.zip?study={study}",
        "/exports/rates.zip": f"/api/v1/exports/rates.zip?study={study}",
    }


def downloads(installation: Installation) -> set[str]:
    """Paths of all routes that give a file, of the pages and of the API."""
    of_pages = {
        route.path_format
        for route in own_routes(installation)
        if isinstance(route, Route) and route.path.endswith((".pdf", ".zip", ".csv"))
    }
    of_api = {
        path
        for path, methods in build_api(installation).openapi()["paths"].items()
        if FILES & set(methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {}))
    }
    return of_pages | of_api


def n_exports(database: Database) -> int:
    with session_scope(database) as session:
        action = tables.AuditEvent.action
        return session.scalar(select(func.count()).where(action == "export")) or 0


def test_each_download_leaves_one_event(
    addresses: dict[str, str], installation: Installation, clinics: Clinics, owner_database: Database,
    client_of: Callable[..., TestClient],
) -> None:  # fmt: skip
    assert downloads(installation) == set(addresses) | set(ELSEWHERE), "a download came or went: note it, and name it"
    client = client_of(clinics.manager)
    for path, address in addresses.items():
        before = n_exports(owner_database)
        answer = client.get(address)
        assert answer.status_code == 200, (path, answer.text)
        assert n_exports(owner_database) == before + 1, path
        refused = client_of(clinics.stranger).get(address.replace("study=1", "study=999"))
        if refused.status_code != 200:
            assert n_exports(owner_database) == before + 1, "what was not given was not taken"
    for path, test in ELSEWHERE.items():
        assert "export" in (ROOT / test).read_text("utf-8"), path


def test_every_button_that_gives_data_notes_it() -> None:
    found = 0
    for file in Path(dashboard.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "download_button"):
                continue
            found += 1
            given = node.args[1]
            name = getattr(given.func, "id", "") if isinstance(given, ast.Call) else ""
            assert name == "noted" or name in EMPTY_FORMS, f"{file.name}:{node.lineno} gives data that nobody notes"
    assert found >= 3, "the way of giving data has changed: change this test with it"
