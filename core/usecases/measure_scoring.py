"""Measures scoring: the whole pipeline, stored image to committed rows, against the network's bare forward pass."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from core.broker import NullBell
from core.database import migrate
from core.database.embedded import embedded_servers
from core.database.initialise import initialise_database
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.errors import ScoringError
from core.intake.readers.raster import read_raster
from core.policy.protocol import Protocol as StudyProtocol
from core.scoring.contract import ScanInput, Scorer
from core.scoring.lanes.octa_enface import PreparedScan, prepare
from core.settings import Settings, load_settings
from core.storage import open_blob_store
from core.store.access import PROGRAM
from core.usecases.administer_study import add_device, add_site, add_study, add_technician
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.collect_files import collect_files
from core.usecases.ingest_files import Ingestion, IngestItem, ingest_files
from core.usecases.score_files import ScoreRun, score_files
from core.usecases.write_phantoms import MANIFEST_NAME, SCANS_FOLDER, PhantomOrder, write_phantoms
from core.vocabulary import Slab

_STUDY, _DEVICE, _TECHNICIAN = "BENCH", "BENCH-1", "BENCH-T1"
LEAST_SCORED = 0.9
"""Intake holds a few phantoms in a hundred for what looks like burned-in text; more missing is a fault."""
_SEED = 20


class BareForward(Protocol):
    """A scorer whose network can be run by itself on scans that are prepared."""

    def forward_scans(self, scans: Sequence[PreparedScan]) -> Sequence[object]:
        """One forward pass."""
        ...


class MeasurableScorer(Scorer, BareForward, Protocol):
    """What is measured."""


class ScoringFigures(BaseModel):
    """Medians over the rounds, measured in turn in one process; a ratio of 1 would mean that all else is free."""

    model_config = ConfigDict(frozen=True)

    n_scans: int
    n_rounds: int
    size_px: int
    batch_size: int
    device: str
    weights_sha256: str
    forward_scans_per_s: float
    pipeline_scans_per_s: float
    """Stored image to committed rows, masks and Grad-CAMs, as the worker does it."""
    files_scans_per_s: float
    """Image file to results.jsonl, masks and Grad-CAMs, as `octaudit score` does it."""
    pipeline_ratio: float
    files_ratio: float
    n_cores: int
    load_average: float
    """Of the last five minutes, the measurement itself included: above the number of cores others took their share."""


def measure_scoring(
    scorer: MeasurableScorer,
    *,
    n_scans: int,
    n_rounds: int,
    batch_size: int,
    size_px: int = 304,
    device: str = "cpu",
    on_round: Callable[[int], None] = lambda _: None,
) -> ScoringFigures:
    """Score ``n_scans`` phantoms of ``size_px`` per round: bare forward pass, files, and database, one after the other.

    Starts its own servers in a temporary home and removes everything at the end. The first forward pass is not counted.
    """
    rounds: list[tuple[float, float, float]] = []
    with _installation(n_scans, n_rounds, size_px) as (settings, folder, sites):
        fitted = settings.model_copy(update={"worker_batch_size": batch_size})
        prepared = _prepared(folder, settings)
        scorer.forward_scans(prepared[:batch_size])
        for number, site in enumerate(sites, start=1):
            forward = _seconds(lambda: _forward_all(scorer, prepared, batch_size))
            files = _seconds(lambda: _score_files(scorer, folder, fitted))
            _submit(fitted, folder, site)
            rounds.append((forward, files, _assess_seconds(scorer, fitted, n_scans)))
            on_round(number)
    forward, files, pipeline = (statistics.median(times) for times in zip(*rounds, strict=True))
    return ScoringFigures(
        n_scans=n_scans,
        n_rounds=n_rounds,
        size_px=size_px,
        batch_size=batch_size,
        device=device,
        weights_sha256=scorer.identity.weights_sha256,
        forward_scans_per_s=round(n_scans / forward, 2),
        pipeline_scans_per_s=round(n_scans / pipeline, 2),
        files_scans_per_s=round(n_scans / files, 2),
        pipeline_ratio=round(statistics.median(one[0] / one[2] for one in rounds), 3),
        files_ratio=round(statistics.median(one[0] / one[1] for one in rounds), 3),
        n_cores=os.cpu_count() or 1,
        load_average=round(os.getloadavg()[1], 1),
    )


@contextmanager
def _installation(n_scans: int, n_rounds: int, size_px: int) -> Iterator[tuple[Settings, Path, list[str]]]:
    """A home of its own with running servers, a study, a site per round, and a folder of phantoms."""
    with tempfile.TemporaryDirectory(prefix="octaudit-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        Path(folder).chmod(0o711)
        with embedded_servers(home):
            settings = load_settings(home=home)
            initialise_database(settings)
            migrate.upgrade(settings)
            sites = [f"B{number}" for number in range(1, n_rounds + 1)]
            _add_study(settings, sites)
            for site in sites:
                _render(Path(folder), site, n_scans, size_px)
            yield settings, Path(folder) / sites[0] / SCANS_FOLDER, sites


def _add_study(settings: Settings, sites: Sequence[str]) -> None:
    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as session:
        study_id = add_study(session, actor=PROGRAM, code=_STUDY, name="Measurement", protocol=StudyProtocol.default())
        for site in sites:
            site_id = add_site(session, actor=PROGRAM, study_id=study_id, code=site, name=site)
            add_device(
                session,
                actor=PROGRAM,
                site_id=site_id,
                code=_DEVICE,
                manufacturer="phantom",
                model="phantom",
                serial=site,
            )
            add_technician(session, actor=PROGRAM, site_id=site_id, code=_TECHNICIAN)


def _render(folder: Path, site: str, n_scans: int, size_px: int) -> None:
    """The phantoms of one site. The same scans at each: a round must not be easier than another."""
    order = PhantomOrder(folder / site, n_scans, _SEED, size_px, _STUDY, site, _DEVICE, _TECHNICIAN)
    write_phantoms(order, on_done=lambda _: None)


def _prepared(folder: Path, settings: Settings) -> list[PreparedScan]:
    limit, paths = settings.image_max_megapixels, sorted(folder.glob("*.png"))
    return [prepare(ScanInput(path.name, read_raster(path, max_megapixels=limit).image, None)) for path in paths]


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _forward_all(scorer: BareForward, scans: Sequence[PreparedScan], batch_size: int) -> None:
    for first in range(0, len(scans), batch_size):
        scorer.forward_scans(scans[first : first + batch_size])


def _score_files(scorer: Scorer, folder: Path, settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as out:
        files = collect_files([folder], out=Path(out), field_mm=(3.0, 3.0), slab=Slab.UNKNOWN, manifest=None)
        run = ScoreRun(
            scorer, Path(out), StudyProtocol.default(), settings.worker_batch_size, settings.image_max_megapixels
        )
        score_files(files, run)


def _submit(settings: Settings, folder: Path, site: str) -> None:
    scans = folder.parent.parent / site
    with open_database(settings, DatabaseRole.OWNER) as database:
        ingestion = Ingestion(lambda: session_scope(database), open_blob_store(settings), NullBell(), settings, PROGRAM)
        items = [IngestItem(path.name, path) for path in sorted((scans / SCANS_FOLDER).glob("*.png"))]
        ingest_files(ingestion, items, study=_STUDY, site=site, manifest=(scans / MANIFEST_NAME).read_bytes())


def _assess_seconds(scorer: Scorer, settings: Settings, n_scans: int) -> float:
    """Seconds for ``n_scans``, from those that were scored."""
    with open_database(settings, DatabaseRole.WORKER) as database:
        line = Line(database, open_blob_store(settings), scorer, settings)
        started = time.perf_counter()
        tally = assess_scans(line)
        seconds = time.perf_counter() - started
    if tally.n_scored < LEAST_SCORED * n_scans:
        raise ScoringError(
            f"Of {n_scans} phantoms only {tally.n_scored} were scored.", remedy="Run octaudit doctor; report this."
        )
    return seconds * n_scans / tally.n_scored
