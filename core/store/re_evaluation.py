"""Re-evaluations as rows, the scans that one meets, and what it did to them. Judges nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, or_, select, update
from sqlalchemy.orm import Session

from core.database.tables import (
    Acquisition,
    ProtocolVersion,
    ReacquisitionRequest,
    ReEvaluation,
    ReEvaluationScan,
    Review,
    Scan,
    Site,
    User,
    Visit,
)
from core.store.reacquisition import ENDED
from core.vocabulary import Outcome, ReEvaluationState, ScanState, Verdict

_OPEN = (ReEvaluationState.WAITING, ReEvaluationState.RUNNING)


@dataclass(frozen=True, slots=True)
class Reach:
    """Which scans of a study are meant: of one site (None: all), captured from ``since`` on and before ``until``."""

    study_id: int
    site_id: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class MetScan:
    """A scored scan within reach, and what people have to do with it."""

    scan_id: int
    site_id: int
    expected_scan_id: int
    state: ScanState
    is_decided: bool
    """A person has decided or asked about it."""
    has_open_request: bool
    """Its capture is to be taken again, or answers such a request."""


@dataclass(frozen=True, slots=True)
class ReEvaluationRow:
    """A re-evaluation as people read it. ``counts`` is scans by outcome, so far; ``site_code`` None means all."""

    id: int
    reach: Reach
    site_code: str | None
    version_id: int
    version_number: int
    reason: str
    requested_by: str
    requested_by_id: int
    requested_at: datetime
    state: ReEvaluationState
    foreseen: Mapping[str, int]
    done_up_to: int
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be carried out, in part at least."""
        return self.state in _OPEN


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """What a re-evaluation did to one scan."""

    scan_id: int
    site_id: int
    outcome: Outcome
    version_before_id: int
    verdict_before: Verdict
    verdict_after: Verdict | None


def next_visits(session: Session, reach: Reach, *, after: int, limit: int) -> list[int]:
    """The next visits of the study or site, by their id."""
    return list(session.scalars(_visits(reach).where(Visit.id > after).order_by(Visit.id).limit(limit)))


def count_visits(session: Session, reach: Reach) -> int:
    """How many visits there are to look at."""
    return session.scalars(select(func.count()).select_from(_visits(reach).subquery())).one()


def _visits(reach: Reach) -> Select[int]:
    if reach.site_id is not None:
        return select(Visit.id).where(Visit.site_id == reach.site_id)
    sites = select(Site.id).where(Site.study_id == reach.study_id)
    return select(Visit.id).where(Visit.site_id.in_(sites))


def read_met(session: Session, visit_ids: Sequence[int], reach: Reach) -> tuple[MetScan, ...]:
    """The scored scans of these visits that are within reach, in order of their id."""
    return _read_met(session, Acquisition.visit_id.in_(visit_ids), *captured_within(reach))


def read_met_scans(session: Session, scan_ids: Sequence[int]) -> tuple[MetScan, ...]:
    """Those of these scans that have a score, in order of their id."""
    return _read_met(session, Scan.id.in_(scan_ids))


def _read_met(session: Session, *conditions: ColumnElement[bool]) -> tuple[MetScan, ...]:
    is_open = ReacquisitionRequest.state.not_in(ENDED)
    request = select(ReacquisitionRequest.id).where(
        is_open,
        or_(
            ReacquisitionRequest.acquisition_id == Acquisition.id,
            ReacquisitionRequest.replacement_id == Acquisition.id,
        ),
    )
    review = select(Review.id).where(Review.scan_id == Scan.id, Review.is_masked.is_(False))
    rows = session.execute(
        select(
            Scan.id, Scan.site_id, Acquisition.expected_scan_id, Scan.state,
            or_(Scan.human_ordinal.is_not(None), review.exists()).label("is_decided"),
            request.exists().label("has_open_request"),
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(Scan.assessment_id.is_not(None), *conditions)
        .order_by(Scan.id)
    )  # fmt: skip
    return tuple(
        MetScan(
            row.id, row.site_id, row.expected_scan_id, ScanState(row.state), row.is_decided, row.has_open_request
        )
        for row in rows
    )  # fmt: skip


def captured_within(reach: Reach) -> Iterable[ColumnElement[bool]]:
    """Conditions on Acquisition: captured in the period of a reach."""
    if reach.since is not None:
        yield Acquisition.acquired_at >= datetime.combine(reach.since, time(), UTC)
    if reach.until is not None:
        yield Acquisition.acquired_at < datetime.combine(reach.until, time(), UTC)


def add_re_evaluation(
    session: Session, reach: Reach, *, version_id: int, reason: str, requested_by_id: int, foreseen: Mapping[str, int]
) -> int:
    """Order one; its id. The unique index refuses a second open one of the study (IntegrityError)."""
    values = {
        "study_id": reach.study_id, "site_id": reach.site_id, "since": reach.since, "until": reach.until,
        "protocol_version_id": version_id, "reason": reason, "requested_by_id": requested_by_id,
        "foreseen": dict(foreseen), "state": ReEvaluationState.WAITING,
    }  # fmt: skip
    return session.scalars(insert(ReEvaluation).values(values).returning(ReEvaluation.id)).one()


def read_re_evaluations(session: Session, study_id: int, *, limit: int = 20) -> tuple[ReEvaluationRow, ...]:
    """A study's re-evaluations, the newest first."""
    wanted = _rows(ReEvaluation.study_id == study_id).order_by(ReEvaluation.id.desc()).limit(limit)
    return tuple(_row(row) for row in session.execute(wanted))


def read_re_evaluation(session: Session, id_: int) -> ReEvaluationRow | None:
    """One of them; None where the session's person may not see it."""
    row = session.execute(_rows(ReEvaluation.id == id_)).one_or_none()
    return None if row is None else _row(row)


def lock_next(session: Session) -> ReEvaluationRow | None:
    """The oldest open one, locked until the transaction ends; None where there is none or others have it."""
    locked = session.scalars(
        select(ReEvaluation.id)
        .where(ReEvaluation.state.in_(_OPEN))
        .order_by(ReEvaluation.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return None if locked is None else read_re_evaluation(session, locked)


def note_progress(session: Session, id_: int, *, done_up_to: int, at: datetime) -> None:
    """Say up to which visit everything is judged."""
    session.execute(
        update(ReEvaluation)
        .where(ReEvaluation.id == id_)
        .values(
            state=ReEvaluationState.RUNNING,
            done_up_to=done_up_to,
            started_at=func.coalesce(ReEvaluation.started_at, at),
        )
    )


def end_re_evaluation(session: Session, id_: int, state: ReEvaluationState, *, at: datetime) -> bool:
    """Say that it is done or stopped; False where it had ended before."""
    ended = (
        update(ReEvaluation)
        .where(ReEvaluation.id == id_, ReEvaluation.state.in_(_OPEN))
        .values(state=state, ended_at=at)
        .returning(ReEvaluation.id)
    )
    return bool(session.scalars(ended).all())


def add_outcomes(session: Session, id_: int, outcomes: Sequence[ScanOutcome]) -> None:
    """Write down what it did to these scans."""
    rows = [
        {
            "re_evaluation_id": id_,
            "scan_id": each.scan_id,
            "site_id": each.site_id,
            "outcome": each.outcome,
            "protocol_version_before_id": each.version_before_id,
            "verdict_before": each.verdict_before,
            "verdict_after": each.verdict_after,
        }
        for each in outcomes
    ]
    if rows:
        session.execute(insert(ReEvaluationScan), rows)


def count_outcomes(session: Session, ids: Iterable[int]) -> dict[int, Counter[Outcome]]:
    """Scans by outcome of each of these re-evaluations; an index answers it."""
    rows = session.execute(
        select(ReEvaluationScan.re_evaluation_id, ReEvaluationScan.outcome, func.count())
        .where(ReEvaluationScan.re_evaluation_id.in_(tuple(ids)))
        .group_by(ReEvaluationScan.re_evaluation_id, ReEvaluationScan.outcome)
    )
    counts: dict[int, Counter[Outcome]] = {}
    for id_, outcome, n in rows:
        counts.setdefault(id_, Counter())[Outcome(outcome)] = n
    return counts


def list_scans(
    session: Session, id_: int, outcome: Outcome | None = None, *, after_id: int = 0, limit: int = 50
) -> tuple[ScanOutcome, ...]:
    """The scans with that outcome (None: with any), in order of their id, from after one on."""
    is_meant = () if outcome is None else (ReEvaluationScan.outcome == outcome,)
    rows = session.execute(
        select(ReEvaluationScan)
        .where(ReEvaluationScan.re_evaluation_id == id_, ReEvaluationScan.scan_id > after_id, *is_meant)
        .order_by(ReEvaluationScan.scan_id)
        .limit(limit)
    ).scalars()
    return tuple(
        ScanOutcome(
            row.scan_id, row.site_id, Outcome(row.outcome), row.protocol_version_before_id,
            Verdict(row.verdict_before), None if row.verdict_after is None else Verdict(row.verdict_after),
        )
        for row in rows
    )  # fmt: skip


def _rows(*where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(ReEvaluation, ProtocolVersion.number, Site.code, User.display_name)
        .join(ProtocolVersion, ProtocolVersion.id == ReEvaluation.protocol_version_id)
        .outerjoin(Site, Site.id == ReEvaluation.site_id)
        .outerjoin(User, User.id == ReEvaluation.requested_by_id)
        .where(*where)
    )


def _row(row: Any) -> ReEvaluationRow:
    found, number, site_code, name = row
    return ReEvaluationRow(
        id=found.id,
        reach=Reach(found.study_id, found.site_id, found.since, found.until),
        site_code=site_code,
        version_id=found.protocol_version_id,
        version_number=number,
        reason=found.reason,
        requested_by=name or "somebody else",
        requested_by_id=found.requested_by_id,
        requested_at=found.created_at,
        state=ReEvaluationState(found.state),
        foreseen=found.foreseen,
        done_up_to=found.done_up_to,
        started_at=found.started_at,
        ended_at=found.ended_at,
    )
