"""Fills in a draft's rows with what a reacquisition request already knows, so that only the new capture is typed."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.store.access import Actor
from core.store.batch import SiteRef, read_batch, read_files, read_sites, write_entries
from core.store.capture import AwaitedReplacement, find_request_site, read_awaited
from core.usecases.upload_rights import require_draft, require_uploader


@dataclass(frozen=True, slots=True)
class ReplacementWanted:
    """A request as the upload page shows it: what is to be taken again, and for which site."""

    site: SiteRef
    awaited: AwaitedReplacement


def find_wanted(session: Session, request_id: int) -> ReplacementWanted:
    """The request with its site; NotFoundError where there is none that the person may see."""
    site_id = find_request_site(session, request_id)
    site = next((site for site in read_sites(session) if site.site_id == site_id), None)
    if site is not None:
        for awaited in read_awaited(session, site.site_id, request_ids=[request_id]):
            if awaited.request_id == request_id:
                return ReplacementWanted(site, awaited)
    raise NotFoundError(
        f"There is no request {request_id}, or none that you may see.", remedy="Open it from your worklist."
    )


def prefill_replacement(session: Session, *, actor: Actor, batch_id: int, request_id: int) -> int:
    """Give every file without a subject what the request knows; returns how many were filled.

    Subject, visit, eye, kind, field, a name for the new capture that the site has not used, and the request's number.
    """
    batch = read_batch(session, batch_id)
    require_uploader(actor, batch.site)
    require_draft(batch)
    wanted = find_wanted(session, request_id).awaited
    known = {
        "subject": wanted.subject,
        "visit": wanted.visit,
        "eye": wanted.laterality.value,
        "kind": wanted.kind.value,
        "acquisition": f"{wanted.capture_code}-R{wanted.request_id}",
        "replaces": str(wanted.request_id),
    } | _field(wanted)
    entries = {
        file.id: file.entry | known
        for file in read_files(session, batch_id)
        if file.image_sha256 is not None and not file.entry.get("subject")
    }
    write_entries(session, batch_id, entries)
    return len(entries)


def _field(wanted: AwaitedReplacement) -> dict[str, str]:
    """The size of the field, which decides the scan type; nothing where it was not stated."""
    if wanted.field_width_mm is None or wanted.field_height_mm is None:
        return {}
    return {"field_width_mm": f"{wanted.field_width_mm:g}", "field_height_mm": f"{wanted.field_height_mm:g}"}
