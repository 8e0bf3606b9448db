"""Releases a file that was held for possible burned-in text: a person confirms that it names no one, or crops it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.broker import Bell
from core.clock import now
from core.errors import IllegalMoveError, UsageError
from core.intake.burned_in_text import Region, find_lettering
from core.intake.canonical import MEDIA_TYPE, decode_image, encode_image
from core.intake.problems import Problem
from core.intake.readers.raster import MIN_SIDE_PX
from core.intake.scan_file import BURNED_IN_TEXT
from core.storage import BlobStore
from core.store.access import Actor
from core.store.audit import record_event
from core.store.batch import (
    BatchHead,
    SiteRoster,
    StoredFile,
    lock_for_submission,
    read_batch,
    read_file,
    read_roster,
    record_blob,
    write_image,
    write_outcome,
)
from core.usecases.add_captures import add_captures
from core.usecases.check_batch import check_files
from core.usecases.submit_batch import ring_after_commit
from core.usecases.upload_rights import require_uploader
from core.vocabulary import FileState

PAINTING_ROUNDS = 4
"""How often what is left of a line of text is painted over before the program gives up."""


def release_held(
    session: Session,
    *,
    actor: Actor,
    blobs: BlobStore,
    bell: Bell,
    file_id: int,
    reason: str,
    crop: Region | None = None,
    blacken: Sequence[Region] = (),
) -> FileState:
    """Release a held file of a submitted batch; it goes through every check again and may be rejected by them.

    Without ``crop`` and ``blacken`` the person confirms, with a reason, that the image names no one. ``crop`` keeps
    only that part of the image, which makes its field of view unknown; ``blacken`` paints over these boxes with a
    margin, and over what still looks like text after that.
    """
    file, head = _held(session, actor, file_id)
    if not reason.strip():
        raise UsageError("Why may the file be released?", remedy="Write in a few words what the marked text is.")
    entry = dict(file.entry)
    if crop is not None or blacken:
        file = _without_text(session, blobs, file, crop, blacken)
        if crop is not None:
            # The manifest's field belongs to the whole image: better no millimetres than wrong ones.
            entry |= {"field_width_mm": "unknown", "field_height_mm": "unknown"}
    problems = tuple(problem for problem in file.problems if problem["code"] != BURNED_IN_TEXT)
    file = replace(file, entry=entry, text_regions=(), problems=tuple(p for p in problems if _is_of_file(p)))
    state = _take(session, head, file, read_roster(session, head.site.site_id), actor=actor, bell=bell)
    record_event(
        session,
        actor=actor,
        action="file.released",
        entity="batch_file",
        entity_id=file.id,
        study_id=head.site.study_id,
        site_id=head.site.site_id,
        before={"state": FileState.HELD.value},
        after={"state": state.value, "is_cropped": crop is not None, "is_blackened": bool(blacken)},
        reason=reason.strip(),
    )
    return state


def discard_held(session: Session, *, actor: Actor, file_id: int, reason: str) -> None:
    """Reject a held file: it does name a person. Its image is pruned once nothing refers to it."""
    file, head = _held(session, actor, file_id)
    problem = Problem(
        "burned_in_text",
        "A person confirmed that the image holds text that does not belong to the scan.",
        "Export the scan without overlay and upload it again.",
    )
    write_outcome(session, file.id, state=FileState.REJECTED, problems=[problem.as_document()], scan_id=None)
    record_event(
        session,
        actor=actor,
        action="file.discarded",
        entity="batch_file",
        entity_id=file.id,
        study_id=head.site.study_id,
        site_id=head.site.site_id,
        before={"state": FileState.HELD.value},
        after={"state": FileState.REJECTED.value},
        reason=reason.strip(),
    )


def _held(session: Session, actor: Actor, file_id: int) -> tuple[StoredFile, BatchHead]:
    head = read_batch(session, read_file(session, file_id).batch_id)
    require_uploader(actor, head.site)
    head = lock_for_submission(session, head)
    file = read_file(session, file_id)
    if file.state is not FileState.HELD:
        raise IllegalMoveError(
            f"{file.name} is not held: it is {file.state or 'still part of a draft'}.",
            remedy="Load the page again; somebody may have released it.",
        )
    return file, head


def _is_of_file(problem: dict[str, object]) -> bool:
    """Notes of the pixels stay; those of the row are found anew."""
    return problem.get("field") is None


def _take(
    session: Session, head: BatchHead, file: StoredFile, roster: SiteRoster, *, actor: Actor, bell: Bell
) -> FileState:
    moment = now()
    (check,) = check_files(session, head, [file], roster, now=moment)
    scan_ids: dict[int, int] = {}
    if check.outcome is FileState.ACCEPTED and check.entry is not None:
        scan_ids = add_captures(session, head, [check], roster, actor=actor, received_at=moment)
        ring_after_commit(session, bell, [check.entry.kind])
    documents = [problem.as_document() for problem in check.problems]
    write_outcome(session, file.id, state=check.outcome, problems=documents, scan_id=scan_ids.get(file.id))
    return check.outcome


def _without_text(
    session: Session, blobs: BlobStore, file: StoredFile, crop: Region | None, blacken: Sequence[Region]
) -> StoredFile:
    assert file.image_sha256 is not None, "a held file was read"
    image = decode_image(blobs.get(file.image_sha256)).copy()
    if blacken:
        _paint_over(image, blacken)
    if crop is not None:
        image = _cropped(image, crop)
    png = encode_image(image)
    sha256 = blobs.put(png)
    height_px, width_px = image.shape
    record_blob(session, sha256=sha256, size_bytes=len(png), media_type=MEDIA_TYPE)
    write_image(session, file.id, image_sha256=sha256, width_px=width_px, height_px=height_px)
    return replace(file, image_sha256=sha256, width_px=width_px, height_px=height_px)


def _paint_over(image: NDArray[np.uint8], regions: Sequence[Region]) -> None:
    """Paint boxes black, and whatever lettering still shows after that; UsageError where it does not go away."""
    height, width = image.shape
    found: Sequence[Region] = regions
    for _ in range(PAINTING_ROUNDS):
        for region in found:
            box = region.widened(width, height)
            image[box.top : box.bottom, box.left : box.right] = 0
        found = find_lettering(image)
        if not found:
            return
    raise UsageError(
        "After painting, the image still looks as if it held text.",
        remedy="Reject the file and export the scan without overlay, or keep only a part of it.",
    )


def _cropped(image: NDArray[np.uint8], crop: Region) -> NDArray[np.uint8]:
    height, width = image.shape
    is_inside = 0 <= crop.left < crop.right <= width and 0 <= crop.top < crop.bottom <= height
    if not is_inside or min(crop.right - crop.left, crop.bottom - crop.top) < MIN_SIDE_PX:
        raise UsageError(
            f"The part to keep must lie inside the image ({width} x {height} pixels) and be at least "
            f"{MIN_SIDE_PX} pixels on each side.",
            remedy="Choose a larger part.",
        )
    return image[crop.top : crop.bottom, crop.left : crop.right].copy()
