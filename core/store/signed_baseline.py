"""Baselines as people signed them: written once by a function that asks for the password, read with their history."""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from core.database.tables import SignedBaseline, Site, Study
from core.statistics.clustering import DesignEffect
from core.statistics.control_chart import Baseline
from core.store.scan_filter import ScanFilter

WHOLE_STUDY = "study"
"""The kind of a baseline for everything together; any other is a UnitKind."""


@dataclass(frozen=True, slots=True)
class BaselineScope:
    """What a baseline is for: a unit (or a whole study) and a scan type, empty for all types together."""

    study_id: int
    site_id: int | None
    kind: str
    key: str
    label: str
    scan_type: str = ""


@dataclass(frozen=True, slots=True)
class SignedVersion:
    """One signed baseline; the highest number of its scope is in force."""

    id: int
    kind: str
    key: str
    number: int
    baseline: Baseline
    signed_by: str
    signed_at: datetime
    meaning: str
    reason: str


def only_study(session: Session, chosen: ScanFilter) -> int | None:
    """The study that a selection lies in: named, its site's, or the only one to be seen; None for several."""
    if chosen.study_id is not None:
        return chosen.study_id
    if chosen.site_id is not None:
        return session.scalar(select(Site.study_id).where(Site.id == chosen.site_id))
    found = session.scalars(select(Study.id).limit(2)).all()
    return found[0] if len(found) == 1 else None


def read_baselines_in_force(session: Session, study_id: int, scan_type: str) -> dict[tuple[str, str], SignedVersion]:
    """The latest version of every unit of a study that has one, by kind and key."""
    rows = _read(session, SignedBaseline.study_id == study_id, SignedBaseline.scan_type == scan_type)
    return {(version.kind, version.key): version for version in rows}


def read_baseline_history(session: Session, scope: BaselineScope) -> tuple[SignedVersion, ...]:
    """Every version of one scope, the latest first."""
    rows = _read(
        session,
        SignedBaseline.study_id == scope.study_id,
        SignedBaseline.scan_type == scope.scan_type,
        SignedBaseline.unit_kind == scope.kind,
        SignedBaseline.unit_key == scope.key,
    )
    return tuple(reversed(rows))


def is_own_password(session: Session, offered_hash: str) -> bool:
    """Whether this is the session's person's password; a wrong one counts towards the lock-out of the login."""
    return bool(session.scalar(text("select check_own_password(:offered_hash)"), {"offered_hash": offered_hash}))


def write_signed_baseline(
    session: Session, scope: BaselineScope, baseline: Baseline, *, offered_hash: str, meaning: str, reason: str
) -> tuple[int, int]:
    """Store the next version, signed by the session's person; return its id and number."""
    document = {
        "study_id": scope.study_id,
        "site_id": scope.site_id,
        "unit_kind": scope.kind,
        "unit_key": scope.key,
        "scan_type": scope.scan_type,
        "starts_on": baseline.starts_on.isoformat(),
        "ends_on": baseline.ends_on.isoformat(),
        "centre": baseline.centre,
        "sigma_z": baseline.sigma_z,
        "correlation": baseline.design.correlation,
        "design_units": baseline.design.n_units,
        "design_clusters": baseline.design.n_clusters,
        "n_points": baseline.n_points,
        "n": baseline.n,
        "meaning": meaning,
        "reason": reason,
    }
    row = session.execute(
        text("select id, number from sign_baseline(:offered_hash, cast(:signed as jsonb))"),
        {"offered_hash": offered_hash, "signed": json.dumps(document)},
    ).one()
    return row.id, row.number


def _read(session: Session, *where: ColumnElement[bool]) -> list[SignedVersion]:
    """Matching versions, those of one scope in order of their numbers."""
    rows = session.scalars(select(SignedBaseline).where(*where).order_by(SignedBaseline.number))
    return [
        SignedVersion(
            id=row.id,
            kind=row.unit_kind,
            key=row.unit_key,
            number=row.number,
            baseline=Baseline(
                centre=row.centre,
                sigma_z=row.sigma_z,
                design=DesignEffect(row.correlation, row.design_units, row.design_clusters),
                starts_on=row.starts_on,
                ends_on=row.ends_on,
                n_points=row.n_points,
                n=row.n,
            ),
            signed_by=row.signed_name,
            signed_at=row.created_at,
            meaning=row.meaning,
            reason=row.reason,
        )
        for row in rows
    ]
