"""FAZ outlines by hand: images go out, what readers drew comes back and is measured as the model's.

Out: a ZIP with images/, a manifest.csv and a README; the scans are drawn by lot, one of a subject. In: a ZIP or a
single PNG under the names of the export. Each is checked by itself; a bad one is named, the others are taken.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.errors import NotAllowedError, NotFoundError, UsageError
from core.intake.problems import Problem
from core.measures.faz import faz_component, faz_metrics
from core.storage import BlobStore
from core.store.access import Actor
from core.store.audit import record_event
from core.store.faz_outline import ScanToOutline, add_outline, draw_scans, find_scans
from core.store.scan_filter import ScanFilter
from core.store.scan_name import scan_id_of
from core.usecases.exchange_masks import TakenMask
from core.usecases.mask_files import base_name, png_members, put_mask_blob, read_mask
from core.values import FazMetrics, NotComputable
from core.vocabulary import Role

KEEPERS = (Role.ADJUDICATOR, Role.MANAGER, Role.ADMIN)
"""Who may take the images and put outlines in; who drew them need not have an account."""
DEFAULT_SCANS, MOST_SCANS = 40, 200
"""Forty subjects give a limit of agreement to within a third of the spread of the differences; more than two hundred
nobody outlines at a sitting."""
README = """\
FAZ to outline by hand: {count} images.

Draw the outline of the foveal avascular zone on each image, fill it, and save it as PNG in the image's size under the
image's name: 0 outside, any other grey level within. Do not look at what the model drew. Send the PNGs back as one ZIP
on the page "Agreement", view "FAZ by hand", each reader under a code of their own.
"""
OpenSession = Callable[[], AbstractContextManager[Session]]
_READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")


@dataclass(frozen=True, slots=True)
class _Outline:
    """A scan, its zone (height, width) and what is measured from it."""

    scan: ScanToOutline
    zone: NDArray[np.bool_]
    metrics: FazMetrics


def export_to_outline(
    session: Session, blobs: BlobStore, chosen: ScanFilter, folder: Path, *, n: int = DEFAULT_SCANS, actor: Actor
) -> Path:
    """Write the ZIP of ``n`` scans under ``chosen`` into ``folder``; the export is noted in the audit trail.

    Raises
    ------
    UsageError
        ``chosen`` names no study, slab or scan type, or ``n`` is out of range.
    NotAllowedError
        The person is neither adjudicator, manager nor administrator of the study.
    NotFoundError
        No gradable scan is under ``chosen``.
    """
    if chosen.study_id is None or chosen.slab is None or chosen.scan_type is None or not 0 < n <= MOST_SCANS:
        raise UsageError(
            "The scans to outline are of one study, slab and field, and 1 to 200.", remedy="Choose them on the page."
        )
    _refuse_others(actor, chosen.study_id)
    scans = draw_scans(session, chosen, n=n)
    if not scans:
        raise NotFoundError("No gradable scan is in this selection.", remedy="Choose another slab, field or period.")
    path = folder / "faz-to-outline.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # PNG is packed already
        for scan in scans:
            archive.writestr(f"images/{scan.name}", blobs.get(scan.image_sha256))
        archive.writestr("manifest.csv", _manifest(scans))
        archive.writestr("README.txt", README.format(count=len(scans)))
    record_event(
        session, actor=actor, action="export", entity="faz_outline", entity_id=chosen.study_id,
        study_id=chosen.study_id, after={"file": path.name, "rows": len(scans)},
    )  # fmt: skip
    return path


def import_outlines(
    open_session: OpenSession, blobs: BlobStore, reader: str, path: Path, name: str, *, actor: Actor
) -> Iterator[TakenMask]:
    """Take in one PNG, or every PNG of a ZIP, as drawn by ``reader``, each in a transaction of its own.

    Raises
    ------
    UsageError
        ``reader`` is no code.
    NotAllowedError
        The person keeps no outlines anywhere.
    """
    code = reader_code(reader)
    if actor.user_id is None or not actor.has_role(*KEEPERS):
        raise _not_allowed()
    for file_name, data in png_members(path, name):
        if isinstance(data, Problem):
            yield TakenMask(file_name, None, (data,))
            continue
        with open_session() as session:
            taken = _checked(session, file_name, data, actor)
            if isinstance(taken, Problem):
                yield TakenMask(file_name, None, (taken,))
                continue
            _store(session, blobs, code, taken, actor=actor)
        yield TakenMask(file_name, taken.scan.scan_id)


def reader_code(text: str) -> str:
    """The code under which a reader's outlines are kept; UsageError where it is none."""
    code = " ".join(text.split())
    if not _READER.fullmatch(code):
        raise UsageError(
            "A reader's code has 1 to 40 letters, digits, spaces, dots, dashes or underscores.",
            remedy="Enter for example R1, the same for all outlines of that person.",
        )
    return code


def _checked(session: Session, name: str, data: bytes, actor: Actor) -> _Outline | Problem:
    """The outline that a file holds, or what is wrong with it."""
    scan_id = scan_id_of(base_name(name))
    scan = None if scan_id is None else find_scans(session, [scan_id]).get(scan_id)
    if scan is None or not actor.has_role(*KEEPERS, study_id=scan.study_id, site_id=scan.site_id):
        return Problem(
            "unknown_outline", "It is the outline of no OCTA scan that you may outline.",
            "Keep the names of the export, for example scan-00000042.png.",
        )  # fmt: skip
    mask = read_mask(data, (scan.width_px, scan.height_px))
    if isinstance(mask, Problem):
        return mask
    zone = faz_component(mask > 0)
    metrics = faz_metrics(zone, scan.scale)
    if isinstance(metrics, NotComputable) or zone.all():
        return Problem(
            "empty_outline", "It shows no zone: no patch of 20 pixels or more, or nothing but zone.",
            "Fill the outline, 0 outside and 255 within.",
        )  # fmt: skip
    return _Outline(scan, zone, metrics)


def _store(session: Session, blobs: BlobStore, reader: str, taken: _Outline, *, actor: Actor) -> None:
    scan = taken.scan
    sha256 = put_mask_blob(session, blobs, taken.zone.astype(np.uint8) * 255)
    assert actor.user_id is not None  # import_outlines refused everybody else
    add_outline(session, scan, reader, sha256, taken.metrics, by_id=actor.user_id)
    record_event(
        session, actor=actor, action="import_outline", entity="scan", entity_id=scan.scan_id, study_id=scan.study_id,
        site_id=scan.site_id, after={"outline": sha256, "reader": reader},
    )  # fmt: skip


def _manifest(scans: list[ScanToOutline]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("file", "width_px", "height_px", "mm_per_px_x", "mm_per_px_y"))
    for scan in scans:
        sides: Mapping[str, float | str] = (
            {"x": scan.scale.x_mm_per_px, "y": scan.scale.y_mm_per_px} if scan.scale else {"x": "", "y": ""}
        )
        rows.writerow((f"images/{scan.name}", scan.width_px, scan.height_px, sides["x"], sides["y"]))
    return text.getvalue()


def _refuse_others(actor: Actor, study_id: int) -> None:
    if actor.user_id is None or not actor.has_role(*KEEPERS, study_id=study_id):
        raise _not_allowed()


def _not_allowed() -> NotAllowedError:
    return NotAllowedError(
        "Outlines are taken out and put in by adjudicators, managers and administrators.", remedy="Ask one of them."
    )
