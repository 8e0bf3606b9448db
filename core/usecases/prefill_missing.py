"""Fills in a draft's rows with what is known of an expected scan that is missing, so that only the capture is typed."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.policy.scan_types import kind_and_field
from core.store.access import Actor
from core.store.batch import SiteRef, read_batch, read_files, read_sites, write_entries
from core.store.completeness import MissingSlot, find_missing_slot
from core.usecases.upload_rights import require_draft, require_uploader


@dataclass(frozen=True, slots=True)
class MissingWanted:
    """A missing scan as the upload page shows it, and for which site."""

    site: SiteRef
    slot: MissingSlot


def find_missing(session: Session, slot_id: int) -> MissingWanted:
    """The missing scan with its site; NotFoundError where it was received meanwhile or the person may not see it."""
    slot = find_missing_slot(session, slot_id)
    site = None if slot is None else next((each for each in read_sites(session) if each.site_id == slot.site_id), None)
    if slot is None or site is None:
        raise NotFoundError(
            "This expected scan is not missing any more, or none that you may see.",
            remedy="Look at the page Completeness again.",
        )
    return MissingWanted(site, slot)


def prefill_missing(session: Session, *, actor: Actor, batch_id: int, slot_id: int) -> int:
    """Give every file without a subject what is known of the missing scan; returns how many were filled.

    Subject, visit, eye, kind and field; the capture's own name, time, device and technician are typed.
    """
    batch = read_batch(session, batch_id)
    require_uploader(actor, batch.site)
    require_draft(batch)
    slot = find_missing(session, slot_id).slot
    kind, field = kind_and_field(slot.scan_type)
    known = {
        "subject": slot.subject_code,
        "visit": slot.visit_code,
        "eye": slot.laterality.value,
        "kind": kind.value,
    }
    if field is not None:
        known |= {"field_width_mm": f"{field[0]:g}", "field_height_mm": f"{field[1]:g}"}
    entries = {
        file.id: file.entry | known
        for file in read_files(session, batch_id)
        if file.image_sha256 is not None and not file.entry.get("subject")
    }
    write_entries(session, batch_id, entries)
    return len(entries)
