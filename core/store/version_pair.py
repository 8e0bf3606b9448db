"""Scans that two model versions scored: what counts now beside what another version said. Of the latest scans alone."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, Assessment, Device, ModelVersion, Scan, Site
from core.store.recent_scan import reach_of, recent_scans
from core.store.scan_filter import ScanFilter
from core.vocabulary import GradeScale, Slab, Verdict


@dataclass(frozen=True, slots=True)
class Said:
    """What one model version said of a scan. ``ordinal`` is None where it abstained, ``likeliest`` never."""

    version_id: int
    ordinal: int | None
    verdict: Verdict
    likeliest: int


@dataclass(frozen=True, slots=True)
class VersionPair:
    """One scan, what counts for it (the champion's), and what another version (the challenger) said."""

    scan_id: int
    subject_id: int
    site_code: str
    device_code: str
    slab: Slab
    champion: Said
    challenger: Said
    scale: GradeScale = GradeScale.COIPS_3


@dataclass(frozen=True, slots=True)
class VersionPairs:
    """All pairs among the latest scans, read at ``as_of``; ``counting`` is scans by the version that counts."""

    as_of: datetime
    names: Mapping[int, str]
    """Version's id -> name and version."""
    counting: Mapping[int, int]
    pairs: tuple[VersionPair, ...]
    per_device: int


_Other = aliased(Assessment)
_COLUMNS = (
    Scan.id, Scan.slab, Acquisition.subject_id, Site.code.label("site_code"), Device.code.label("device_code"),
    Assessment.model_version_id, Assessment.grade_ordinal, Assessment.is_abstained, Assessment.verdict,
    Assessment.grade_scale,
    _Other.id.label("other_id"), _Other.model_version_id.label("other_version_id"),
    _Other.grade_ordinal.label("other_ordinal"), _Other.is_abstained.label("is_other_abstained"),
    _Other.verdict.label("other_verdict"),
)  # fmt: skip


def read_version_pairs(session: Session, chosen: ScanFilter) -> VersionPairs:
    """The latest scans of each device under ``chosen`` that more than one model version scored.

    Where a version scored a scan under several protocols, its latest assessment is taken.
    """
    reach = reach_of(session, chosen)
    as_of: datetime = session.scalars(select(func.now())).one()
    if not reach.device_ids:
        return VersionPairs(as_of, {}, {}, (), reach.per_device)
    is_other = (_Other.scan_id == Scan.id) & (_Other.model_version_id != Assessment.model_version_id)
    rows = session.execute(recent_scans(chosen, reach, *_COLUMNS).outerjoin(_Other, is_other)).all()
    latest: dict[tuple[int, int], Row[Any]] = {}
    for row in rows:
        if row.other_id is not None:
            kept = latest.get((row.id, row.other_version_id))
            if kept is None or kept.other_id < row.other_id:
                latest[row.id, row.other_version_id] = row
    counting = Counter({row.id: row.model_version_id for row in rows}.values())
    ids = set(counting) | {version for _, version in latest}
    named = session.execute(
        select(ModelVersion.id, ModelVersion.name, ModelVersion.version).where(ModelVersion.id.in_(ids))
    )
    names = {id_: f"{name} {version}" for id_, name, version in named}
    return VersionPairs(as_of, names, counting, tuple(_pair(row) for row in latest.values()), reach.per_device)


def said(version_id: int, ordinal: int, verdict: str, *, is_abstained: bool) -> Said:
    """What the columns of one assessment say."""
    return Said(version_id, None if is_abstained else ordinal, Verdict(verdict), ordinal)


def _pair(row: Row[Any]) -> VersionPair:
    return VersionPair(
        scan_id=row.id,
        subject_id=row.subject_id,
        site_code=row.site_code,
        device_code=row.device_code,
        slab=Slab(row.slab),
        champion=said(row.model_version_id, row.grade_ordinal, row.verdict, is_abstained=row.is_abstained),
        challenger=said(
            row.other_version_id, row.other_ordinal, row.other_verdict, is_abstained=row.is_other_abstained
        ),
        scale=GradeScale(row.grade_scale),
    )
