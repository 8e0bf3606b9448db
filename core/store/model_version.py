"""The model that scored last, with its card as it was stored. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import Assessment, ModelVersion, Scan
from core.vocabulary import ScanKind


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """Name and version of a model, and its card (core.scoring.card) as JSON."""

    name: str
    version: str
    card: dict[str, Any]


def read_last_model(session: Session, kind: ScanKind = ScanKind.OCTA_ENFACE) -> ScoringModel | None:
    """The model behind the newest assessment in the person's sight; None where nothing was scored yet."""
    found = session.scalar(
        select(ModelVersion)
        .join(Assessment, Assessment.model_version_id == ModelVersion.id)
        .join(Scan, Scan.id == Assessment.scan_id)
        .where(Scan.kind == kind)
        .order_by(Assessment.id.desc())
        .limit(1)
    )
    return None if found is None else ScoringModel(found.name, found.version, dict(found.card))


def read_cards(session: Session, model_version_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The cards of these model versions as they were stored, by the version's id."""
    rows = session.execute(
        select(ModelVersion.id, ModelVersion.card).where(ModelVersion.id.in_(tuple(model_version_ids)))
    )
    return {row.id: dict(row.card) for row in rows}
