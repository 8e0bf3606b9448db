"""Write down that somebody took data away: what, how much of it, and from where."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.audit import record_event


def note_export(
    session: Session,
    *,
    actor: Actor,
    what: str,
    n_rows: int | None = None,
    study_id: int | None = None,
    site_id: int | None = None,
    chosen: Mapping[str, Any] | None = None,
) -> None:
    """Record an export or download.

    Parameters
    ----------
    what : str
        The file's name or the kind of document, as the person saw it.
    n_rows : int, optional
        How many rows of data it holds; None for what has no rows.
    chosen : mapping, optional
        The filters it was made with (JSON).
    """
    after = {"file": what, "rows": n_rows, "chosen": dict(chosen or {})}
    kept = {name: value for name, value in after.items() if value not in (None, {})}
    record_event(
        session, actor=actor, action="export", entity="export", entity_id=None, study_id=study_id, site_id=site_id,
        after=kept,
    )  # fmt: skip
