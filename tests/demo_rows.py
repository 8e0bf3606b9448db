"""The whole demo study as rows, scored as its truth says: what the manager's pages are looked at with, without a model.

The fixture ``demo`` of conftest.py has them for a whole run. No pixels: the pages that show images use clinics.py.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

import numpy as np
from builders import make_member, make_user
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database
from core.phantom.demo_roster import GRADERS
from core.phantom.demo_study import demo_study
from core.phantom.demo_values import DemoAcquisition, DemoRequest, DemoScan, DemoStudy
from core.phantom.spec import HEALTHY_FAZ_MEAN_MM2, HEALTHY_FAZ_SD_MM2
from core.phantom.strength import FARTHEST_OFFSET, centration_severity, severity_of_share, share_of_field
from core.policy.protocol import Protocol
from core.policy.reasons import ARTIFACT_REASON, REASON_TEXTS
from core.policy.scan_types import scan_type
from core.settings import Settings
from core.store.rate_audit import rebuild_counts
from core.vocabulary import (
    OCTA_ARTIFACTS,
    CoipsGrade,
    ReasonCode,
    RequestState,
    ReviewDecision,
    Role,
    ScaleSource,
    ScanKind,
    ScanState,
    Severity,
    Slab,
    Verdict,
)

ENDS_ON = date(2026, 11, 18)
TODAY = datetime.combine(ENDS_ON + timedelta(days=1), time(9, 0), UTC)
"""The morning after the study's last day."""
PROBABILITIES = {0: (0.9, 0.07, 0.03), 1: (0.06, 0.8, 0.14), 2: (0.02, 0.1, 0.88)}
LABELS = ("ungradable", "gradable", "outstanding")
Row = TypeVar("Row", bound=tables.Base)


@dataclass(frozen=True)
class DemoRows:
    """The described study, ids by code, and a token per person."""

    study: DemoStudy
    study_id: int
    site_ids: dict[str, int]
    device_ids: dict[str, int]
    technician_ids: dict[str, int]
    manager: str
    technician: str
    """A technician of the bad site."""


@dataclass(frozen=True)
class Demo:
    """The study in a database of its own: ``database`` is open with the dashboard's rights."""

    settings: Settings
    database: Database
    rows: DemoRows


def write_demo_rows(session: Session, ends_on: date = ENDS_ON) -> DemoRows:
    """Write the study with every scan scored as it was foreseen, and count it."""
    described = demo_study(ends_on)
    study = tables.Study(code=described.code, name=described.name, is_demo=True)
    _add(session, [study])
    protocol = tables.ProtocolVersion(
        study_id=study.id, number=1, effective_at=datetime.combine(described.starts_on, time(), UTC),
        document=Protocol.default().model_dump(mode="json"),
    )  # fmt: skip
    model = tables.ModelVersion(
        name="phantom-reader", version="0.1", weights_sha256="c0ffee" + "0" * 58, preprocessing="octa-enface/1", card={}
    )
    _add(session, [protocol, model])
    writer = _Writer(session, described, study.id, protocol.id, model.id)
    writer.write()
    rebuild_counts(session)
    bad_site = session.get_one(tables.Site, writer.sites[described.planted.bad_site])
    return DemoRows(
        study=described,
        study_id=study.id,
        site_ids=writer.sites,
        device_ids=writer.devices,
        technician_ids=writer.technicians,
        manager=make_member(session, Role.MANAGER, study=study)[1],
        technician=make_member(session, Role.SITE_TECHNICIAN, site=bad_site)[1],
    )


def _add(session: Session, rows: Iterable[Row]) -> list[Row]:
    added = list(rows)
    session.add_all(added)
    session.flush()
    return added


class _Writer:
    """Writes one layer after the other, each in one flush."""

    def __init__(self, session: Session, study: DemoStudy, study_id: int, protocol_id: int, model_id: int) -> None:
        self.session, self.study, self.study_id = session, study, study_id
        self.protocol_id, self.model_id = protocol_id, model_id
        self.sites: dict[str, int] = {}
        self.devices: dict[str, int] = {}
        self.technicians: dict[str, int] = {}
        self.acquisitions: dict[str, tables.Acquisition] = {}
        self.scans: dict[str, tables.Scan] = {}

    def write(self) -> None:
        self._places()
        self._captures()
        self._scans()
        self._assessments()
        self._requests()
        self._gradings()

    def _places(self) -> None:
        sites = [
            tables.Site(study_id=self.study_id, code=site.code, name=site.name, country=site.country)
            for site in self.study.sites
        ]
        self.sites = {row.code: row.id for row in _add(self.session, sites)}
        devices = [
            tables.Device(
                site_id=self.sites[each.site], code=each.code, manufacturer=each.manufacturer, model=each.model,
                serial=each.serial, software_version=each.software_version,
            )
            for each in self.study.devices
        ]  # fmt: skip
        self.devices = {row.code: row.id for row in _add(self.session, devices)}
        people = [
            tables.Technician(site_id=self.sites[each.site], code=each.code, name=each.name)
            for each in self.study.technicians
        ]
        self.technicians = {row.code: row.id for row in _add(self.session, people)}
        _add(
            self.session,
            [
                tables.Annotation(
                    study_id=self.study_id, site_id=self.sites.get(event.site or ""),
                    device_id=self.devices.get(event.device or ""), happened_at=event.happened_at, kind=event.kind,
                    text=event.text,
                )
                for event in self.study.events
            ],
        )  # fmt: skip

    def _captures(self) -> None:
        taken = [each for each in self.study.acquisitions]  # noqa: C416 - a list of its own
        subjects = {each.visit.subject.code: each.visit.subject for each in taken}
        rows = [tables.Subject(site_id=self.sites[subject.site], code=code) for code, subject in subjects.items()]
        subject_ids = {row.code: row.id for row in _add(self.session, rows)}
        visits = {(each.visit.subject.code, each.visit.code): each.visit for each in taken}
        visit_rows = _add(
            self.session,
            [
                tables.Visit(
                    site_id=self.sites[visit.subject.site], subject_id=subject_ids[subject], code=code,
                    window_ends_on=visit.window_ends_on,
                )
                for (subject, code), visit in visits.items()
            ],
        )  # fmt: skip
        visit_ids = {key: row.id for key, row in zip(visits, visit_rows, strict=True)}
        firsts = {(a.visit.subject.code, a.visit.code, a.field_mm): a for a in reversed(taken)}
        slot_rows = _add(
            self.session,
            [
                tables.ExpectedScan(
                    site_id=self.sites[a.site], visit_id=visit_ids[a.visit.subject.code, a.visit.code],
                    laterality=a.visit.subject.laterality.value, scan_type=_type(a), first_received_at=a.acquired_at,
                )
                for a in firsts.values()
            ],
        )  # fmt: skip
        slot_ids = {key: row.id for key, row in zip(firsts, slot_rows, strict=True)}
        for is_replacement in (False, True):
            group = [each for each in taken if (each.replaces is not None) is is_replacement]
            added = _add(self.session, [self._acquisition(each, subject_ids, visit_ids, slot_ids) for each in group])
            self.acquisitions |= {each.key: row for each, row in zip(group, added, strict=True)}

    def _acquisition(
        self,
        each: DemoAcquisition,
        subject_ids: dict[str, int],
        visit_ids: dict[tuple[str, str], int],
        slot_ids: dict[tuple[str, str, float], int],
    ) -> tables.Acquisition:
        subject = each.visit.subject
        replaced = self.acquisitions[each.replaces].id if each.replaces else None
        return tables.Acquisition(
            site_id=self.sites[each.site], code=each.code, subject_id=subject_ids[subject.code],
            visit_id=visit_ids[subject.code, each.visit.code],
            expected_scan_id=slot_ids[subject.code, each.visit.code, each.field_mm],
            device_id=self.devices[each.device], technician_id=self.technicians[each.technician],
            laterality=subject.laterality.value, kind=ScanKind.OCTA_ENFACE.value, scan_type=_type(each),
            acquired_at=each.acquired_at, software_version=each.software_version, field_width_mm=each.field_mm,
            field_height_mm=each.field_mm, scale_source=ScaleSource.MANIFEST.value,
            device_quality_name=each.quality_name, device_quality_value=float(each.quality_value),
            axial_length_mm=subject.axial_length_mm,
            age_years=float(subject.age_years), diagnosis=subject.diagnosis, replaces_id=replaced,
        )  # fmt: skip

    def _scans(self) -> None:
        batches = {
            site: tables.Batch(site_id=id_, receipt=f"R-{site}", submitted_at=TODAY) for site, id_ in self.sites.items()
        }
        _add(self.session, batches.values())
        scans = self.study.scans
        hashes = {scan.file_name: hashlib.sha256(scan.file_name.encode()).hexdigest() for scan in scans}
        _add(self.session, [tables.Blob(sha256=h, size_bytes=1, media_type="image/png") for h in hashes.values()])
        rows = [
            tables.Scan(
                site_id=self.sites[scan.acquisition.site], acquisition_id=self.acquisitions[scan.acquisition.key].id,
                batch_id=batches[scan.acquisition.site].id, kind=ScanKind.OCTA_ENFACE.value, slab=scan.slab.value,
                image_sha256=hashes[scan.file_name], width_px=304, height_px=304,
                state=(ScanState.UNDER_REVIEW if scan.acquisition.is_poor else ScanState.ACCEPTED).value,
                final_verdict=(Verdict.REACQUIRE if scan.acquisition.is_poor else Verdict.ACCEPT).value,
            )
            for scan in scans
        ]  # fmt: skip
        self.scans = {scan.file_name: row for scan, row in zip(scans, _add(self.session, rows), strict=True)}

    def _assessments(self) -> None:
        scans = self.study.scans
        rows = [
            tables.Assessment(
                site_id=self.sites[scan.acquisition.site], scan_id=self.scans[scan.file_name].id,
                model_version_id=self.model_id, protocol_version_id=self.protocol_id,
                scored_at=scan.acquisition.acquired_at + timedelta(hours=1), seconds=0.05, grade_scale="coips-3",
                grade_ordinal=int(scan.acquisition.foreseen),
                probabilities=dict(zip(LABELS, PROBABILITIES[int(scan.acquisition.foreseen)], strict=True)),
                is_abstained=False, centration_severity=_centration(scan).value, not_computable={}, **_faz(scan),
                verdict=(Verdict.REACQUIRE if scan.acquisition.is_poor else Verdict.ACCEPT).value,
            )
            for scan in scans
        ]  # fmt: skip
        _add(self.session, rows)
        for scan, row in zip(scans, rows, strict=True):
            self.scans[scan.file_name].assessment_id = row.id
            self.session.add_all(_artifacts(scan, row))
            self.session.add_all(_reasons(scan, row))
        self.session.flush()

    def _requests(self) -> None:
        _add(self.session, [self._request(request) for request in self.study.requests])

    def _gradings(self) -> None:
        graders = {name: make_user(self.session, name=f"{name}-{self.study_id}") for name in GRADERS}
        reviews = [
            tables.Review(
                site_id=self.sites[each.scan.acquisition.site], scan_id=self.scans[each.scan.file_name].id,
                assessment_id=self.scans[each.scan.file_name].assessment_id, reviewer_id=graders[each.grader].id,
                decision=ReviewDecision.GRADE.value, ordinal=int(each.ordinal), is_masked=True,
                created_at=each.graded_at,
            )
            for each in self.study.gradings
        ]  # fmt: skip
        _add(self.session, reviews)

    def _request(self, request: DemoRequest) -> tables.ReacquisitionRequest:
        words = REASON_TEXTS[request.reason]
        has_ended = request.state in (RequestState.CLOSED, RequestState.NOT_POSSIBLE)
        received = (step.happened_at for step in request.steps if step.state is RequestState.RECEIVED)
        return tables.ReacquisitionRequest(
            owner_id=self.acquisitions[request.acquisition.key].technician_id, received_at=next(received, None),
            site_id=self.sites[request.acquisition.site], acquisition_id=self.acquisitions[request.acquisition.key].id,
            scan_id=self.scans[request.acquisition.scans[0].file_name].id, state=request.state.value,
            reason_code=request.reason.value, text=words.text, remedy=words.remedy, due_on=request.due_on,
            created_at=request.steps[0].happened_at,
            replacement_id=self.acquisitions[request.replacement.key].id if request.replacement else None,
            closed_at=request.steps[-1].happened_at if has_ended else None,
        )  # fmt: skip


def _type(acquisition: DemoAcquisition) -> str:
    return scan_type(ScanKind.OCTA_ENFACE, acquisition.field_mm, acquisition.field_mm)


def _centration(scan: DemoScan) -> Severity:
    return centration_severity((FARTHEST_OFFSET * scan.spec.decentration, 0.0))


def _faz(scan: DemoScan) -> dict[str, float | bool]:
    """FAZ metrics as a network would measure them: the eye's own zone, with noise that grows where the scan is poor."""
    eye = np.random.default_rng(scan.acquisition.visit.subject.eye_seed)
    area = float(np.clip(eye.normal(HEALTHY_FAZ_MEAN_MM2, HEALTHY_FAZ_SD_MM2), 0.06, 0.65))
    acircularity = float(eye.uniform(1.08, 1.3))
    noise = np.random.default_rng([scan.acquisition.seed, int(scan.slab is Slab.DEEP)])
    spread = 0.2 if scan.acquisition.is_poor else 0.03
    area *= (1.35 if scan.slab is Slab.DEEP else 1.0) * float(np.exp(noise.normal(0.0, spread)))
    acircularity = max(1.01, acircularity + float(noise.normal(0.0, spread / 4)))
    return {
        "faz_area_mm2": area, "faz_perimeter_mm": acircularity * 2.0 * float(np.sqrt(np.pi * area)),
        "faz_acircularity_index": acircularity, "faz_circularity": acircularity**-2,
        "faz_axis_ratio": 1.0 + (acircularity - 1.0) * 0.8, "is_faz_touching_border": False,
    }  # fmt: skip


def _artifacts(scan: DemoScan, assessment: tables.Assessment) -> list[tables.AssessmentArtifact]:
    shares = {kind: share_of_field(kind, scan.spec.strength(kind)) for kind in OCTA_ARTIFACTS}
    return [
        tables.AssessmentArtifact(
            assessment_id=assessment.id, site_id=assessment.site_id, type=kind.value, area_fraction=share,
            severity=severity_of_share(share).value,
        )
        for kind, share in shares.items()
    ]  # fmt: skip


def _reasons(scan: DemoScan, assessment: tables.Assessment) -> list[tables.AssessmentReason]:
    if scan.acquisition.foreseen is not CoipsGrade.UNGRADABLE:
        return []
    severe = [
        kind
        for kind in OCTA_ARTIFACTS
        if severity_of_share(share_of_field(kind, scan.spec.strength(kind))) is Severity.SEVERE
    ]
    codes = [ARTIFACT_REASON[kind] for kind in severe] or [ReasonCode.MP_CENTRATION]
    return [
        tables.AssessmentReason(
            assessment_id=assessment.id, site_id=assessment.site_id, rank=rank, code=code.value,
            operator_fixable=REASON_TEXTS[code].operator_fixable.value, text=REASON_TEXTS[code].text,
            remedy=REASON_TEXTS[code].remedy,
        )
        for rank, code in enumerate(dict.fromkeys(codes))
    ]  # fmt: skip
