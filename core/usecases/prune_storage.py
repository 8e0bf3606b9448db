"""Removes what nobody needs: drafts that were never submitted and stored files that no row names, after a day.

A file is stored before the transaction that names it, so young files are let alone. Storing the same bytes again makes
a file young, and its age is asked for once more right before it is removed.
"""

from datetime import datetime, timedelta
from itertools import islice

from core.database.session import Database, session_scope
from core.storage import BlobStore
from core.store.unused import delete_drafts, delete_unused_blobs

KEEP_UNUSED = timedelta(hours=24)
_CHUNK = 500


def prune_drafts(database: Database, *, before: datetime) -> int:
    """Delete drafts whose last file came before ``before``; return how many."""
    with session_scope(database) as session:
        return delete_drafts(session, before=before)


def prune_blobs(database: Database, blobs: BlobStore, *, before: datetime) -> int:
    """Delete files stored before ``before`` that no row names; return how many."""
    n_removed = 0
    stored = blobs.stored_before(before)
    while chunk := list(islice(stored, _CHUNK)):
        with session_scope(database) as session:
            unused = delete_unused_blobs(session, chunk, before=before)
        n_removed += sum(blobs.remove(sha256, stored_before=before) for sha256 in unused)
    return n_removed
