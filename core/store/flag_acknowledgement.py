"""Who has seen which flag, with which comment: written by a person, ended when the unit is flagged no more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.database.tables import FlagAcknowledgement, User
from core.store.unit import UnitKind


class FlagKey(NamedTuple):
    """What tells one flag of a study from another: a unit and the rate that is flagged."""

    kind: UnitKind
    unit_key: str
    indicator: str


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A standing acknowledgement: ``by`` is the person's name, ``label`` what the unit is called."""

    id: int
    study_id: int
    site_id: int | None
    key: FlagKey
    label: str
    comment: str
    by: str
    at: datetime


def read_acknowledgements(session: Session, study_id: int | None) -> dict[FlagKey, Acknowledgement]:
    """Those that stand in a study (None: in all that the session sees), by flag.

    Ids of units are unique over studies; a model's flags in two studies would share a key, and the later one counts.
    """
    statement = (
        select(FlagAcknowledgement, User.display_name)
        .join(User, User.id == FlagAcknowledgement.acknowledged_by_id)
        .where(FlagAcknowledgement.ended_at.is_(None))
        .order_by(FlagAcknowledgement.id)
    )
    if study_id is not None:
        statement = statement.where(FlagAcknowledgement.study_id == study_id)
    found = (_acknowledgement(row, name) for row, name in session.execute(statement))
    return {each.key: each for each in found}


def _acknowledgement(row: FlagAcknowledgement, name: str) -> Acknowledgement:
    return Acknowledgement(
        id=row.id,
        study_id=row.study_id,
        site_id=row.site_id,
        key=FlagKey(UnitKind(row.unit_kind), row.unit_key, row.indicator),
        label=row.detail["label"],
        comment=row.comment,
        by=name,
        at=row.created_at,
    )


def add_acknowledgement(
    session: Session,
    key: FlagKey,
    *,
    study_id: int,
    site_id: int | None,
    detail: Mapping[str, Any],
    comment: str,
    user_id: int,
    at: datetime,
) -> int | None:
    """Write one; None where somebody else's stands already."""
    values = {
        "study_id": study_id,
        "site_id": site_id,
        "unit_kind": key.kind.value,
        "unit_key": key.unit_key,
        "indicator": key.indicator,
        "detail": dict(detail),
        "comment": comment,
        "acknowledged_by_id": user_id,
        "created_at": at,
    }
    statement = insert(FlagAcknowledgement).values(values).on_conflict_do_nothing()
    return session.scalar(statement.returning(FlagAcknowledgement.id))


def end_acknowledgements(session: Session, ids: Iterable[int], *, at: datetime) -> None:
    """Say of these that their flags are over."""
    session.execute(
        update(FlagAcknowledgement)
        .where(FlagAcknowledgement.id.in_(tuple(ids)), FlagAcknowledgement.ended_at.is_(None))
        .values(ended_at=at)
    )
