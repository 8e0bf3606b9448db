"""Scans that an order scored again: what counts, or counted until it was adopted, beside what the other model said."""

from collections import Counter
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, Assessment, Device, ModelVersion, RescoringScan, Scan, Site
from core.store.calibration_mode import is_model_shown
from core.store.version_pair import VersionPair, VersionPairs, said
from core.vocabulary import GradeScale, RescoredState, Slab

MOST_PAIRS = 5_000
"""The newest of them; more would take the page seconds to compare."""

FORMER = aliased(Assessment)
OTHER = aliased(Assessment)


def newest_pairs(rescoring_id: int, *columns: Any) -> Select[*tuple[Any, ...]]:
    """``columns`` of the newest scans of an order: of Scan, Acquisition, what counts (FORMER) and the other (OTHER)."""
    counting = func.coalesce(RescoringScan.former_assessment_id, Scan.assessment_id)
    return (
        select(*columns)
        .select_from(RescoringScan)
        .join(Scan, Scan.id == RescoringScan.scan_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(FORMER, FORMER.id == counting)
        .join(OTHER, OTHER.id == RescoringScan.assessment_id)
        .where(
            RescoringScan.rescoring_id == rescoring_id, RescoringScan.state == RescoredState.SCORED,
            FORMER.id != OTHER.id, is_model_shown(),
        )
        .order_by(Scan.id.desc())
        .limit(MOST_PAIRS)
    )  # fmt: skip


def read_rescored_pairs(session: Session, rescoring_id: int) -> VersionPairs:
    """The newest scans of an order that were scored, with both versions' grades and verdicts."""
    rows = session.execute(
        newest_pairs(
            rescoring_id,
            Scan.id, Scan.slab, Acquisition.subject_id, Site.code.label("site_code"), Device.code.label("device_code"),
            FORMER.model_version_id, FORMER.grade_ordinal, FORMER.grade_scale, FORMER.is_abstained,
            FORMER.verdict, OTHER.model_version_id.label("other_version_id"),
            OTHER.grade_ordinal.label("other_ordinal"), OTHER.is_abstained.label("is_other_abstained"),
            OTHER.verdict.label("other_verdict"),
        )
        .join(Site, Site.id == Scan.site_id)
        .join(Device, Device.id == Acquisition.device_id)
    ).all()  # fmt: skip
    versions = {row.model_version_id for row in rows} | {row.other_version_id for row in rows}
    named = session.execute(
        select(ModelVersion.id, ModelVersion.name, ModelVersion.version).where(ModelVersion.id.in_(versions))
    )
    return VersionPairs(
        as_of=session.scalars(select(func.now())).one(),
        names={id_: f"{name} {version}" for id_, name, version in named},
        counting=Counter(row.model_version_id for row in rows),
        pairs=tuple(_pair(row) for row in rows),
        per_device=MOST_PAIRS,
    )


def _pair(row: Any) -> VersionPair:
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
