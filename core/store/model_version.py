"""Model versions as rows: what scored last, every registered one with its card, and whether it may still be chosen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, text, update
from sqlalchemy.orm import Session

from core.database.tables import Assessment, ModelActivation, ModelVersion, Scan
from core.vocabulary import ModelOrigin, ScanKind


@dataclass(frozen=True, slots=True)
class ScoringModel:
    """Name and version of a model, and its card (core.scoring.card) as JSON."""

    name: str
    version: str
    card: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One registered model version. Its card is read apart: calibration scans make it large."""

    id: int
    name: str
    version: str
    kind: ScanKind
    weights_sha256: str
    preprocessing: str
    origin: ModelOrigin
    is_stored: bool
    """Its weights lie in the blob store, so that every worker can take them from there."""
    registered_at: datetime
    retired_at: datetime | None
    retired_reason: str
    n_active: int
    """In how many places it is active that the person may see."""

    @property
    def label(self) -> str:
        """Name and version, as people read them."""
        return f"{self.name} {self.version}"

    @property
    def may_be_chosen(self) -> bool:
        """Whether scans can be given to it."""
        return self.is_stored and self.retired_at is None


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """What a worker needs to load a version: the blob of its weights and its card."""

    sha256: str
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


def list_model_versions(session: Session, kind: ScanKind | None = None) -> tuple[ModelRow, ...]:
    """The registered versions (of one lane), the newest first."""
    wanted = _rows().order_by(ModelVersion.id.desc())
    if kind is not None:
        wanted = wanted.where(ModelVersion.kind == kind)
    return tuple(_row(row) for row in session.execute(wanted))


def read_model_version(session: Session, version_id: int) -> ModelRow | None:
    """One of them; None where there is none of that id."""
    row = session.execute(_rows().where(ModelVersion.id == version_id)).one_or_none()
    return None if row is None else _row(row)


def find_model_version(session: Session, name: str, version: str) -> ModelRow | None:
    """The newest of that name and version; None where there is none."""
    wanted = _rows().where(ModelVersion.name == name, ModelVersion.version == version)
    row = session.execute(wanted.order_by(ModelVersion.id.desc()).limit(1)).one_or_none()
    return None if row is None else _row(row)


def read_stored_weights(session: Session, version_id: int) -> StoredWeights | None:
    """Where its weights lie; None where they were never stored."""
    row = session.execute(
        select(ModelVersion.stored_sha256, ModelVersion.card).where(
            ModelVersion.id == version_id, ModelVersion.stored_sha256.is_not(None)
        )
    ).one_or_none()
    return None if row is None else StoredWeights(row.stored_sha256, dict(row.card))


def note_stored_weights(session: Session, version_id: int, *, sha256: str, kind: ScanKind) -> bool:
    """Say where its weights lie; False where that was known."""
    noted = (
        update(ModelVersion)
        .where(ModelVersion.id == version_id, ModelVersion.stored_sha256.is_(None))
        .values(stored_sha256=sha256, kind=kind)
        .returning(ModelVersion.id)
    )
    return bool(session.scalars(noted).all())


def set_retired(session: Session, version_id: int, *, is_retired: bool, reason: str) -> bool:
    """Retire a version, or bring it back; False where it stood so already.

    Raises DBAPIError with SQLSTATE 42501 for who may not, and 55006 where it is active in any study.
    """
    values = {"asked": version_id, "is_retired": is_retired, "reason": reason}
    return bool(session.scalar(text("select retire_model(:asked, :is_retired, :reason)"), values))


def _rows() -> Select[*tuple[Any, ...]]:
    n_active = (
        select(func.count())
        .where(ModelActivation.model_version_id == ModelVersion.id, ModelActivation.ended_at.is_(None))
        .correlate(ModelVersion)
        .scalar_subquery()
    )
    return select(
        ModelVersion.id, ModelVersion.name, ModelVersion.version, ModelVersion.kind, ModelVersion.weights_sha256,
        ModelVersion.preprocessing, ModelVersion.origin, ModelVersion.stored_sha256, ModelVersion.created_at,
        ModelVersion.retired_at, ModelVersion.retired_reason, n_active.label("n_active"),
    )  # fmt: skip


def _row(row: Any) -> ModelRow:
    return ModelRow(
        id=row.id,
        name=row.name,
        version=row.version,
        kind=ScanKind(row.kind),
        weights_sha256=row.weights_sha256,
        preprocessing=row.preprocessing,
        origin=ModelOrigin(row.origin),
        is_stored=row.stored_sha256 is not None,
        registered_at=row.created_at,
        retired_at=row.retired_at,
        retired_reason=row.retired_reason,
        n_active=row.n_active,
    )
