"""Adds the rows of checked files: subject, visit, slot, acquisition, scan; links replacements; brings counts in line.

Runs inside the transaction and under the site's upload lock of its caller.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.intake.dicom_check import is_field_of_file
from core.intake.dicom_facts import DicomFacts
from core.intake.manifest import Entry
from core.policy.deviation import CaptureTerms, deviations
from core.policy.protocol import Protocol
from core.store.access import Actor
from core.store.batch import BatchHead, SiteRoster, StoredFile
from core.store.capture import (
    CaptureKey,
    NewCapture,
    add_acquisition,
    add_scan,
    add_visit,
    find_or_add_slot,
    find_or_add_subject,
    find_visit,
)
from core.store.capture_terms import read_devices_on_record, read_windows
from core.store.protocol import ProtocolTimeline, read_protocols
from core.store.rate import lock_slots, recount_slots
from core.usecases.check_batch import FileCheck, read_received
from core.usecases.match_captures import Candidate, Received, find_also_awaited, find_awaited
from core.usecases.reacquire import receive_replacement
from core.vocabulary import Deviation, ScaleSource


@dataclass(frozen=True, slots=True)
class _Group:
    """The files of one capture, the slot it belongs to, and the row they hang on where it is there already."""

    candidates: tuple[Candidate, ...]
    subject_id: int
    visit_id: int
    slot_id: int
    acquisition_id: int | None

    @property
    def key(self) -> CaptureKey:
        return self.candidates[0].key


@dataclass(frozen=True, slots=True)
class _Answer:
    """A new capture with a request that it answers; ``is_found``: the site did not name it."""

    request_id: int
    acquisition_id: int
    is_found: bool


def add_captures(
    session: Session,
    head: BatchHead,
    accepted: Sequence[FileCheck],
    roster: SiteRoster,
    *,
    actor: Actor,
    received_at: datetime,
) -> dict[int, int]:
    """Add what these files bring; returns the new scan's id per file id. Every check must have been accepted."""
    if not accepted:
        return {}
    candidates = [_candidate(check) for check in accepted]
    received = read_received(session, head.site.site_id, candidates)
    timeline = read_protocols(session, [head.site.study_id])
    groups = _groups(session, head, candidates, received, timeline, received_at=received_at)
    # Slots before anything below them, in one order: whoever counts or decides takes the same locks.
    lock_slots(session, [group.slot_id for group in groups])
    facts = {check.file.id: check.facts for check in accepted}
    files = {check.file.id: check.file for check in accepted}
    scan_ids: dict[int, int] = {}
    answers: list[_Answer] = []
    differing = _read_deviations(session, head, groups, roster, timeline)
    for group in groups:
        acquisition_id = group.acquisition_id
        if acquisition_id is None:
            first = group.candidates[0]
            request = find_awaited(first, received)
            replaces_id = request.acquisition_id if request is not None else None
            source = _scale_source(group.candidates[0], facts)
            acquisition_id = _add_acquisition(
                session, head, group, roster, replaces_id=replaces_id, scale_source=source,
                differs_in=differing[group.key],
            )  # fmt: skip
            if request is not None:
                answers.append(_Answer(request.request_id, acquisition_id, is_found=first.entry.replaces is None))
                also = find_also_awaited(first, received, request)
                answers += [_Answer(other.request_id, acquisition_id, is_found=True) for other in also]
        scan_ids |= _add_scans(session, head, group, acquisition_id, files)
    recount_slots(session, [group.slot_id for group in groups])
    for answer in answers:
        receive_replacement(
            session, actor=actor, request_id=answer.request_id, acquisition_id=answer.acquisition_id,
            is_found=answer.is_found,
        )  # fmt: skip
    return scan_ids


def _candidate(check: FileCheck) -> Candidate:
    assert check.entry is not None, "an accepted file has a sound row"
    assert check.file.image_sha256 is not None, "an accepted file was read"
    return Candidate(check.file.id, check.file.name, check.file.image_sha256, check.entry)


def _groups(
    session: Session,
    head: BatchHead,
    candidates: Sequence[Candidate],
    received: Received,
    timeline: ProtocolTimeline,
    *,
    received_at: datetime,
) -> list[_Group]:
    by_key: dict[CaptureKey, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_key[candidate.key].append(candidate)
    site_id = head.site.site_id
    groups = []
    for key, members in by_key.items():
        entry = members[0].entry
        subject_id = find_or_add_subject(session, site_id, key.subject)
        visit_id = _find_or_add_visit(session, head, timeline, subject_id, entry)
        slot_id = find_or_add_slot(session, site_id, visit_id, key.laterality, key.scan_type, received_at=received_at)
        before = received.captures.get(key)
        groups.append(_Group(tuple(members), subject_id, visit_id, slot_id, before.id if before else None))
    return groups


def _find_or_add_visit(
    session: Session, head: BatchHead, timeline: ProtocolTimeline, subject_id: int, entry: Entry
) -> int:
    """The visit; a new one gets the window and the expected slots of the protocol that was in force."""
    found = find_visit(session, subject_id, entry.visit)
    if found is not None:
        return found
    in_force = timeline.at(head.site.study_id, entry.acquired_at)
    protocol = in_force.protocol if in_force is not None else None
    days = protocol.window_days_of(entry.visit) if protocol is not None else None
    return add_visit(
        session,
        head.site.site_id,
        subject_id,
        entry.visit,
        window_ends_on=entry.acquired_at.date() + timedelta(days=days) if days is not None else None,
        expected=protocol.expected_at(entry.visit) if protocol is not None else (),
    )


def _scale_source(candidate: Candidate, facts: Mapping[int, DicomFacts | None]) -> ScaleSource | None:
    """The file's own scale where the row's field is the one that the file states, else the manifest's."""
    entry = candidate.entry
    if entry.field_width_mm is None or entry.field_height_mm is None:
        return None
    return ScaleSource.FILE if is_field_of_file(entry, facts.get(candidate.file_id)) else ScaleSource.MANIFEST


def _software(entry: Entry, roster: SiteRoster) -> str:
    """The version that the file or its row states, else the one on record."""
    return entry.software_version or roster.device_software.get(entry.device, "")


def _read_deviations(
    session: Session, head: BatchHead, groups: Sequence[_Group], roster: SiteRoster, timeline: ProtocolTimeline
) -> dict[CaptureKey, tuple[Deviation, ...]]:
    """In what each capture is not as the protocol said when it was taken."""
    devices = read_devices_on_record(session, (roster.device_ids[group.candidates[0].entry.device] for group in groups))
    windows = read_windows(session, (group.visit_id for group in groups))
    found = {}
    for group in groups:
        entry = group.candidates[0].entry
        device = devices[roster.device_ids[entry.device]]
        terms = CaptureTerms(
            scan_type=group.key.scan_type, laterality=group.key.laterality, device=device.name,
            software_version=_software(entry, roster), registered_software=device.software_at(entry.acquired_at),
            has_scale=entry.field_width_mm is not None and entry.field_height_mm is not None,
            taken_on=entry.acquired_at.date(), window_ends_on=windows[group.visit_id],
        )  # fmt: skip
        in_force = timeline.at(head.site.study_id, entry.acquired_at)
        found[group.key] = deviations(in_force.protocol if in_force else Protocol.default(), terms)
    return found


def _add_acquisition(
    session: Session,
    head: BatchHead,
    group: _Group,
    roster: SiteRoster,
    *,
    replaces_id: int | None,
    scale_source: ScaleSource | None,
    differs_in: tuple[Deviation, ...],
) -> int:
    entry = group.candidates[0].entry
    capture = NewCapture(
        code=entry.acquisition,
        device_id=roster.device_ids[entry.device],
        technician_id=roster.technician_ids.get(entry.technician),
        deviations=differs_in,
        kind=entry.kind,
        scan_type=group.key.scan_type,
        acquired_at=entry.acquired_at,
        software_version=_software(entry, roster),
        field_width_mm=entry.field_width_mm,
        field_height_mm=entry.field_height_mm,
        scale_source=scale_source.value if scale_source else None,
        device_quality_name=entry.device_quality_name,
        device_quality_value=entry.device_quality_value,
        axial_length_mm=entry.axial_length_mm,
        age_years=entry.age_years,
        diagnosis=entry.diagnosis,
        replaces_id=replaces_id,
    )
    return add_acquisition(
        session,
        site_id=head.site.site_id,
        subject_id=group.subject_id,
        visit_id=group.visit_id,
        expected_scan_id=group.slot_id,
        laterality=group.key.laterality,
        capture=capture,
    )


def _add_scans(
    session: Session,
    head: BatchHead,
    group: _Group,
    acquisition_id: int,
    files: Mapping[int, StoredFile],
) -> dict[int, int]:
    scan_ids = {}
    for candidate in group.candidates:
        file = files[candidate.file_id]
        assert file.width_px is not None, "a file that was read has a size"
        assert file.height_px is not None, "a file that was read has a size"
        scan_ids[candidate.file_id] = add_scan(
            session,
            site_id=head.site.site_id,
            acquisition_id=acquisition_id,
            batch_id=head.id,
            kind=candidate.entry.kind,
            slab=candidate.slab,
            image_sha256=candidate.image_sha256,
            volume_sha256=file.volume_sha256,
            width_px=file.width_px,
            height_px=file.height_px,
        )
    return scan_ids
