"""All captures of an expected scan beside each other: grades, artifacts, reasons, and which of them stands for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import (
    Acquisition,
    Assessment,
    AssessmentArtifact,
    Batch,
    BestCapture,
    Scan,
    Site,
    Technician,
    User,
)
from core.store.calibration_mode import hidden_scans
from core.store.reason import read_reasons
from core.store.slot import decided_ordinal, read_slots
from core.values import Reason
from core.vocabulary import ArtifactType, ScanKind, ScanState, Severity, Slab


@dataclass(frozen=True, slots=True)
class SetScan:
    """One slab of a capture as it counts. ``ordinal`` is a person's grade, else the model's unless it abstained."""

    scan_id: int
    kind: ScanKind
    slab: Slab
    state: ScanState
    ordinal: int | None
    is_by_person: bool
    severities: tuple[tuple[ArtifactType, Severity], ...]
    reasons: tuple[Reason, ...]
    own_user_ids: frozenset[int]
    """Accounts of who uploaded it and of who took it: they do not choose it."""
    is_hidden: bool = False
    """The person who looks grades it before seeing anybody's grade (core.store.calibration_mode)."""


@dataclass(frozen=True, slots=True)
class SetCapture:
    """One capture with its slabs. ``is_gradable`` as the counts have it (docs/rates.md)."""

    acquisition_id: int
    code: str
    acquired_at: datetime
    technician_code: str | None
    replaces_id: int | None
    is_gradable: bool
    scans: tuple[SetScan, ...]

    @property
    def ordinal(self) -> int:
        """The grade of its worst decided slab; -1 sorts a capture of which nothing is decided last."""
        return min((scan.ordinal for scan in self.scans if scan.ordinal is not None), default=-1)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose. ``acquisition_id`` None: the rule holds again."""

    acquisition_id: int | None
    who: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CaptureSet:
    """The captures of an expected scan, the first one taken first, and the newest choice."""

    expected_scan_id: int
    site_id: int
    study_id: int
    captures: tuple[SetCapture, ...]
    choice: Choice | None

    @property
    def gradable(self) -> tuple[SetCapture, ...]:
        """Those of which one can stand for the expected scan."""
        return tuple(capture for capture in self.captures if capture.is_gradable)

    @property
    def chosen(self) -> SetCapture | None:
        """What a person chose, as long as it is gradable."""
        wanted = self.choice.acquisition_id if self.choice is not None else None
        return next((capture for capture in self.gradable if capture.acquisition_id == wanted), None)

    @property
    def by_rule(self) -> SetCapture | None:
        """Without a choice: the highest grade of its worst slab, and of equal ones the newest."""
        return max(self.gradable, key=lambda capture: (capture.ordinal, capture.acquired_at), default=None)

    @property
    def best(self) -> SetCapture | None:
        """What stands for the expected scan; None without a gradable capture. The rates do not depend on it."""
        return self.chosen or self.by_rule


def read_capture_set(session: Session, expected_scan_id: int) -> CaptureSet | None:
    """The captures of an expected scan; None where there is none that the session's person may see."""
    rows = session.execute(
        select(
            Acquisition.id, Acquisition.code, Acquisition.acquired_at, Acquisition.replaces_id, Acquisition.site_id,
            Site.study_id, Technician.code.label("technician_code"), Technician.user_id, Batch.uploaded_by_id,
            Scan.id.label("scan_id"), Scan.kind, Scan.slab, Scan.state, Scan.human_ordinal, Scan.assessment_id,
            Assessment.grade_ordinal, Assessment.is_abstained,
        )
        .join(Scan, Scan.acquisition_id == Acquisition.id)
        .join(Site, Site.id == Acquisition.site_id)
        .join(Batch, Batch.id == Scan.batch_id)
        .outerjoin(Technician, Technician.id == Acquisition.technician_id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(Acquisition.expected_scan_id == expected_scan_id, Acquisition.is_phantom.is_(False))
        .order_by(Acquisition.acquired_at, Acquisition.id, Scan.id)
    ).all()  # fmt: skip
    if not rows:
        return None
    hidden = hidden_scans(session, {row.scan_id for row in rows})
    scans = _scans(session, rows, hidden)
    gradable = {
        capture.acquisition_id: capture.standing.is_gradable
        for slot in read_slots(session, [expected_scan_id])
        for capture in slot.captures
    }
    firsts = {row.id: row for row in reversed(rows)}
    captures = [
        SetCapture(
            row.id, row.code, row.acquired_at, row.technician_code, row.replaces_id,
            gradable.get(row.id, False) and not any(scan.is_hidden for scan in scans[row.id]), tuple(scans[row.id]),
        )
        for row in reversed(firsts.values())
    ]  # fmt: skip
    return CaptureSet(
        expected_scan_id, rows[0].site_id, rows[0].study_id, tuple(captures), _read_choice(session, expected_scan_id)
    )


def slot_of(session: Session, acquisition_id: int) -> int | None:
    """The expected scan of a capture; None where there is none that the session's person may see."""
    return session.scalar(select(Acquisition.expected_scan_id).where(Acquisition.id == acquisition_id))


def add_choice(
    session: Session, *, site_id: int, expected_scan_id: int, acquisition_id: int | None, chosen_by_id: int, reason: str
) -> None:
    """Append a person's choice; None takes an earlier one back."""
    session.execute(
        insert(BestCapture).values(
            site_id=site_id, expected_scan_id=expected_scan_id, acquisition_id=acquisition_id,
            chosen_by_id=chosen_by_id, reason=reason, created_at=now(),
        )
    )  # fmt: skip


def _read_choice(session: Session, expected_scan_id: int) -> Choice | None:
    row = session.execute(
        select(BestCapture.acquisition_id, User.display_name, BestCapture.reason, BestCapture.created_at)
        .outerjoin(User, User.id == BestCapture.chosen_by_id)
        .where(BestCapture.expected_scan_id == expected_scan_id)
        .order_by(BestCapture.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Choice(row[0], row[1] or "somebody who has left", row[2], row[3])


def _scans(session: Session, rows: Sequence[Any], hidden: Collection[int]) -> dict[int, list[SetScan]]:
    assessments = [row.assessment_id for row in rows if row.assessment_id is not None and row.scan_id not in hidden]
    reasons = read_reasons(session, assessments)
    marks: dict[int, list[tuple[ArtifactType, Severity]]] = {}
    for assessment_id, type_, severity in session.execute(
        select(AssessmentArtifact.assessment_id, AssessmentArtifact.type, AssessmentArtifact.severity)
        .where(AssessmentArtifact.assessment_id.in_(assessments))
        .order_by(AssessmentArtifact.type)
    ):
        marks.setdefault(assessment_id, []).append((ArtifactType(type_), Severity(severity)))
    found: dict[int, list[SetScan]] = {}
    for row in rows:
        is_hidden = row.scan_id in hidden
        ordinal = decided_ordinal(
            human=row.human_ordinal, model=row.grade_ordinal, is_abstained=row.is_abstained, inherited=None,
            is_inherit=False,
        )  # fmt: skip
        own = frozenset(user for user in (row.uploaded_by_id, row.user_id) if user is not None)
        found.setdefault(row.id, []).append(
            SetScan(
                scan_id=row.scan_id,
                kind=ScanKind(row.kind),
                slab=Slab(row.slab),
                state=ScanState(row.state),
                ordinal=None if is_hidden else ordinal,
                is_by_person=row.human_ordinal is not None,
                severities=tuple(marks.get(row.assessment_id, ())),
                reasons=reasons.get(row.assessment_id, ()),
                own_user_ids=own,
                is_hidden=is_hidden,
            )
        )
    return found
