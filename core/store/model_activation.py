"""Activations as rows: which model version scores a study's lane, for which devices, from when and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session, aliased

from core.database.tables import Device, ModelActivation, ModelVersion, Site, User
from core.vocabulary import ScanKind

_Ender = aliased(User)


@dataclass(frozen=True, slots=True)
class Activation:
    """One signed decision. ``device_model`` is empty for every device; ``ended_at`` None while it holds."""

    id: int
    study_id: int
    kind: ScanKind
    device_model: str
    version_id: int
    model: str
    """Name and version."""
    reason: str
    meaning: str
    activated_by: str
    activated_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str

    @property
    def is_open(self) -> bool:
        """Whether it holds."""
        return self.ended_at is None


def read_activations(session: Session, study_id: int, *, limit: int = 100) -> tuple[Activation, ...]:
    """A study's activations, those that hold first, then the newest."""
    wanted = _rows().where(ModelActivation.study_id == study_id)
    ordered = wanted.order_by(ModelActivation.ended_at.is_not(None), ModelActivation.id.desc()).limit(limit)
    return tuple(_row(row) for row in session.execute(ordered))


def read_activation(session: Session, id_: int) -> Activation | None:
    """One of them; None where the person may not see it."""
    row = session.execute(_rows().where(ModelActivation.id == id_)).one_or_none()
    return None if row is None else _row(row)


def find_open(session: Session, study_id: int, kind: ScanKind, device_model: str) -> Activation | None:
    """What holds for exactly these devices; None where nothing does."""
    row = session.execute(
        _rows().where(
            ModelActivation.study_id == study_id, ModelActivation.kind == kind,
            ModelActivation.device_model == device_model, ModelActivation.ended_at.is_(None),
        )
    ).one_or_none()  # fmt: skip
    return None if row is None else _row(row)


def add_activation(
    session: Session,
    *,
    study_id: int,
    kind: ScanKind,
    device_model: str,
    version_id: int,
    reason: str,
    meaning: str,
    activated_by_id: int,
) -> int:
    """Write one down; its id. The unique index refuses a second open one of the same devices (IntegrityError)."""
    values = {
        "study_id": study_id, "kind": kind, "device_model": device_model, "model_version_id": version_id,
        "reason": reason, "meaning": meaning, "activated_by_id": activated_by_id,
    }  # fmt: skip
    return session.scalars(insert(ModelActivation).values(values).returning(ModelActivation.id)).one()


def end_activation(session: Session, id_: int, *, by_id: int, reason: str, at: datetime) -> bool:
    """End one that holds; False where it had ended."""
    ended = (
        update(ModelActivation)
        .where(ModelActivation.id == id_, ModelActivation.ended_at.is_(None))
        .values(ended_at=at, ended_by_id=by_id, end_reason=reason)
        .returning(ModelActivation.id)
    )
    return bool(session.scalars(ended).all())


def list_device_models(session: Session, study_id: int) -> tuple[str, ...]:
    """Manufacturer and model of the study's devices in the person's sight, each once."""
    name = (Device.manufacturer + " " + Device.model).label("name")
    wanted = select(name).join(Site, Site.id == Device.site_id).where(Site.study_id == study_id)
    return tuple(session.scalars(wanted.distinct().order_by(name)))


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            ModelActivation,
            ModelVersion.name,
            ModelVersion.version,
            User.display_name.label("activated_by"),
            _Ender.display_name.label("ended_by"),
        )
        .join(ModelVersion, ModelVersion.id == ModelActivation.model_version_id)
        .outerjoin(User, User.id == ModelActivation.activated_by_id)
        .outerjoin(_Ender, _Ender.id == ModelActivation.ended_by_id)
    )


def _row(row: Any) -> Activation:
    found: ModelActivation = row.ModelActivation
    return Activation(
        id=found.id,
        study_id=found.study_id,
        kind=ScanKind(found.kind),
        device_model=found.device_model,
        version_id=found.model_version_id,
        model=f"{row.name} {row.version}",
        reason=found.reason,
        meaning=found.meaning,
        activated_by=row.activated_by or "somebody else",
        activated_at=found.created_at,
        ended_at=found.ended_at,
        ended_by=row.ended_by if found.ended_at is None or row.ended_by else "somebody else",
        end_reason=found.end_reason,
    )
