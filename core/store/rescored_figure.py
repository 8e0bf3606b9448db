"""What two model versions measured on the scans of an order: figures out of the documents of a lane's findings."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from core.store.rescored_pair import FORMER, OTHER, newest_pairs

Path = tuple[str, ...]
"""Keys from a document's top to one of its figures."""


def read_rescored_figures(
    session: Session, rescoring_id: int, paths: Sequence[Path]
) -> tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...]:
    """Of the newest scans of an order: the figures at ``paths`` as the counting version and the other one stored them.

    A figure is a number, a text, or an object that says why there is none; None where the document has no such path.
    """
    columns = [func.jsonb_extract_path(said.findings, "document", *path) for said in (FORMER, OTHER) for path in paths]
    rows = session.execute(newest_pairs(rescoring_id, *columns))
    return tuple((tuple(row[: len(paths)]), tuple(row[len(paths) :])) for row in rows)
