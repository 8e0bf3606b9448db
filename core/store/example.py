"""The example gallery: scored scans by grade, reason and artifact, newest first, paged in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

from sqlalchemy import ColumnElement, Float, Row, Select, cast, exists, func, not_, select
from sqlalchemy.orm import Session

from core.database.tables import (
    Acquisition,
    Assessment,
    AssessmentArtifact,
    AssessmentPicture,
    AssessmentReason,
    Device,
    Scan,
    Site,
)
from core.store.calibration_mode import is_model_shown
from core.store.finding import DECENTRATION
from core.store.newest import last_scan, newest, newest_at_sites, within
from core.store.scan_filter import ScanFilter, filter_conditions
from core.vocabulary import ArtifactType, Laterality, ReasonCode, ScanKind, Severity, Slab

CLEAR_FROM = 0.9
"""A model that gives its grade this probability shows what it takes for a typical scan of that grade."""
DOUBTFUL_BELOW = 0.6
"""Below this the grade might as well be the next one: a borderline scan."""


class ExampleSet(StrEnum):
    """What the examples are examples of (the rows of Figure 3 of Wu et al., paper 000, made live)."""

    TYPICAL = "typical"
    """Clear to the model, abstaining or not, and no person decided otherwise."""
    BORDERLINE = "borderline"
    """Its grade has little more probability than the next, or the model abstained and was not clear."""
    DISAGREEMENT = "disagreement"
    """A person decided for another grade than the model's."""
    CAM_OFF = "cam-off"
    """The model looked elsewhere than at what it marked: less of the Grad-CAM lies there than the protocol asks for."""


class Fault(StrEnum):
    """What a capture can have wrong whatever its grade, as the Overview counts it (core.store.site_week)."""

    MOTION = "motion"
    LOW_SIGNAL = "low_signal"
    DECENTRATION = DECENTRATION
    DEVIATION = "deviation"
    """Not as the protocol says."""


@dataclass(frozen=True, slots=True)
class Example:
    """One scan of the gallery. ``ordinal`` is a person's grade where there is one, else the model's."""

    scan_id: int
    site_code: str
    device_code: str
    laterality: Laterality
    slab: Slab
    scan_type: str
    acquired_at: datetime
    ordinal: int
    is_human_grade: bool
    label: str
    probability: float
    """The model's calibrated probability of its own grade ``label``."""
    is_abstained: bool
    has_cam: bool
    artifacts: tuple[tuple[ArtifactType, float], ...]
    """Marked artifacts with their share of the region of interest, the largest first."""
    pictures: tuple[str, ...] = ()
    """File names of what else the model of the scan's lane drew."""


@dataclass(frozen=True, slots=True)
class ExamplePage:
    """One page of the gallery; ``has_more`` says whether there is another."""

    items: tuple[Example, ...]
    has_more: bool


def read_examples(
    session: Session,
    chosen: ScanFilter,
    *,
    ordinal: int | None = None,
    reason: ReasonCode | None = None,
    kind: ScanKind | None = None,
    wanted: ExampleSet | None = None,
    fault: Fault | None = None,
    page: int = 0,
    page_size: int = 12,
    before_id: int | None = None,
) -> ExamplePage:
    """Page ``page`` (from 0) of the scans with that grade, reason, kind, set and fault; without a count.

    ``before_id`` begins below that id instead, whatever has come since the page before.
    """
    conditions: list[ColumnElement[bool]] = [
        *filter_conditions(chosen), Acquisition.is_phantom.is_(False), is_model_shown(),
    ]  # fmt: skip
    if before_id is not None:
        conditions.append(Scan.id < before_id)
    if ordinal is not None:
        conditions.append(func.coalesce(Scan.human_ordinal, Assessment.grade_ordinal) == ordinal)
    if reason is not None:
        conditions.append(
            exists().where(AssessmentReason.assessment_id == Assessment.id, AssessmentReason.code == reason)
        )
    if kind is not None:
        conditions.append(Scan.kind == kind)
    if wanted is not None:
        conditions.append(_belongs(wanted))
    if fault is not None:
        conditions.append(_has(fault))
    last = session.scalar(last_scan(chosen)) or 0
    last = last if before_id is None else min(last, before_id - 1)
    ids = _newest_scans(session, chosen, conditions, last, offset=page * page_size, limit=page_size + 1)
    rows = session.execute(_EXAMPLES.where(Scan.id.in_(ids)).order_by(Scan.id.desc())).all()
    shown = rows[:page_size]
    artifacts = _read_artifacts(session, [row.assessment_id for row in shown])
    pictures = _read_pictures(session, [row.assessment_id for row in shown])
    items = tuple(
        _example(row, artifacts.get(row.assessment_id, ()), pictures.get(row.assessment_id, ())) for row in shown
    )
    return ExamplePage(items=items, has_more=len(rows) > page_size)


def _belongs(wanted: ExampleSet) -> ColumnElement[bool]:
    """Condition on Scan and the assessment that counts."""
    probability = func.jsonb_each_text(Assessment.probabilities).table_valued("key", "value").render_derived()
    highest = select(func.max(cast(probability.c.value, Float))).scalar_subquery()
    differs = Scan.human_ordinal.is_not(None) & (Scan.human_ordinal != Assessment.grade_ordinal)
    match wanted:
        case ExampleSet.TYPICAL:
            # Lanes that promise nothing abstain from every scan: that alone makes no scan a borderline one.
            return (highest >= CLEAR_FROM) & not_(differs)
        case ExampleSet.BORDERLINE:
            return (highest < DOUBTFUL_BELOW) | (Assessment.is_abstained.is_(True) & (highest < CLEAR_FROM))
        case ExampleSet.DISAGREEMENT:
            return differs
        case ExampleSet.CAM_OFF:
            return exists().where(
                AssessmentReason.assessment_id == Assessment.id, AssessmentReason.code == ReasonCode.CAM_DISAGREEMENT
            )
        case _:
            assert_never(wanted)


def _has(fault: Fault) -> ColumnElement[bool]:
    """Condition on the scan's capture or on the assessment that counts: the fault is severe there."""
    match fault:
        case Fault.DEVIATION:
            return func.jsonb_array_length(Acquisition.deviations) > 0
        case Fault.DECENTRATION:
            return Assessment.centration_severity == Severity.SEVERE
        case _:
            return exists().where(
                AssessmentArtifact.assessment_id == Assessment.id, AssessmentArtifact.type == fault,
                AssessmentArtifact.severity == Severity.SEVERE,
            )  # fmt: skip


_EXAMPLES = (
    select(
        Scan.id,
        Scan.human_ordinal,
        Scan.slab,
        Assessment.id.label("assessment_id"),
        Assessment.grade_ordinal,
        Assessment.probabilities,
        Assessment.is_abstained,
        Assessment.cam_sha256,
        Acquisition.laterality,
        Acquisition.scan_type,
        Acquisition.acquired_at,
        Site.code.label("site_code"),
        Device.code.label("device_code"),
    )
    .join(Assessment, Assessment.id == Scan.assessment_id)
    .join(Acquisition, Acquisition.id == Scan.acquisition_id)
    .join(Site, Site.id == Scan.site_id)
    .join(Device, Device.id == Acquisition.device_id)
)


def _example(row: Row[Any], artifacts: tuple[tuple[ArtifactType, float], ...], pictures: tuple[str, ...]) -> Example:
    likeliest = max(row.probabilities, key=row.probabilities.get)
    return Example(
        scan_id=row.id,
        site_code=row.site_code,
        device_code=row.device_code,
        laterality=Laterality(row.laterality),
        slab=Slab(row.slab),
        scan_type=row.scan_type,
        acquired_at=row.acquired_at,
        ordinal=row.grade_ordinal if row.human_ordinal is None else row.human_ordinal,
        is_human_grade=row.human_ordinal is not None,
        label=likeliest,
        probability=float(row.probabilities[likeliest]),
        is_abstained=row.is_abstained,
        has_cam=row.cam_sha256 is not None,
        artifacts=artifacts,
        pictures=pictures,
    )


FIRST_REACH = 2_000
"""How many of the latest scans are looked through at first."""


def _newest_scans(
    session: Session,
    chosen: ScanFilter,
    conditions: Sequence[ColumnElement[bool]],
    last: int,
    *,
    offset: int,
    limit: int,
) -> list[int]:
    """Ids up to ``last`` of the newest scans under ``conditions``: the newest of each site, then of those.

    Asked site by site, the index of (site, id) is walked from its end and left after ``offset + limit`` hits. Asked at
    once, PostgreSQL walks past every scan of the sites that the person may not see. To fill a page for each of many
    sites would be too much again: so only the latest scans of all are looked through, and more where it takes more.
    """

    def ask(oldest: int, latest: int) -> list[int]:
        return list(session.scalars(_newest_between((oldest, latest), chosen, conditions, limit=offset + limit)))

    return list(newest(last, ask, n=offset + limit, first_reach=FIRST_REACH)[offset:])


def _newest_between(
    borders: tuple[int, int], chosen: ScanFilter, conditions: Sequence[ColumnElement[bool]], *, limit: int
) -> Select[int]:
    scans = (
        select(Scan.id)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .where(*within(Scan.id, borders), *conditions)
    )
    return newest_at_sites(scans, chosen, limit)


def _read_artifacts(session: Session, assessment_ids: list[int]) -> dict[int, tuple[tuple[ArtifactType, float], ...]]:
    rows = session.execute(
        select(AssessmentArtifact.assessment_id, AssessmentArtifact.type, AssessmentArtifact.area_fraction)
        .where(AssessmentArtifact.assessment_id.in_(assessment_ids), AssessmentArtifact.mask_sha256.is_not(None))
        .order_by(AssessmentArtifact.assessment_id, AssessmentArtifact.area_fraction.desc())
    )
    found: dict[int, tuple[tuple[ArtifactType, float], ...]] = {}
    for assessment_id, type_, fraction in rows:
        found[assessment_id] = (*found.get(assessment_id, ()), (ArtifactType(type_), fraction))
    return found


def _read_pictures(session: Session, assessment_ids: list[int]) -> dict[int, tuple[str, ...]]:
    rows = session.execute(
        select(AssessmentPicture.assessment_id, AssessmentPicture.name)
        .where(AssessmentPicture.assessment_id.in_(assessment_ids))
        .order_by(AssessmentPicture.assessment_id, AssessmentPicture.name)
    )
    found: dict[int, tuple[str, ...]] = {}
    for assessment_id, name in rows:
        found[assessment_id] = (*found.get(assessment_id, ()), name)
    return found
