"""Measures how long the database takes for each page's data, by the size of the programme and by who asks."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from core.database import migrate
from core.database.embedded import embedded_servers
from core.database.initialise import initialise_database
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.settings import Settings, load_settings
from core.store.generated_counts import count_programme, tidy
from core.store.generated_programme import has_study, write_programme
from core.store.generated_reader import Reader, add_reader
from core.usecases.page_questions import PAGES
from core.usecases.page_visit import Question, Visit
from core.usecases.seal_audit import seal_audit

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

    Each page is asked once as the dashboard asks it, which warms the caches and says which statements those are; then
    the same statements are sent again round by round, without what Python makes of the rows. The pages take turns, so
    that a busy moment of the machine does not meet one of them alone.
    """
    with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        readers = {name: add_reader(session, n_sites) for name, n_sites in READERS.items()}
    asked: dict[tuple[str, str], tuple[Watch, float]] = {}
    looks: dict[tuple[str, str], list[Look]] = {}
    with open_database(settings, DatabaseRole.DASHBOARD) as database:
        for name, reader in readers.items():
            for page, question in PAGES.items():
                on_page(f"{page} for {name}, first look")
                asked[page, name] = ask(database, reader, question, now)
        for number in range(1, n_rounds + 1):
            for (page, name), (found, _) in asked.items():
                on_page(f"{page} for {name}, round {number} of {n_rounds}")
                looks.setdefault((page, name), []).append(look(database, readers[name], found.statements))
    return [
        {"page": page, "reader": name, **_figures(each, whole_ms=asked[page, name][1])}
        for (page, name), each in looks.items()
    ]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a page took of the database, ms: until its rows were there, and of that on a core."""

    answered_ms: float
    on_core_ms: float | None
    """None where the database's process runs elsewhere, or the system does not say (not Linux)."""


def look(database: Database, reader: Reader, statements: Sequence[tuple[str, Any]]) -> Look:
    """Send a page's statements once more and fetch their rows."""
    with session_scope(database, token=reader.token) as session:
        connection = session.connection()
        process_id = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]  # psycopg's
        before_ms, began = _on_core_ms(process_id), time.perf_counter()
        for statement, parameters in statements:
            if "set_config" not in statement:
                connection.exec_driver_sql(statement, parameters).all()
        answered_ms = 1000.0 * (time.perf_counter() - began)
        after_ms = _on_core_ms(process_id)
    return Look(answered_ms, None if before_ms is None or after_ms is None else after_ms - before_ms)


def _on_core_ms(process_id: int) -> float | None:
    try:
        return int(Path(f"/proc/{process_id}/schedstat").read_text("ascii").split()[0]) / 1e6
    except (FileNotFoundError, PermissionError):
        return None


def _figures(looks: Sequence[Look], *, whole_ms: float) -> dict[str, float]:
    in_database = sorted(each.answered_ms for each in looks)
    found = {"median_ms": round(statistics.median(in_database), 1), "p95_ms": round(_p95(in_database), 1)}
    on_core = [each.on_core_ms for each in looks if each.on_core_ms is not None]
    if on_core:
        found["on_core_ms"] = round(statistics.median(on_core), 1)
    return found | {"with_python_ms": round(whole_ms, 1)}


def _p95(ordered: Sequence[float]) -> float:
    if len(ordered) == 1:
        return ordered[0]
    return statistics.quantiles(ordered, n=20, method="inclusive")[-1]


TARGET_MS, MOST_GROWTH = 150.0, 1.5
"""Asked: 95 of 100 times within this, and from the smallest to the largest programme at most so much longer."""
NOT_MEASURABLE_MS = 5.0
"""Growth of a shorter time is the machine's own unrest."""


def measure_pages(
    sizes: Sequence[int],
    *,
    n_rounds: int = N_ROUNDS,
    kept_in: Path | None = None,
    on_step: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Generate a programme of each size in a temporary database, and measure every page on each; the record for docs.

    Needs no installation. A million scans take about 8 GB of disk, and minutes; the folder ``kept_in`` keeps programmes
    for the next run.
    """
    now = datetime(2026, 11, 18, 12, tzinfo=UTC)
    found: dict[int, list[dict[str, Any]]] = {}
    loads: dict[int, float] = {}
    for n_scans in sizes:
        on_step(f"{n_scans:,} scans: generating")
        home = None if kept_in is None else kept_in / str(n_scans)
        with generated_programme(n_scans, now, home=home) as settings:
            found[n_scans] = measure_programme(settings, now=now, n_rounds=n_rounds, on_page=on_step)
        loads[n_scans] = os.getloadavg()[1]
    return record_of(found, n_rounds=n_rounds, loads=loads)


@contextmanager
def generated_programme(n_scans: int, ends_at: datetime, *, home: Path | None = None) -> Iterator[Settings]:
    """A generated programme in servers of its own, for as long as the block runs.

    In a temporary folder, or in ``home``, which keeps it: there it is only made once, whatever its size.
    """
    with tempfile.TemporaryDirectory(prefix="octaudit-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # as root PostgreSQL runs under an account of its own, which must get in
        kept = home or Path(folder) / "home"
        with embedded_servers(kept):
            settings = load_settings(home=kept)
            initialise_database(settings)
            migrate.upgrade(settings)
            with open_database(settings, DatabaseRole.OWNER) as owner:
                with session_scope(owner) as session:
                    if not has_study(session):
                        write_programme(session, n_scans=n_scans, ends_at=ends_at)
                        count_programme(session)
                with open_database(settings, DatabaseRole.SEALER) as sealer:
                    seal_audit(sealer, settings)  # as the keeper does: half a million events do not wait in operation
                tidy(owner)
            yield settings


def record_of(
    found: Mapping[int, Sequence[Mapping[str, Any]]], *, n_rounds: int, loads: Mapping[int, float]
) -> dict[str, Any]:
    """Figures by size as one row per page and person, the pages in their order.

    ``loads`` says of each size how many processes wanted a core meanwhile (load average of five minutes).
    """
    sizes = sorted(found)
    by_key: dict[tuple[str, str], dict[str, dict[str, float]]] = {
        (row["page"], row["reader"]): {} for rows in found.values() for row in rows
    }
    for size in sizes:
        for row in found[size]:
            figures = {name: value for name, value in row.items() if name.endswith("_ms")}
            by_key[row["page"], row["reader"]][str(size)] = figures
    pages = [{"page": page, "reader": reader, "sizes": figures} for (page, reader), figures in by_key.items()]
    machine = {"cores": os.cpu_count(), "load": {str(size): round(loads[size], 1) for size in sizes}}
    return {"n_rounds": n_rounds, "machine": machine, "sizes": sizes, "pages": pages}


def growth(row: Mapping[str, Any], sizes: Sequence[int]) -> float:
    """By how many times longer a page takes at the largest programme than at the smallest.

    By the time on a core where it is known: what else the machine did meanwhile is no growth.
    """
    figures = [row["sizes"][str(size)] for size in (sizes[0], sizes[-1])]
    name = "on_core_ms" if all("on_core_ms" in each for each in figures) else "median_ms"
    least, most = (each[name] for each in figures)
    return float(max(most, NOT_MEASURABLE_MS) / max(least, NOT_MEASURABLE_MS))


def pages_table(record: Mapping[str, Any]) -> str:
    """The record as a table; what misses its target is in bold."""
    sizes = record["sizes"]
    heads = ["page", "who sees", *(f"{size:,} scans: median, p95 (on a core), ms" for size in sizes), "growth"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * 2}{'---:|' * (len(sizes) + 1)}"]
    for row in record["pages"]:
        cells = []
        for size in sizes:
            figures = row["sizes"][str(size)]
            p95 = f"{figures['p95_ms']:.0f}"
            on_core = f" ({figures['on_core_ms']:.0f})" if "on_core_ms" in figures else ""
            p95 = p95 if figures["p95_ms"] <= TARGET_MS else f"**{p95}**"
            cells.append(f"{figures['median_ms']:.0f}, {p95}{on_core}")
        times = growth(row, sizes)
        cells.append(f"{times:.1f}" if times <= MOST_GROWTH else f"**{times:.1f}**")
        lines.append(f"| {row['page']} | {row['reader']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(record: Mapping[str, Any]) -> str:
    """How many rows of the table keep both targets, in words."""
    sizes = record["sizes"]
    within = sum(row["sizes"][str(sizes[-1])]["p95_ms"] <= TARGET_MS for row in record["pages"])
    steady = sum(growth(row, sizes) <= MOST_GROWTH for row in record["pages"])
    n = len(record["pages"])
    on_core = [row["sizes"][str(sizes[-1])].get("on_core_ms") for row in record["pages"]]
    quiet = sum(each is not None and each <= TARGET_MS for each in on_core)
    machine = record["machine"]
    loads = ", ".join(f"{machine['load'][str(size)]} at {size:,} scans" for size in sizes)
    silent = [page for page in PAGES if page not in {row["page"] for row in record["pages"]}]
    words = (
        f"At {sizes[-1]:,} scans {within} of {n} keep p95 <= {TARGET_MS:.0f} ms; {steady} of {n} grow at most "
        f"{MOST_GROWTH} times from {sizes[0]:,} scans. {record['n_rounds']} looks at each page, on "
        f"{machine['cores']} cores, and processes wanting one meanwhile (load average): {loads}. Times hold the "
        f"waiting for a core; by the time that the database spent on one, {quiet} of {n} stay within "
        f"{TARGET_MS:.0f} ms."
    )
    return "\n\n".join([words, *([f"Not measured yet: {', '.join(silent)}."] if silent else [])])


def counting_words(record: Mapping[str, Any]) -> str:
    """What counting costs of scoring, in words, from the record of bench/counting.py."""
    scoring, writing, counting = (record[f"{name}_ms"] for name in ("scoring", "writing", "counting"))
    return (
        f"Scoring a scan takes {scoring:.1f} ms on this machine, of it writing the scores {writing:.1f} ms and, of "
        f"that, counting {counting:.1f} ms: {100 * counting / scoring:.1f} % of scoring, "
        f"{100 * counting / writing:.0f} % of writing ({record['n_scans']} phantoms, batches of 16, one round)."
    )


MOST_S = 1.0
"""Asked: the last chart of a page stands within this in Chromium."""


def browsing_table(record: Mapping[str, Any]) -> str:
    """The record of bench/browsing.py as a table; what takes too long is in bold."""
    n = record["n_looks"]
    heads = [f"{way}: {figure} (s)" for way in ("clicked", "opened") for figure in (f"median of {n}", "longest")]
    rows = sorted(record["pages"], key=lambda row: -row.get("clicked_median_s", row["opened_median_s"]))
    names = [f"{way}_{figure}_s" for way in ("clicked", "opened") for figure in ("median", "most")]
    return "\n".join(
        [
            f"| page | {' | '.join(heads)} |",
            f"|---|{'---:|' * len(heads)}",
            *(f"| {row['page']} | {' | '.join(_seconds(row.get(name)) for name in names)} |" for row in rows),
        ]
    )


def browsing_words(record: Mapping[str, Any]) -> str:
    """How many pages of that record stand in time, in words."""
    ways = {}
    for way in ("clicked", "opened"):
        seconds = [row[f"{way}_median_s"] for row in record["pages"] if f"{way}_median_s" in row]
        ways[way] = f"{sum(each <= MOST_S for each in seconds)} of {len(seconds)}"
    machine = record["machine"]
    return (
        f"At {record['n_scans']:,} scans {ways['clicked']} pages stand within {MOST_S} s after a click in the open "
        f"application, and {ways['opened']} when they are opened by their address (median of {record['n_looks']} "
        f"looks), with browser, server and database on {machine['cores']} cores and {machine['load']} processes "
        f"wanting one (load average)."
    )


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f}" if seconds <= MOST_S else f"**{seconds:.2f}**"
