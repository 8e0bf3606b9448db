"""Orders to score scans again with another model, as rows: who wants what of which scans, and how far it is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, insert, literal, select, update
from sqlalchemy.orm import Session, aliased

from core.database.tables import (
    Acquisition,
    Assessment,
    ModelVersion,
    Rescoring,
    RescoringScan,
    Scan,
    Site,
    User,
)
from core.store.re_evaluation import Reach, captured_within
from core.vocabulary import AdoptionOutcome, ReEvaluationState, RescoredState, ScanKind, Slab

OPEN = (ReEvaluationState.WAITING, ReEvaluationState.RUNNING)
_Adopter = aliased(User)
_Known = aliased(Assessment)


@dataclass(frozen=True, slots=True)
class RescoringRow:
    """An order as people read it; ``site_code`` None means all sites."""

    id: int
    kind: ScanKind
    reach: Reach
    site_code: str | None
    version_id: int
    model: str
    """Name and version."""
    reason: str
    requested_by: str
    requested_by_id: int
    requested_at: datetime
    state: ReEvaluationState
    started_at: datetime | None
    ended_at: datetime | None
    adopted_at: datetime | None
    adopted_by: str | None
    adopted_by_id: int | None
    adoption_reason: str
    adoption_ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether scans of it are still to be scored."""
        return self.state in OPEN

    @property
    def may_be_adopted(self) -> bool:
        """Whether nobody has let its scores count, and no more of them come."""
        return not self.is_open and self.adopted_at is None


@dataclass(frozen=True, slots=True)
class RescoringCounts:
    """Scans of one order by where they stand, and by what adopting did to them."""

    states: Mapping[RescoredState, int]
    outcomes: Mapping[AdoptionOutcome, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def n_ended(self) -> int:
        """Scored, or given up."""
        return self.states.get(RescoredState.SCORED, 0) + self.states.get(RescoredState.FAILED, 0)


def count_reach(session: Session, kind: ScanKind, reach: Reach, version_id: int) -> int:
    """How many scans an order would take: scored ones within reach, for which another version counts."""
    return session.scalars(select(func.count()).select_from(_wanted(kind, reach, version_id).subquery())).one()


def add_rescoring(
    session: Session, *, kind: ScanKind, reach: Reach, version_id: int, reason: str, requested_by_id: int
) -> tuple[int, int]:
    """Write an order and its queue; its id and the number of scans.

    Superficial slabs come first, whose grades the deep ones inherit. What the version said before, under the protocol
    version that counts, stands and is not scored again. The unique index refuses a second open order of the study's
    lane (IntegrityError).
    """
    values = {
        "study_id": reach.study_id, "site_id": reach.site_id, "kind": kind, "since": reach.since, "until": reach.until,
        "model_version_id": version_id, "reason": reason, "requested_by_id": requested_by_id,
        "state": ReEvaluationState.WAITING,
    }  # fmt: skip
    added = session.scalars(insert(Rescoring).values(values).returning(Rescoring.id)).one()
    wanted = _wanted(kind, reach, version_id).subquery()
    number = func.row_number().over(order_by=(wanted.c.slab != Slab.SUPERFICIAL, wanted.c.id))
    state = case((wanted.c.known_id.is_(None), RescoredState.WAITING.value), else_=RescoredState.SCORED.value)
    columns = ["rescoring_id", "scan_id", "site_id", "number", "state", "assessment_id"]
    rows = select(literal(added), wanted.c.id, wanted.c.site_id, number, state, wanted.c.known_id)
    session.execute(insert(RescoringScan).from_select(columns, rows))
    n_scans = session.scalars(select(func.count()).where(RescoringScan.rescoring_id == added)).one()
    return added, n_scans


def _wanted(kind: ScanKind, reach: Reach, version_id: int) -> Select[*tuple[Any, ...]]:
    """Scans to score, each with what the version said of it under the protocol version that counts."""
    sites = select(Site.id).where(Site.study_id == reach.study_id)
    place = Scan.site_id == reach.site_id if reach.site_id is not None else Scan.site_id.in_(sites)
    is_known = and_(
        _Known.scan_id == Scan.id,
        _Known.model_version_id == version_id,
        _Known.protocol_version_id == Assessment.protocol_version_id,
    )
    return (
        select(Scan.id, Scan.site_id, Scan.slab, _Known.id.label("known_id"))
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .outerjoin(_Known, is_known)
        .where(place, Scan.kind == kind, Assessment.model_version_id != version_id, *captured_within(reach))
    )


def read_rescorings(session: Session, study_id: int, *, limit: int = 20) -> tuple[RescoringRow, ...]:
    """A study's orders, the newest first."""
    wanted = _rows(Rescoring.study_id == study_id).order_by(Rescoring.id.desc()).limit(limit)
    return tuple(_row(row) for row in session.execute(wanted))


def read_rescoring(session: Session, id_: int) -> RescoringRow | None:
    """One of them; None where the session's person may not see it."""
    row = session.execute(_rows(Rescoring.id == id_)).one_or_none()
    return None if row is None else _row(row)


def count_scans(session: Session, ids: Iterable[int]) -> dict[int, RescoringCounts]:
    """Where the scans of each of these orders stand."""
    rows = session.execute(
        select(RescoringScan.rescoring_id, RescoringScan.state, RescoringScan.outcome, func.count())
        .where(RescoringScan.rescoring_id.in_(tuple(ids)))
        .group_by(RescoringScan.rescoring_id, RescoringScan.state, RescoringScan.outcome)
    )
    states: dict[int, Counter[RescoredState]] = {}
    outcomes: dict[int, Counter[AdoptionOutcome]] = {}
    for id_, state, outcome, n in rows:
        states.setdefault(id_, Counter())[RescoredState(state)] += n
        if outcome is not None:
            outcomes.setdefault(id_, Counter())[AdoptionOutcome(outcome)] += n
    return {id_: RescoringCounts(found, outcomes.get(id_, Counter())) for id_, found in states.items()}


def list_failures(session: Session, id_: int, *, limit: int = 20) -> tuple[tuple[int, str], ...]:
    """Scans that could not be scored, and why, in order of their id."""
    rows = session.execute(
        select(RescoringScan.scan_id, RescoringScan.failure)
        .where(RescoringScan.rescoring_id == id_, RescoringScan.state == RescoredState.FAILED)
        .order_by(RescoringScan.scan_id)
        .limit(limit)
    )
    return tuple((row.scan_id, row.failure) for row in rows)


def end_rescoring(
    session: Session, id_: int, state: ReEvaluationState, *, at: datetime, condition: ColumnElement[bool] | None = None
) -> bool:
    """Say that an order is done or stopped; False where it had ended before, or ``condition`` does not hold."""
    ended = update(Rescoring).where(Rescoring.id == id_, Rescoring.state.in_(OPEN))
    if condition is not None:
        ended = ended.where(condition)
    return bool(session.scalars(ended.values(state=state, ended_at=at).returning(Rescoring.id)).all())


def _rows(*where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Rescoring, ModelVersion.name, ModelVersion.version, Site.code,
            User.display_name.label("requested_by"), _Adopter.display_name.label("adopted_by"),
        )
        .join(ModelVersion, ModelVersion.id == Rescoring.model_version_id)
        .outerjoin(Site, Site.id == Rescoring.site_id)
        .outerjoin(User, User.id == Rescoring.requested_by_id)
        .outerjoin(_Adopter, _Adopter.id == Rescoring.adopted_by_id)
        .where(*where)
    )  # fmt: skip


def _row(row: Any) -> RescoringRow:
    found: Rescoring = row.Rescoring
    since: date | None = found.since
    return RescoringRow(
        id=found.id,
        kind=ScanKind(found.kind),
        reach=Reach(found.study_id, found.site_id, since, found.until),
        site_code=row.code,
        version_id=found.model_version_id,
        model=f"{row.name} {row.version}",
        reason=found.reason,
        requested_by=row.requested_by or "somebody else",
        requested_by_id=found.requested_by_id,
        requested_at=found.created_at,
        state=ReEvaluationState(found.state),
        started_at=found.started_at,
        ended_at=found.ended_at,
        adopted_at=found.adopted_at,
        adopted_by=row.adopted_by if found.adopted_at is None or row.adopted_by else "somebody else",
        adopted_by_id=found.adopted_by_id,
        adoption_reason=found.adoption_reason,
        adoption_ended_at=found.adoption_ended_at,
    )
