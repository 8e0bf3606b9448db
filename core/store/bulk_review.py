"""Lists accepted in bulk: what a list holds, the rows of a bulk acceptance and how far it is. Knows no rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, insert, select, update
from sqlalchemy.orm import Session, aliased

from core.clock import now
from core.database.tables import (
    Acquisition,
    Assessment,
    AssessmentReason,
    Batch,
    BulkReview,
    BulkReviewScan,
    Review,
    Scan,
    Site,
    Subject,
    Technician,
    Visit,
)
from core.store.calibration_mode import is_model_shown
from core.store.scan_filter import ScanFilter
from core.store.worklist import WorklistTab, listed_scans
from core.vocabulary import BulkState, Laterality, ReasonCode, SampleMark, ScanState, Slab


@dataclass(frozen=True, slots=True)
class ListedScan:
    """One scan of a list, with what decides whether it may be accepted with the others."""

    scan_id: int
    study_id: int
    site_id: int
    version: int
    state: ScanState
    model_ordinal: int | None
    human_ordinal: int | None
    own_user_ids: frozenset[int]
    is_stranger: bool
    is_model_hidden: bool
    """Whether the person may know nothing of the model's yet (core.store.calibration_mode)."""
    site_code: str
    subject_code: str
    visit_code: str
    laterality: Laterality
    slab: Slab


@dataclass(frozen=True, slots=True)
class Bulk:
    """A bulk acceptance as it stands."""

    id: int
    study_id: int
    reviewer_id: int
    state: BulkState
    filters: Mapping[str, str]
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One scan of a bulk acceptance. ``left_out`` says why it is not accepted with the others."""

    scan_id: int
    site_code: str
    subject_code: str
    visit_code: str
    laterality: Laterality
    slab: Slab
    seen_version: int
    sample_number: int | None
    looked_at: datetime | None
    mark: SampleMark | None
    left_out: str
    review_id: int | None
    """Of its acceptance; None: it was not accepted with the others."""
    accepted_at: datetime | None
    is_taken_back: bool
    """Whether the reviewer has undone the acceptance since."""

    @property
    def is_accepted(self) -> bool:
        """Whether it was accepted with the others, taken back since or not."""
        return self.review_id is not None


def read_listed(session: Session, chosen: ScanFilter, *, today: date, limit: int) -> list[ListedScan]:
    """The first ``limit`` scans to decide under ``chosen``, in the worklist's order."""
    ids = session.scalars(listed_scans(chosen, WorklistTab.TO_DECIDE, today=today).limit(limit)).all()
    is_stranger = exists().where(
        AssessmentReason.assessment_id == Scan.assessment_id,
        AssessmentReason.code.in_((ReasonCode.NOT_OCTA, ReasonCode.NOT_OF_KIND)),
    )
    rows = session.execute(
        select(
            Scan.id, Site.study_id, Scan.site_id, Scan.version, Scan.state, Assessment.grade_ordinal,
            Scan.human_ordinal, Batch.uploaded_by_id, Technician.user_id, is_stranger.label("is_stranger"),
            is_model_shown().label("is_shown"),
            Site.code.label("site_code"), Subject.code.label("subject_code"), Visit.code.label("visit_code"),
            Acquisition.laterality, Scan.slab,
        )
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(Scan.id.in_(ids))
    )  # fmt: skip
    found = {
        row.id: ListedScan(
            row.id, row.study_id, row.site_id, row.version, ScanState(row.state), row.grade_ordinal,
            row.human_ordinal, frozenset(user for user in (row.uploaded_by_id, row.user_id) if user is not None),
            row.is_stranger, not row.is_shown, row.site_code, row.subject_code, row.visit_code,
            Laterality(row.laterality), Slab(row.slab),
        )
        for row in rows
    }  # fmt: skip
    return [found[id_] for id_ in ids if id_ in found]


def add_bulk(session: Session, *, study_id: int, reviewer_id: int, filters: Mapping[str, str], seed: int) -> int:
    """Open a bulk acceptance; return its id."""
    return session.scalars(
        insert(BulkReview)
        .values(
            study_id=study_id, reviewer_id=reviewer_id, state=BulkState.SAMPLING, filters=dict(filters), seed=seed,
            created_at=now(),
        )
        .returning(BulkReview.id)
    ).one()  # fmt: skip


def add_bulk_scans(
    session: Session, bulk_id: int, listed: Iterable[ListedScan], *, left_out: Mapping[int, str], sample: Sequence[int]
) -> None:
    """Add the list's scans, those of the sample with their number."""
    numbers = {scan_id: at for at, scan_id in enumerate(sample, start=1)}
    rows: list[dict[str, Any]] = [
        {
            "bulk_review_id": bulk_id,
            "scan_id": scan.scan_id,
            "site_id": scan.site_id,
            "seen_version": scan.version,
            "sample_number": numbers.get(scan.scan_id),
            "left_out": left_out.get(scan.scan_id, ""),
        }
        for scan in listed
    ]
    session.execute(insert(BulkReviewScan), rows)


def lock_bulk(session: Session, bulk_id: int) -> Bulk | None:
    """The bulk acceptance under lock; None where there is none that the person may see, or it has ended for others."""
    return _bulk(session.execute(select(BulkReview).where(BulkReview.id == bulk_id).with_for_update()).scalar())


def read_bulk(session: Session, bulk_id: int) -> Bulk | None:
    """The bulk acceptance; None where there is none that the person may see."""
    return _bulk(session.get(BulkReview, bulk_id))


def _bulk(row: BulkReview | None) -> Bulk | None:
    if row is None:
        return None
    return Bulk(row.id, row.study_id, row.reviewer_id, BulkState(row.state), row.filters, row.created_at, row.ended_at)


def read_bulk_items(session: Session, bulk_id: int) -> tuple[BulkItem, ...]:
    """Its scans: the sample in its order, then the others."""
    undo = aliased(Review)
    is_taken_back = exists().where(undo.undoes_id == Review.id)
    rows = session.execute(
        select(
            BulkReviewScan, Site.code.label("site_code"), Subject.code.label("subject_code"),
            Visit.code.label("visit_code"), Acquisition.laterality, Scan.slab, Review.id.label("review_id"),
            Review.created_at.label("accepted_at"), is_taken_back.label("is_taken_back"),
        )
        .join(Scan, Scan.id == BulkReviewScan.scan_id)
        .join(Site, Site.id == Scan.site_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .outerjoin(
            Review, (Review.bulk_review_id == bulk_id) & (Review.scan_id == BulkReviewScan.scan_id)
        )
        .where(BulkReviewScan.bulk_review_id == bulk_id)
        .order_by(BulkReviewScan.sample_number, BulkReviewScan.scan_id)
    )  # fmt: skip
    return tuple(
        BulkItem(
            row.BulkReviewScan.scan_id, row.site_code, row.subject_code, row.visit_code, Laterality(row.laterality),
            Slab(row.slab), row.BulkReviewScan.seen_version, row.BulkReviewScan.sample_number,
            row.BulkReviewScan.looked_at, SampleMark(row.BulkReviewScan.mark) if row.BulkReviewScan.mark else None,
            row.BulkReviewScan.left_out, row.review_id, row.accepted_at, row.is_taken_back,
        )
        for row in rows
    )  # fmt: skip


def set_bulk_state(session: Session, bulk_id: int, state: BulkState) -> None:
    """Move it on; done and stopped end it."""
    ended_at = now() if state in {BulkState.DONE, BulkState.STOPPED} else None
    session.execute(update(BulkReview).where(BulkReview.id == bulk_id).values(state=state, ended_at=ended_at))


def set_looked_at(session: Session, bulk_id: int, scan_id: int) -> None:
    """Write down that the reviewer has opened a scan of the sample; the first time counts."""
    session.execute(
        update(BulkReviewScan)
        .where(
            BulkReviewScan.bulk_review_id == bulk_id,
            BulkReviewScan.scan_id == scan_id,
            BulkReviewScan.sample_number.is_not(None),
            BulkReviewScan.looked_at.is_(None),
        )
        .values(looked_at=now())
    )


def set_mark(session: Session, bulk_id: int, scan_id: int, mark: SampleMark) -> None:
    """Write down what the reviewer says of a scan of the sample."""
    _update_scan(session, bulk_id, scan_id, mark=mark)


def set_left_out(session: Session, bulk_id: int, scan_id: int, why: str) -> None:
    """Write down why a scan was not accepted with the others."""
    _update_scan(session, bulk_id, scan_id, left_out=why)


def _update_scan(session: Session, bulk_id: int, scan_id: int, **values: str) -> None:
    session.execute(
        update(BulkReviewScan)
        .where(BulkReviewScan.bulk_review_id == bulk_id, BulkReviewScan.scan_id == scan_id)
        .values(**values)
    )
