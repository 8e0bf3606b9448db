"""Opens a draft batch for one site and fills its table in; a draft survives the browser that began it."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.errors import NotFoundError
from core.intake.manifest import COLUMNS
from core.store.access import Actor
from core.store.batch import BatchHead, add_batch, find_site, read_batch, read_files, remove_files, write_entries
from core.usecases.upload_rights import require_draft, require_uploader

_RECEIPT_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without letters and digits that are mistaken for each other when read out over the telephone."""
_RECEIPT_GROUPS = 3
_GROUP_LENGTH = 4
MAX_VALUE_LENGTH = 400
"""Longest text of one table cell that is kept."""


def open_batch(session: Session, *, actor: Actor, study: str, site: str) -> BatchHead:
    """Open a draft for the site with these codes."""
    place = find_site(session, study=study, site=site)
    require_uploader(actor, place)
    batch_id = add_batch(session, site_id=place.site_id, receipt=_new_receipt(), uploaded_by_id=actor.user_id)
    return read_batch(session, batch_id)


def fill_in(session: Session, *, actor: Actor, batch_id: int, entries: Mapping[int, Mapping[str, Any]]) -> None:
    """Store table rows, by file id, as they are filled in; nothing is checked here, so half a row is welcome."""
    batch = _own_draft(session, actor, batch_id)
    known = {file.id for file in read_files(session, batch_id)}
    strangers = sorted(set(entries) - known)
    if strangers:
        raise NotFoundError(
            f"The batch has no file {strangers[0]}.", remedy="Load the page again: the file may have been taken out."
        )
    write_entries(session, batch.id, {file_id: clean_values(values) for file_id, values in entries.items()})


def take_out(session: Session, *, actor: Actor, batch_id: int, file_ids: Iterable[int]) -> None:
    """Take files out of a draft; their stored images are pruned once nothing refers to them."""
    batch = _own_draft(session, actor, batch_id)
    remove_files(session, batch.id, file_ids)


def clean_values(values: Mapping[str, Any]) -> dict[str, str]:
    """Only the manifest's columns, as text; empty cells are left out."""
    texts = {name: str(values[name]).strip()[:MAX_VALUE_LENGTH] for name in COLUMNS if values.get(name) is not None}
    return {name: text for name, text in texts.items() if text and name != "file"}


def _own_draft(session: Session, actor: Actor, batch_id: int) -> BatchHead:
    batch = read_batch(session, batch_id)
    require_uploader(actor, batch.site)
    require_draft(batch)
    return batch


def _new_receipt() -> str:
    groups = ("".join(secrets.choice(_RECEIPT_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_RECEIPT_GROUPS))
    return "-".join(groups)
