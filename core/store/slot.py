"""Slots with their captures as frozen values: what counts as received, decided and gradable. Writes nothing.

A slot is subject x visit x eye x scan type (the table expected_scan); a capture is one acquisition in it. The words are
those of docs/rates.md: an absent slab is neither good nor bad, and a capture is decided when every slab that the
protocol requires is. Deciding earlier, at the first bad slab, would let failures in sooner than successes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, ExpectedScan, Scan, Site
from core.store.finding import (
    DECENTRATION,
    Finding,
    SlabFinding,
    artifact_findings,
    cause_findings,
    deviation_findings,
    index_finding,
    read_artifacts,
    read_reason_codes,
    read_requested,
    score_findings,
)
from core.store.protocol import ProtocolInForce, ProtocolTimeline, read_protocols
from core.vocabulary import Severity, Slab


@dataclass(frozen=True, slots=True)
class Standing:
    """What is true of one capture: each implies the one before it."""

    is_received: bool
    is_decided: bool
    is_gradable: bool
    findings: frozenset[Finding] = frozenset()
    """Of a scored capture its scores; of a decided one its artifacts, its deviations and, where it failed, why."""


NOTHING = Standing(is_received=False, is_decided=False, is_gradable=False)


@dataclass(frozen=True, slots=True)
class Capture:
    """One acquisition of a slot: where it belongs, how it stands, and what the counts already hold of it."""

    acquisition_id: int
    site_id: int
    device_id: int
    technician_id: int | None
    software_version: str
    scan_type: str
    week_on: date
    is_replacement: bool
    is_phantom: bool
    standing: Standing
    counted: Standing


@dataclass(frozen=True, slots=True)
class Slot:
    """An expected scan and the captures received for it, oldest first."""

    expected_scan_id: int
    visit_id: int
    captures: tuple[Capture, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found in the slabs and captures of some slots."""

    artifacts: dict[int, dict[str, Severity]]
    reasons: dict[int, tuple[str, ...]]
    requested: dict[int, str]

    def of(self, scan: Any) -> SlabFinding:
        """What the assessment that counts says of one slab."""
        artifacts = dict(self.artifacts.get(scan.assessment_id, {}))
        if scan.centration_severity is not None:
            artifacts[DECENTRATION] = Severity(scan.centration_severity)
        return SlabFinding(artifacts, self.reasons.get(scan.assessment_id, ()))


def standing(required: Iterable[Slab], ordinals: dict[Slab, int | None]) -> Standing:
    """How a received capture stands, given the decided grade of each slab (None: not decided).

    Without a requirement in the protocol, every slab that was received is required.
    """
    needed = frozenset(required) or frozenset(ordinals)
    grades = [ordinals.get(slab) for slab in needed]
    is_decided = bool(grades) and None not in grades
    return Standing(
        is_received=True,
        is_decided=is_decided,
        is_gradable=is_decided and all(grade is not None and grade >= 1 for grade in grades),
    )


def decided_ordinal(
    *, human: int | None, model: int | None, is_abstained: bool | None, inherited: int | None, is_inherit: bool
) -> int | None:
    """The grade that counts: a person's, else the model's unless it abstained; None: nobody has decided.

    Where the protocol chooses ``inherit``, a deep slab's model grade is the superficial slab's.
    """
    if human is not None:
        return human
    if is_inherit and inherited is not None:
        return inherited
    return None if is_abstained or model is None else model


def week_of(moment: datetime) -> date:
    """Monday of the UTC week in which a moment lies."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class AsIf:
    """How a scan would be judged: whether the model would abstain, and by which protocol version."""

    is_abstained: bool
    judged_by: ProtocolInForce


def read_slots(
    session: Session, expected_scan_ids: Sequence[int], as_if: Mapping[int, AsIf] = MappingProxyType({})
) -> list[Slot]:
    """The slots with these ids that have at least one capture, in order of their id.

    ``as_if`` (by scan id) gives their standing as it would be; the findings stay those of what is stored.
    """
    rows = session.execute(_capture_rows(expected_scan_ids)).all()
    timeline = read_protocols(session, {row.study_id for row in rows})
    found = _read_found(session, rows)
    by_capture: dict[tuple[int, int, int], list[Any]] = defaultdict(list)
    for row in rows:
        by_capture[row.expected_scan_id, row.visit_id, row.id].append(row)
    by_slot: dict[tuple[int, int], list[Capture]] = defaultdict(list)
    for (slot_id, visit_id, _), scans in by_capture.items():
        by_slot[slot_id, visit_id].append(_capture(scans, timeline, found, as_if))
    return [Slot(slot_id, visit_id, tuple(captures)) for (slot_id, visit_id), captures in by_slot.items()]


def read_visits(session: Session, visit_ids: Sequence[int]) -> list[tuple[Slot, ...]]:
    """The slots of each of these visits that have a capture, visit by visit."""
    slot_ids = session.scalars(select(ExpectedScan.id).where(ExpectedScan.visit_id.in_(visit_ids))).all()
    by_visit: dict[int, list[Slot]] = defaultdict(list)
    for slot in read_slots(session, slot_ids):
        by_visit[slot.visit_id].append(slot)
    return [tuple(slots) for slots in by_visit.values()]


def _read_found(session: Session, rows: Sequence[Any]) -> _Found:
    assessments = {row.assessment_id for row in rows if row.assessment_id is not None}
    scans = {row.scan_id for row in rows if row.scan_id is not None}
    return _Found(
        read_artifacts(session, assessments), read_reason_codes(session, assessments), read_requested(session, scans)
    )


def _capture_rows(expected_scan_ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Acquisition.id,
            Acquisition.expected_scan_id,
            Acquisition.visit_id,
            Acquisition.site_id,
            Acquisition.device_id,
            Acquisition.technician_id,
            Acquisition.software_version,
            Acquisition.scan_type,
            Acquisition.acquired_at,
            Acquisition.replaces_id,
            Acquisition.is_phantom,
            Acquisition.is_counted_received,
            Acquisition.is_counted_decided,
            Acquisition.is_counted_gradable,
            Acquisition.counted_findings,
            Acquisition.deviations,
            Acquisition.device_quality_name,
            Acquisition.device_quality_value,
            Site.study_id,
            Scan.id.label("scan_id"),
            Scan.slab,
            Scan.human_ordinal,
            Assessment.id.label("assessment_id"),
            Assessment.protocol_version_id,
            Assessment.grade_ordinal,
            Assessment.is_abstained,
            Assessment.is_of_kind,
            Assessment.probabilities,
            Assessment.inherited_ordinal,
            Assessment.centration_severity,
        )
        .join(Site, Site.id == Acquisition.site_id)
        .outerjoin(Scan, Scan.acquisition_id == Acquisition.id)
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(Acquisition.expected_scan_id.in_(expected_scan_ids))
        .order_by(Acquisition.expected_scan_id, Acquisition.id, Scan.id)
    )


def _judged_by(scan: Any, timeline: ProtocolTimeline, as_if: Mapping[int, AsIf]) -> ProtocolInForce | None:
    """The version that the counting assessment of a scan was reached by; None: not scored."""
    if scan.scan_id in as_if:
        return as_if[scan.scan_id].judged_by
    return None if scan.protocol_version_id is None else timeline.version(scan.protocol_version_id)


def _required(row: Any, judged_by: Sequence[ProtocolInForce | None], timeline: ProtocolTimeline) -> frozenset[Slab]:
    """The slabs that the capture needs by the newest version that judged it, else by the one in force when taken."""
    versions = [version for version in judged_by if version is not None]
    asked = max(versions, key=lambda each: each.number, default=timeline.at(row.study_id, row.acquired_at))
    return frozenset(asked.protocol.required_slabs_of(row.scan_type) if asked else ())


def _ordinal(scan: Any, judged_by: ProtocolInForce | None, as_if: Mapping[int, AsIf]) -> int | None:
    is_abstained = as_if[scan.scan_id].is_abstained if scan.scan_id in as_if else scan.is_abstained
    return decided_ordinal(
        human=scan.human_ordinal,
        model=scan.grade_ordinal,
        is_abstained=is_abstained,
        inherited=scan.inherited_ordinal,
        is_inherit=judged_by is not None and judged_by.protocol.inherit,
    )


def _capture(scans: Sequence[Any], timeline: ProtocolTimeline, found: _Found, as_if: Mapping[int, AsIf]) -> Capture:
    row = scans[0]
    judged_by = [_judged_by(scan, timeline, as_if) for scan in scans]
    ordinals = {
        Slab(scan.slab): _ordinal(scan, version, as_if)
        for scan, version in zip(scans, judged_by, strict=True)
        if scan.slab is not None
    }
    required = _required(row, judged_by, timeline) or frozenset(ordinals)
    stands = standing(required, ordinals)
    findings = _score_findings(scans)
    if stands.is_decided:
        findings |= _findings(scans, ordinals, required, stands, found)
    stands = replace(stands, findings=findings)
    return Capture(
        acquisition_id=row.id,
        site_id=row.site_id,
        device_id=row.device_id,
        technician_id=row.technician_id,
        software_version=row.software_version,
        scan_type=row.scan_type,
        week_on=week_of(row.acquired_at),
        is_replacement=row.replaces_id is not None,
        is_phantom=row.is_phantom,
        standing=stands,
        counted=Standing(
            row.is_counted_received,
            row.is_counted_decided,
            row.is_counted_gradable,
            frozenset(Finding.parse(text) for text in row.counted_findings),
        ),
    )


def _score_findings(scans: Sequence[Any]) -> frozenset[Finding]:
    """Scores of the slabs that have one, and with them the device's own index, decided or not."""
    scored = [scan for scan in scans if scan.assessment_id is not None]
    found = set[Finding]()
    for scan in scored:
        found |= score_findings(
            scan.slab, scan.probabilities, is_abstained=scan.is_abstained, is_of_kind=scan.is_of_kind
        )
    if scored and scored[0].device_quality_name and scored[0].device_quality_value is not None:
        found.add(index_finding(scored[0].device_quality_name, scored[0].device_quality_value))
    return frozenset(found)


def _findings(
    scans: Sequence[Any], ordinals: dict[Slab, int | None], required: frozenset[Slab], stands: Standing, found: _Found
) -> frozenset[Finding]:
    """Artifacts of the required slabs and deviations; where the capture failed, the causes of those slabs that did."""
    slabs = {Slab(scan.slab): found.of(scan) for scan in scans if scan.slab is not None and Slab(scan.slab) in required}
    always = artifact_findings(slabs.values()) | deviation_findings(scans[0].deviations)
    if stands.is_gradable:
        return always
    failed = [slab for name, slab in slabs.items() if ordinals[name] == 0]
    return always | cause_findings(failed, found.requested.get(scans[0].id))
