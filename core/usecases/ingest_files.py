"""Takes files from disk or memory through the same intake as an upload: open, stage, fill in, submit, receipt.

For the command line and the demo study, which run with the program's own rights.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from core.broker import Bell
from core.intake.problems import Problem
from core.settings import Settings
from core.storage import BlobStore
from core.store.access import Actor
from core.store.batch import read_files, write_entries
from core.usecases.open_batch import clean_values, open_batch
from core.usecases.stage_files import (
    ManifestOutcome,
    OpenSession,
    Staging,
    apply_manifest,
    stage_image,
    stage_upload,
)
from core.usecases.submit_batch import Receipt, submit_batch


@dataclass(frozen=True, slots=True)
class IngestItem:
    """One file to take in: a path (an image or a zip), or bytes; ``entry`` is what is known of it so far."""

    name: str
    content: Path | bytes
    entry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Where files go and with whose rights. ``open_session`` opens one transaction."""

    open_session: OpenSession
    blobs: BlobStore
    bell: Bell
    settings: Settings
    actor: Actor


@dataclass(frozen=True, slots=True)
class IngestResult:
    """The receipt, and what was wrong with the manifests."""

    receipt: Receipt
    manifest_problems: tuple[Problem, ...]


def ingest_files(
    ingestion: Ingestion,
    items: Iterable[IngestItem],
    *,
    study: str,
    site: str,
    manifest: bytes | None = None,
    defaults: Mapping[str, str] | None = None,
    on_staged: Callable[[str], None] = lambda _: None,
) -> IngestResult:
    """Take ``items`` in as one batch of a site. ``defaults`` fill cells that neither item nor manifest fill.

    ``on_staged`` is told each file's name once it is in. Bad files are in the receipt and stop nothing.
    """
    with ingestion.open_session() as session:
        batch_id = open_batch(session, actor=ingestion.actor, study=study, site=site).id
    staging = Staging(ingestion.open_session, ingestion.blobs, ingestion.settings, ingestion.actor, batch_id)
    outcomes: list[ManifestOutcome] = []
    for item in items:
        outcomes += _stage(staging, item)
        on_staged(item.name)
    if manifest is not None:
        outcomes.append(apply_manifest(staging, manifest))
    with ingestion.open_session() as session:
        if defaults:
            _fill_gaps(session, batch_id, defaults)
        receipt = submit_batch(
            session, actor=ingestion.actor, blobs=ingestion.blobs, bell=ingestion.bell, batch_id=batch_id
        )
    return IngestResult(receipt, tuple(problem for outcome in outcomes for problem in outcome.problems))


def _stage(staging: Staging, item: IngestItem) -> list[ManifestOutcome]:
    """Stage one item; returns what became of the manifests in it."""
    if isinstance(item.content, bytes):
        stage_image(staging, item.content, item.name, item.entry)
        return []
    staged = list(stage_upload(staging, item.content, item.name, entry=item.entry))
    return [outcome for outcome in staged if isinstance(outcome, ManifestOutcome)]


def _fill_gaps(session: Session, batch_id: int, defaults: Mapping[str, str]) -> None:
    files = read_files(session, batch_id)
    write_entries(session, batch_id, {file.id: clean_values(defaults) | file.entry for file in files})
