"""Takes a round's images out in the layout that training reads, and the finished masks back in.

Out: a ZIP with images/, masks/ (those that are there), a manifest.csv and a README; a B-scan of a volume is cut out of
it. In: a ZIP or a single PNG whose names are those of the export. Each mask is checked by itself; one that will not do
is named, and the others are taken.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotFoundError
from core.intake.canonical import encode_image
from core.intake.problems import Problem
from core.intake.volume_blob import decode_volume
from core.storage import BlobStore
from core.store.access import Actor
from core.store.audit import record_event
from core.store.mask import RoundRow, WantedScan, put_mask, read_round, read_wanted
from core.usecases.choose_masks import refuse_others
from core.usecases.mask_files import base_name, png_members, put_mask_blob, read_mask
from core.volume import OctVolume

MAX_CLASSES = 24
"""More grey levels than this are smooth edges, not classes."""
MANIFEST_COLUMNS = ("file", "subject", "mask", "source", "acquisition", "licence", "bscan")
README = """\
Masks to draw, round {number}: {count} images.

Draw one label map per image, in the image's size, and save it as PNG (not JPEG) under the image's name in masks/:
0 is background, every other grey level a class of its own, the same in all masks. Masks that are drawn already lie
there. Send the folder masks/ back as a ZIP on the page "Annotate next".

Of a volume single B-scans are asked for; the manifest's column "bscan" has the number of each, counted from 1 as on the
page Scan, and the column "acquisition" says which belong together.

This folder is what octaudit reads for training and for the next choice:
  octaudit train qunet --data FOLDER --out DIR
  octaudit select --data FOLDER --out next.csv
"""

OpenSession = Callable[[], AbstractContextManager[Session]]
Mask = tuple[WantedScan, NDArray[np.uint8]]
"""A scan and its label map (height, width)."""


@dataclass(frozen=True, slots=True)
class TakenMask:
    """What became of one file: the scan whose mask it is, or why it was not taken."""

    name: str
    scan_id: int | None
    problems: tuple[Problem, ...] = ()


def export_round(session: Session, blobs: BlobStore, round_id: int, folder: Path, *, actor: Actor) -> Path:
    """Write the round's ZIP into ``folder``, one image or volume in memory at a time; the audit trail notes the export.

    Raises
    ------
    NotFoundError
        There is no such round, or none that this person may see.
    NotAllowedError
        The person is neither manager nor administrator of the study.
    """
    asked = find_round(session, round_id, actor)
    wanted = read_wanted(session, round_id)
    path = folder / f"masks-round-{round_id}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # PNG is packed already
        for scan, image in _images(wanted, blobs):
            archive.writestr(f"images/{scan.name}", image)
            if scan.mask_sha256 is not None:
                archive.writestr(f"masks/{scan.name}", blobs.get(scan.mask_sha256))
        archive.writestr("manifest.csv", _manifest(wanted))
        archive.writestr("README.txt", README.format(number=round_id, count=len(wanted)))
    record_event(
        session, actor=actor, action="export", entity="mask_round", entity_id=round_id, study_id=asked.study_id,
        after={"file": path.name, "rows": len(wanted)},
    )  # fmt: skip
    return path


def import_masks(
    open_session: OpenSession, blobs: BlobStore, round_id: int, path: Path, name: str, *, actor: Actor
) -> Iterator[TakenMask]:
    """Take in one PNG, or every PNG of a ZIP, each in a transaction of its own.

    Raises
    ------
    NotFoundError
        There is no such round, or none that this person may see.
    NotAllowedError
        The person is neither manager nor administrator of the study.
    """
    with open_session() as session:
        asked = find_round(session, round_id, actor)
        wanted = {scan.name: scan for scan in read_wanted(session, round_id)}
    for file_name, data in png_members(path, name):
        taken = data if isinstance(data, Problem) else _checked(file_name, data, wanted)
        if isinstance(taken, Problem):
            yield TakenMask(file_name, None, (taken,))
            continue
        with open_session() as session:
            _store(session, blobs, asked, taken, actor=actor)
        yield TakenMask(file_name, taken[0].scan_id)


def find_round(session: Session, round_id: int, actor: Actor) -> RoundRow:
    """The round, for who may ask for masks of its study."""
    found = read_round(session, round_id)
    if found is None:
        raise NotFoundError(f"There is no round {round_id} of masks.", remedy="Choose one on the page Annotate next.")
    refuse_others(actor, found.study_id)
    return found


def _images(wanted: list[WantedScan], blobs: BlobStore) -> Iterator[tuple[WantedScan, bytes]]:
    """Each image as PNG; every volume is fetched once, whatever the ranks of its B-scans."""
    by_scan = sorted(wanted, key=lambda scan: (scan.scan_id, scan.rank))
    for _, scans in groupby(by_scan, key=lambda scan: scan.scan_id):
        volume: OctVolume | None = None
        for scan in scans:
            if scan.bscan_index is None or scan.volume_sha256 is None:
                yield scan, blobs.get(scan.image_sha256)
                continue
            volume = volume or decode_volume(blobs.get(scan.volume_sha256))
            yield scan, encode_image(volume.bscans[scan.bscan_index])


def _manifest(wanted: list[WantedScan]) -> str:
    """Every image with its subject's code; ``mask`` is named also where it is still to be drawn, but not its file."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(MANIFEST_COLUMNS)
    for scan in wanted:
        mask = f"masks/{scan.name}" if scan.mask_sha256 is not None else ""
        subject = f"{scan.site_code}-{scan.subject_code}"
        bscan = "" if scan.bscan_index is None else scan.bscan_index + 1
        rows.writerow((f"images/{scan.name}", subject, mask, scan.device_model, scan.acquisition_id, "", bscan))
    return text.getvalue()


def _checked(name: str, data: bytes, wanted: Mapping[str, WantedScan]) -> Mask | Problem:
    """The scan and its label map (height, width), or what is wrong."""
    scan = wanted.get(base_name(name))
    if scan is None:
        return Problem(
            "unknown_mask", "It is the mask of no scan of this round.",
            "Keep the names of the export, for example scan-00000042.png.",
        )  # fmt: skip
    mask = read_mask(data, (scan.width_px, scan.height_px))
    return mask if isinstance(mask, Problem) else _checked_classes(scan, mask)


def _checked_classes(scan: WantedScan, mask: NDArray[np.uint8]) -> Mask | Problem:
    n_levels = len(np.unique(mask))
    if n_levels > MAX_CLASSES:
        return Problem(
            "mask_levels",
            f"It has {n_levels} grey levels, more than there can be classes.",
            "Save it as PNG, one level per class, without smooth edges.",
        )
    return scan, mask


def _store(session: Session, blobs: BlobStore, asked: RoundRow, taken: Mask, *, actor: Actor) -> None:
    scan, mask = taken
    sha256 = put_mask_blob(session, blobs, mask)
    assert actor.user_id is not None  # find_round refused everybody else
    put_mask(session, asked.id, scan.rank, sha256, by_id=actor.user_id, at=now())
    record_event(
        session, actor=actor, action="import_mask", entity="scan", entity_id=scan.scan_id, study_id=asked.study_id,
        site_id=scan.site_id, before={"mask": scan.mask_sha256} if scan.mask_sha256 else None,
        after={"mask": sha256, "round": asked.id}
        | ({} if scan.bscan_index is None else {"bscan": scan.bscan_index + 1}),
    )  # fmt: skip
