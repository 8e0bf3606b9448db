"""Captures as intake needs them: what a site has already received, and the rows that a new capture adds.

Subject, visit, slot (expected scan), acquisition and scan are found or added under the site's upload lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from core.database.tables import (
    Acquisition,
    Device,
    ExpectedScan,
    ReacquisitionRequest,
    Scan,
    Subject,
    Visit,
)
from core.store.reacquisition import ENDED
from core.vocabulary import Deviation, Laterality, RequestState, ScanKind, ScanState, Slab


@dataclass(frozen=True, slots=True)
class CaptureKey:
    """What makes two files slabs of one capture: the slot and the capture's name in it."""

    subject: str
    visit: str
    laterality: Laterality
    scan_type: str
    code: str


@dataclass(frozen=True, slots=True)
class ReceivedCapture:
    """A capture that the site has sent before, with the slabs that are there."""

    id: int
    expected_scan_id: int
    acquired_at: datetime
    device: str
    slabs: frozenset[Slab]


@dataclass(frozen=True, slots=True)
class ReceivedImage:
    """A scan whose image was sent before."""

    scan_id: int
    subject: str
    visit: str
    laterality: Laterality
    slab: Slab


@dataclass(frozen=True, slots=True)
class AwaitedReplacement:
    """A reacquisition request, and the capture that it asks to take again.

    ``acquired_at`` is when the latest capture for it was taken: the faulty one, or a replacement that was no better.
    """

    request_id: int
    state: RequestState
    replacement_id: int | None
    acquisition_id: int
    acquired_at: datetime
    subject: str
    visit: str
    laterality: Laterality
    scan_type: str
    kind: ScanKind
    field_width_mm: float | None
    field_height_mm: float | None
    capture_code: str
    """Of the capture to be taken again."""


@dataclass(frozen=True, slots=True)
class NewCapture:
    """An acquisition about to be added."""

    code: str
    device_id: int
    technician_id: int | None
    kind: ScanKind
    scan_type: str
    acquired_at: datetime
    software_version: str
    field_width_mm: float | None
    field_height_mm: float | None
    scale_source: str | None
    device_quality_name: str | None
    device_quality_value: float | None
    axial_length_mm: float | None
    age_years: float | None
    diagnosis: str | None
    replaces_id: int | None
    deviations: tuple[Deviation, ...] = ()


def read_received_images(session: Session, site_id: int, sha256s: Iterable[str]) -> dict[str, ReceivedImage]:
    """Which of these images the *site* has sent before. Another site's same image is not to be seen here."""
    rows = session.execute(
        select(Scan.image_sha256, Scan.id, Subject.code, Visit.code, Acquisition.laterality, Scan.slab)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .where(Scan.site_id == site_id, Scan.image_sha256.in_(tuple(set(sha256s))))
    )
    return {
        sha256: ReceivedImage(scan_id, subject, visit, Laterality(eye), Slab(slab))
        for sha256, scan_id, subject, visit, eye, slab in rows
    }


def read_received_captures(
    session: Session, site_id: int, keys: Iterable[CaptureKey]
) -> dict[CaptureKey, ReceivedCapture]:
    """Which of these captures the site has sent before."""
    wanted = {key for key in keys}  # noqa: C416 - a set of an iterable that may be a generator
    if not wanted:
        return {}
    rows = session.execute(
        select(
            Subject.code.label("subject"), Visit.code.label("visit"), Acquisition.laterality, Acquisition.scan_type,
            Acquisition.code, Acquisition.id, Acquisition.expected_scan_id, Acquisition.acquired_at,
            Device.code.label("device"), Scan.slab,
        )
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .join(Device, Device.id == Acquisition.device_id)
        .outerjoin(Scan, Scan.acquisition_id == Acquisition.id)
        .where(
            Acquisition.site_id == site_id,
            tuple_(Subject.code, Visit.code).in_({(key.subject, key.visit) for key in wanted}),
        )
    )  # fmt: skip
    found: dict[CaptureKey, list[Any]] = {}
    for row in rows:
        key = CaptureKey(row.subject, row.visit, Laterality(row.laterality), row.scan_type, row.code)
        if key in wanted:
            found.setdefault(key, []).append(row)
    return {key: _received(group) for key, group in found.items()}


def _received(rows: Sequence[Any]) -> ReceivedCapture:
    first = rows[0]
    slabs = frozenset(Slab(row.slab) for row in rows if row.slab is not None)
    return ReceivedCapture(first.id, first.expected_scan_id, first.acquired_at, first.device, slabs)


def read_awaited(session: Session, site_id: int, *, request_ids: Iterable[int] = ()) -> tuple[AwaitedReplacement, ...]:
    """The site's requests that have not ended, and beside them those named, whatever their state."""
    is_open = ReacquisitionRequest.state.not_in(ENDED)
    answer = aliased(Acquisition)
    rows = session.execute(
        select(
            ReacquisitionRequest.id, ReacquisitionRequest.state, ReacquisitionRequest.replacement_id,
            Acquisition.id, func.greatest(Acquisition.acquired_at, answer.acquired_at), Subject.code, Visit.code,
            Acquisition.laterality, Acquisition.scan_type, Acquisition.kind, Acquisition.field_width_mm,
            Acquisition.field_height_mm, Acquisition.code,
        )
        .join(Acquisition, Acquisition.id == ReacquisitionRequest.acquisition_id)
        .outerjoin(answer, answer.id == ReacquisitionRequest.replacement_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .join(Visit, Visit.id == Acquisition.visit_id)
        .where(
            ReacquisitionRequest.site_id == site_id,
            is_open | ReacquisitionRequest.id.in_(tuple(request_ids)),
        )
        .order_by(ReacquisitionRequest.id)
    )  # fmt: skip
    return tuple(
        AwaitedReplacement(
            request_id, RequestState(state), replacement_id, acquisition_id, acquired_at, subject, visit,
            Laterality(eye), scan_type, ScanKind(kind), width_mm, height_mm, code,
        )
        for (
            request_id, state, replacement_id, acquisition_id, acquired_at, subject, visit, eye, scan_type, kind,
            width_mm, height_mm, code,
        ) in rows
    )  # fmt: skip


def find_request_site(session: Session, request_id: int) -> int | None:
    """The site that a reacquisition request was sent to; None where there is none that the person may see."""
    return session.execute(
        select(ReacquisitionRequest.site_id).where(ReacquisitionRequest.id == request_id)
    ).scalar_one_or_none()


def find_or_add_subject(session: Session, site_id: int, code: str) -> int:
    """The subject's id."""
    found = session.execute(
        select(Subject.id).where(Subject.site_id == site_id, Subject.code == code)
    ).scalar_one_or_none()
    if found is not None:
        return found
    subject = Subject(site_id=site_id, code=code)
    session.add(subject)
    session.flush()
    return subject.id


def find_visit(session: Session, subject_id: int, code: str) -> int | None:
    """The visit's id; None where nothing of it was received or expected so far."""
    return session.execute(
        select(Visit.id).where(Visit.subject_id == subject_id, Visit.code == code)
    ).scalar_one_or_none()


def add_visit(
    session: Session,
    site_id: int,
    subject_id: int,
    code: str,
    *,
    window_ends_on: date | None,
    expected: Iterable[tuple[Laterality, str]],
) -> int:
    """Add a visit with the slots (eye, scan type) that the protocol expects of it, and return its id."""
    visit = Visit(site_id=site_id, subject_id=subject_id, code=code, window_ends_on=window_ends_on)
    session.add(visit)
    session.flush()
    session.add_all(
        ExpectedScan(site_id=site_id, visit_id=visit.id, laterality=eye.value, scan_type=type_, first_received_at=None)
        for eye, type_ in expected
    )
    session.flush()
    return visit.id


def find_or_add_slot(
    session: Session, site_id: int, visit_id: int, laterality: Laterality, scan_type: str, *, received_at: datetime
) -> int:
    """The expected scan's id, marked as received from now on where it was not before."""
    found = session.execute(
        select(ExpectedScan.id, ExpectedScan.first_received_at).where(
            ExpectedScan.visit_id == visit_id,
            ExpectedScan.laterality == laterality.value,
            ExpectedScan.scan_type == scan_type,
        )
    ).one_or_none()
    if found is None:
        slot = ExpectedScan(
            site_id=site_id, visit_id=visit_id, laterality=laterality.value, scan_type=scan_type,
            first_received_at=received_at,
        )  # fmt: skip
        session.add(slot)
        session.flush()
        return slot.id
    if found.first_received_at is None:
        session.execute(update(ExpectedScan).where(ExpectedScan.id == found.id).values(first_received_at=received_at))
    return int(found.id)


def add_acquisition(
    session: Session,
    *,
    site_id: int,
    subject_id: int,
    visit_id: int,
    expected_scan_id: int,
    laterality: Laterality,
    capture: NewCapture,
) -> int:
    """Add one capture and return its id."""
    row = Acquisition(
        site_id=site_id,
        code=capture.code,
        subject_id=subject_id,
        visit_id=visit_id,
        expected_scan_id=expected_scan_id,
        device_id=capture.device_id,
        technician_id=capture.technician_id,
        laterality=laterality.value,
        kind=capture.kind.value,
        scan_type=capture.scan_type,
        acquired_at=capture.acquired_at,
        software_version=capture.software_version,
        field_width_mm=capture.field_width_mm,
        field_height_mm=capture.field_height_mm,
        scale_source=capture.scale_source,
        device_quality_name=capture.device_quality_name,
        device_quality_value=capture.device_quality_value,
        axial_length_mm=capture.axial_length_mm,
        age_years=capture.age_years,
        diagnosis=capture.diagnosis,
        replaces_id=capture.replaces_id,
        deviations=[each.value for each in capture.deviations],
    )
    session.add(row)
    session.flush()
    return row.id


def add_scan(
    session: Session,
    *,
    site_id: int,
    acquisition_id: int,
    batch_id: int,
    kind: ScanKind,
    slab: Slab,
    image_sha256: str,
    volume_sha256: str | None,
    width_px: int,
    height_px: int,
) -> int:
    """Add one scan of a capture, in the queue, and return its id."""
    scan = Scan(
        site_id=site_id,
        acquisition_id=acquisition_id,
        batch_id=batch_id,
        kind=kind.value,
        slab=slab.value,
        image_sha256=image_sha256,
        volume_sha256=volume_sha256,
        width_px=width_px,
        height_px=height_px,
        state=ScanState.QUEUED.value,
    )
    session.add(scan)
    session.flush()
    return scan.id
