"""`octaudit ingest`: takes files from this machine's disk into the database, through the same intake as an upload."""

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.database.session import Database
    from core.usecases.ingest_files import IngestItem, IngestResult
    from core.usecases.submit_batch import Receipt

_LISTED_FILES = 50


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--study", required=True, help="Code of the study.")
@click.option("--site", required=True, help="Code of the site that sends the files.")
@click.option("--device", required=True, help="Code of the device, where the manifest does not name one.")
@click.option("--manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV, one row per file.")
@click.option("--wait", is_flag=True, help="Stay until a worker has scored every accepted scan.")
def command(*, paths: tuple[Path, ...], study: str, site: str, device: str, manifest: Path | None, wait: bool) -> int:
    """Take image files, folders and zips into the database as one batch, and print the receipt.

    What each file shows stands in the manifest; `GET /api/v1/manifest-template.csv` or the upload page give a
    template. Files with faults are listed with the cure and stop nothing.

    \b
    Example:
      octaudit ingest scans/ --study MYSTUDY --site S1 --device S1-A --manifest manifest.csv --wait
    """
    from core.database.roles import DatabaseRole
    from core.database.session import open_database
    from core.errors import ExitCode
    from core.settings import load_settings
    from core.vocabulary import FileState

    with open_database(load_settings(), DatabaseRole.OWNER) as database:
        result = _ingest(database, paths, study=study, site=site, device=device, manifest=manifest)
        _print_receipt(result)
        if wait:
            _wait(database, result.receipt)
    are_all_in = result.receipt.count(FileState.ACCEPTED) == len(result.receipt.lines)
    return int(ExitCode.DONE if are_all_in else ExitCode.SOME_FAILED)


def _ingest(
    database: "Database", paths: tuple[Path, ...], *, study: str, site: str, device: str, manifest: Path | None
) -> "IngestResult":
    from core.broker import open_bell
    from core.database.session import session_scope
    from core.settings import load_settings
    from core.storage import open_blob_store
    from core.store.access import PROGRAM
    from core.usecases.ingest_files import Ingestion, ingest_files

    settings = load_settings()
    items = list(_items(paths))
    ingestion = Ingestion(
        lambda: session_scope(database), open_blob_store(settings), open_bell(settings), settings, PROGRAM
    )
    with _progress(len(items), "Reading") as advance:
        return ingest_files(
            ingestion,
            items,
            study=study,
            site=site,
            manifest=manifest.read_bytes() if manifest else None,
            defaults={"device": device},
            on_staged=lambda _: advance(1),
        )


def _items(paths: tuple[Path, ...]) -> "Iterator[IngestItem]":
    """Every file of the paths, folders with all below them; named as the manifest names them, from the folder on."""
    from core.usecases.ingest_files import IngestItem

    for path in paths:
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith("."))
            for file in files:
                yield IngestItem(file.relative_to(path).as_posix(), file)
        else:
            yield IngestItem(path.name, path)


def _print_receipt(result: "IngestResult") -> None:
    from core.vocabulary import FileState

    receipt = result.receipt
    click.echo(f"Receipt {receipt.code}: {', '.join(f'{receipt.count(state)} {state}' for state in FileState)}.")
    for problem in result.manifest_problems:
        click.echo(f"manifest: {problem.message} {problem.remedy}", err=True)
    faulty = [line for line in receipt.lines if line.state is not FileState.ACCEPTED]
    for line in faulty[:_LISTED_FILES]:
        for problem in line.problems:
            if problem.is_blocking:
                click.echo(f"{line.name}: {line.state}: {problem.message} {problem.remedy}", err=True)
    if len(faulty) > _LISTED_FILES:
        click.echo(f"... and {len(faulty) - _LISTED_FILES} more; the upload page lists all of them.", err=True)


def _wait(database: "Database", receipt: "Receipt") -> None:
    """Watch the batch until no scan of it waits any more; Ctrl-C stops watching, not scoring."""
    from core.database.session import session_scope
    from core.usecases.submit_batch import read_receipt
    from core.vocabulary import FileState, ScanState

    waiting_states = {ScanState.RECEIVED, ScanState.QUEUED, ScanState.SCORING}
    waiting = total = receipt.count(FileState.ACCEPTED)
    with _progress(total, "Scoring") as advance:
        while waiting:
            time.sleep(1)
            with session_scope(database) as session:
                lines = read_receipt(session, receipt.batch_id).lines
            still = sum(line.scan_state in waiting_states for line in lines)
            advance(waiting - still)
            waiting = still
    click.echo(f"{total} scans scored.")


@contextmanager
def _progress(total: int, label: str) -> "Iterator[Callable[[int], None]]":
    """A progress bar on stderr, none where that is no terminal; yields what moves it on."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)
