"""What two model versions measured on the scans of an order: figures out of the documents of a lane's findings."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, Assessment, RescoringScan, Scan
from core.store.calibration_mode import is_model_shown
from core.store.rescored_pair import MOST_PAIRS
from core.vocabulary import RescoredState

_Former = aliased(Assessment)
_Other = aliased(Assessment)

Path = tuple[str, ...]
"""Keys from a document's top to one of its figures."""


def read_rescored_figures(
    session: Session, rescoring_id: int, paths: Sequence[Path]
) -> tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...]:
    """Of the newest scans of an order: the figures at ``paths`` as the counting version and the other one stored them.

    A figure is a number, a text, or an object that says why there is none; None where the document has no such path.
    """
    counting = func.coalesce(RescoringScan.former_assessment_id, Scan.assessment_id)
    columns = [
        func.jsonb_extract_path(said.findings, "document", *path) for said in (_Former, _Other) for path in paths
    ]
    rows = session.execute(
        select(*columns)
        .select_from(RescoringScan)
        .join(Scan, Scan.id == RescoringScan.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(_Former, _Former.id == counting)
        .join(_Other, _Other.id == RescoringScan.assessment_id)
        .where(
            RescoringScan.rescoring_id == rescoring_id, RescoringScan.state == RescoredState.SCORED,
            _Former.id != _Other.id, is_model_shown(),
        )
        .order_by(Scan.id.desc())
        .limit(MOST_PAIRS)
    )  # fmt: skip
    return tuple((tuple(row[: len(paths)]), tuple(row[len(paths) :])) for row in rows)
