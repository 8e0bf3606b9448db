"""The documentation's table of the pages' speed is that of the stored figures, and the program measures what they are of."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.database.tables import AuditEvent, AuditSeal
from core.settings import Settings
from core.store.generated_counts import count_programme
from core.store.generated_programme import write_programme
from core.usecases.measure_pages import (
    READERS,
    browsing_table,
    browsing_words,
    counting_words,
    generated_programme,
    growth,
    measure_programme,
    pages_table,
    record_of,
    summary,
)
from core.usecases.page_questions import PAGES

DOCS = Path(__file__).parents[3] / "docs"
STORED = json.loads((DOCS / "figures" / "pages.json").read_text(encoding="utf-8"))


def shown(name: str) -> str:
    text = (DOCS / "speed.md").read_text(encoding="utf-8")
    return text.split(f"<!-- table: {name} -->\n")[1].split("<!-- end of table -->")[0].strip()


def test_the_tables_show_the_stored_figures() -> None:
    assert shown("pages") == pages_table(STORED)
    assert shown("summary") == summary(STORED)
    counting = json.loads((DOCS / "figures" / "counting.json").read_text(encoding="utf-8"))
    assert shown("counting") == counting_words(counting)
    assert counting["counting_ms"] <= 0.1 * counting["scoring_ms"]
    browsing = json.loads((DOCS / "figures" / "browsing.json").read_text(encoding="utf-8"))
    assert shown("browsing summary") == browsing_words(browsing)
    assert shown("browsing") == browsing_table(browsing)


@pytest.mark.slow
def test_the_program_measures_what_the_stored_figures_are_of(settings: Settings) -> None:
    now = datetime(2026, 11, 18, 12, tzinfo=UTC)
    with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        write_programme(session, n_scans=600, ends_at=now, n_sites=12)
        count_programme(session)
    found = measure_programme(settings, now=now, n_rounds=1)
    assert {(row["page"], row["reader"]) for row in found} == {(page, name) for page in PAGES for name in READERS}
    assert all(row["median_ms"] > 0 for row in found)
    # All pages together: another process may stop any single one of them.
    assert sum(row["median_ms"] for row in found) <= sum(row["with_python_ms"] for row in found)
    record = record_of({600: found}, n_rounds=1, loads={600: 0.5})
    stored = {(row["page"], row["reader"]) for row in STORED["pages"]}
    assert stored <= {(row["page"], row["reader"]) for row in record["pages"]}
    silent = {page for page, _ in ((row["page"], row["reader"]) for row in record["pages"])} - {
        page for page, _ in stored
    }
    assert all(page in summary(STORED) for page in silent)


@pytest.mark.slow
def test_a_generated_programme_s_trail_is_sealed_as_in_operation() -> None:
    with (
        generated_programme(60, datetime(2026, 11, 18, 12, tzinfo=UTC)) as settings,
        open_database(settings, DatabaseRole.OWNER) as owner,
        session_scope(owner) as session,
    ):
        n_events = session.scalar(select(func.count()).select_from(AuditEvent))
        assert n_events
        assert session.scalar(select(func.count()).select_from(AuditSeal)) == n_events


BROWSED = {
    "n_scans": 1000,
    "n_looks": 3,
    "machine": {"cores": 2, "load": 0.4},
    "pages": [
        {"page": "Account", "opened_median_s": 0.9, "opened_most_s": 1.1},
        {"page": "Trends", "clicked_median_s": 0.8, "clicked_most_s": 1.2, "opened_median_s": 1.5, "opened_most_s": 2},
    ],
}


def test_clicks_and_cold_openings_are_both_shown() -> None:
    assert "1 of 1 pages stand within 1.0 s after a click" in browsing_words(BROWSED)
    assert "1 of 2 when they are opened by their address" in browsing_words(BROWSED)
    assert browsing_table(BROWSED).splitlines()[2:] == [
        "| Account | - | - | 0.90 | **1.10** |",
        "| Trends | 0.80 | **1.20** | **1.50** | **2.00** |",
    ]


def test_a_missed_target_is_in_bold() -> None:
    figures = [{"page": "P", "reader": "all", "median_ms": m, "p95_ms": m, "with_python_ms": m} for m in (40.0, 200.0)]
    record = record_of({10: figures[:1], 1000: figures[1:]}, n_rounds=1, loads={10: 0.5, 1000: 6.0})
    assert pages_table(record).splitlines()[-1] == "| P | all | 40, 40 | 200, **200** | **5.0** |"
    assert summary(record).startswith("At 1,000 scans 0 of 1 keep p95")
    assert "0.5 at 10 scans, 6.0 at 1,000 scans" in summary(record)


def test_waiting_for_a_core_is_no_growth() -> None:
    figures = [
        {"page": "P", "reader": "all", "median_ms": m, "p95_ms": m, "on_core_ms": c, "with_python_ms": m}
        for m, c in ((40.0, 30.0), (200.0, 36.0))
    ]
    record = record_of({10: figures[:1], 1000: figures[1:]}, n_rounds=1, loads={10: 0.5, 1000: 6.0})
    assert pages_table(record).splitlines()[-1] == "| P | all | 40, 40 (30) | 200, **200** (36) | 1.2 |"
    assert "1 of 1 stay within 150 ms" in summary(record)


def test_unrest_of_short_times_is_no_growth() -> None:
    row = {"sizes": {"1": {"median_ms": 0.4}, "2": {"median_ms": 4.0}}}
    assert growth(row, [1, 2]) == 1.0
