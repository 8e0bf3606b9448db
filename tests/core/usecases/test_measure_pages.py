"""The documentation's table of the pages' speed is that of the stored figures, and the program measures what they are of."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.settings import Settings
from core.store.generated_counts import count_programme
from core.store.generated_programme import write_programme
from core.usecases.measure_pages import (
    READERS,
    browsing_table,
    browsing_words,
    counting_words,
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
    assert all(0 < row["median_ms"] <= row["with_python_ms"] for row in found)
    record = record_of({600: found}, n_rounds=1, loads={600: 0.5})
    stored = {(row["page"], row["reader"]) for row in STORED["pages"]}
    assert stored <= {(row["page"], row["reader"]) for row in record["pages"]}
    silent = {page for page, _ in ((row["page"], row["reader"]) for row in record["pages"])} - {
        page for page, _ in stored
    }
    assert all(page in summary(STORED) for page in silent)


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
