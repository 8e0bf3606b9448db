import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from builders import make_member, make_site
from dicom_phantoms import SECRETS, en_face, packed
from dicom_validator import faults
from lane import ABSTAINED, GRADABLE, UNGRADABLE, ObedientScorer, obey
from pydicom import Dataset
from sqlalchemy import select
from uploads import Clinic, make_clinic, phantom, png

from core.database import tables
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.policy.protocol import Protocol
from core.reports.dicom import codes
from core.reports.export_dicom import DicomExport, export_dicom
from core.scoring.contract import ScanFailure, ScanInput
from core.settings import Settings
from core.store.access import Actor, current_actor
from core.store.batch import read_file
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.open_batch import fill_in
from core.usecases.review_scan import request_reacquisition
from core.values import ArtifactScore, ScanScores
from core.vocabulary import ArtifactType, ReasonCode, Role, Severity

SIZE_PX = 128
MOTION = np.zeros((SIZE_PX, SIZE_PX), np.bool_)
MOTION[40:60] = True
FAZ = np.zeros((SIZE_PX, SIZE_PX), np.bool_)
FAZ[56:72, 50:74] = True


FORESEEN = (codes.SCHEME, "StudyID(0020,0010)")
"""What the validator warns of, with the reason in docs/dicom.md: our own codes, and the site's number of the study."""


class FullSizeScorer(ObedientScorer):
    """Obeys, and marks motion and the FAZ where this module says."""

    def score(self, scans) -> list[ScanScores | ScanFailure]:
        return [self.marked(scan) for scan in scans]

    @staticmethod
    def marked(scan: ScanInput) -> ScanScores | ScanFailure:
        scores = obey(scan)
        assert isinstance(scores, ScanScores)
        mask = MOTION if scores.grade.ordinal == UNGRADABLE else np.zeros_like(MOTION)
        share = float(mask.mean())
        motion = ArtifactScore(ArtifactType.MOTION, share, share, Severity.SEVERE if share else Severity.NONE, mask)
        heat = np.linspace(0, 1, SIZE_PX * SIZE_PX, dtype=np.float32).reshape(SIZE_PX, SIZE_PX)
        return replace(scores, artifacts=(motion,), findings=replace(scores.octa, faz_mask=FAZ), cam=heat)


@dataclass
class Archive:
    """A clinic that sends DICOM, and what it gets back."""

    clinic: Clinic
    owner: Database
    worker: Database
    folder: Path
    source: Dataset | None = None

    def take(self, data: bytes, **row: str) -> int:
        clinic = self.clinic
        batch_id = clinic.open()
        (staged,) = clinic.stage(batch_id, "IM000001", data)
        own = {"subject": "P-001", "visit": "V1", "acquisition": "A1", "technician": clinic.technician}
        with clinic.session() as session:
            stated = read_file(session, staged.file_id).entry
            entries = {staged.file_id: {"device": clinic.device} | stated | own | row}
            fill_in(session, actor=clinic.actor, batch_id=batch_id, entries=entries)
        (line,) = clinic.submit(batch_id).lines
        assert line.scan_id is not None, line.problems
        return line.scan_id

    def score(self, order: int) -> int:
        image = phantom()
        image[0, 0] = order
        self.source = en_face(image, mm=3 / SIZE_PX)
        scan_id = self.take(packed(self.source))
        assess_scans(Line(self.worker, self.clinic.blobs, FullSizeScorer(), self.clinic.settings))
        return scan_id

    def hire(self, role: Role) -> str:
        with session_scope(self.owner) as session:
            site = session.get_one(tables.Site, self.clinic.site_id)
            return make_member(session, role, site=site)[1]

    def reject(self, scan_id: int, reason: ReasonCode) -> None:
        with session_scope(self.clinic.database, token=self.hire(Role.QC_TECHNICIAN)) as session:
            version = session.scalars(select(tables.Scan.version).where(tables.Scan.id == scan_id)).one()
            request_reacquisition(
                session,
                actor=actor_of(session),
                scan_id=scan_id,
                seen_version=version,
                reason_code=reason,
                text="Again.",
            )

    def export(self, scan_id: int, token: str | None = None) -> DicomExport:
        with session_scope(self.clinic.database, token=token or self.clinic.token) as session:
            return export_dicom(
                session,
                actor=actor_of(session),
                blobs=self.clinic.blobs,
                settings=self.clinic.settings,
                scan_id=scan_id,
            )

    def objects(self, scan_id: int) -> dict[str, Path]:
        with zipfile.ZipFile(io.BytesIO(self.export(scan_id).data)) as archive:
            archive.extractall(self.folder)
            return {name.removesuffix(".dcm"): self.folder / name for name in archive.namelist()}


def actor_of(session) -> Actor:
    actor = current_actor(session)
    assert actor is not None
    return actor


@pytest.fixture
def archive(
    owner_database: Database,
    dashboard_database: Database,
    worker_database: Database,
    settings: Settings,
    tmp_path: Path,
) -> Archive:
    protocol = Protocol.default().model_copy(update={"expected": ()})
    clinic = make_clinic(owner_database, dashboard_database, settings, tmp_path, protocol=protocol)
    (tmp_path / "out").mkdir()
    return Archive(clinic, owner_database, worker_database, tmp_path / "out")


def concepts(dataset: Dataset, read: Callable[[Dataset], object]) -> dict[str, object]:
    """Meaning of every content item's concept -> what ``read`` makes of the item."""
    found = {}
    for item in dataset.get("ContentSequence", []):
        if "ConceptNameCodeSequence" in item and (value := read(item)) is not None:
            found[item.ConceptNameCodeSequence[0].CodeMeaning] = value
        found |= concepts(item, read)
    return found


def figure(item: Dataset) -> tuple[float, str] | None:
    if "MeasuredValueSequence" not in item:
        return None
    value = item.MeasuredValueSequence[0]
    return float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue


def word(item: Dataset) -> str | None:
    return item.ConceptCodeSequence[0].CodeMeaning if "ConceptCodeSequence" in item else None


def test_the_validator_finds_no_error_in_any_result(archive: Archive):
    scan_id = archive.score(UNGRADABLE)
    archive.reject(scan_id, ReasonCode.MP_MOTION)
    objects = archive.objects(scan_id)
    assert set(objects) == {"segmentation", "measurements", "rejection"}
    for name, path in objects.items():
        found = faults(path)
        assert found.errors == (), name
        unforeseen = [each for each in found.warnings if not any(known in each for known in FORESEEN)]
        assert unforeseen == [], name


def test_masks_come_back_pixel_by_pixel_and_name_their_source(archive: Archive):
    path = archive.objects(archive.score(UNGRADABLE))["segmentation"]
    segmentation = pydicom.dcmread(path)
    assert segmentation.pixel_array.shape == (2, SIZE_PX, SIZE_PX)
    masks = {
        item.SegmentLabel: segmentation.pixel_array.reshape(-1, SIZE_PX, SIZE_PX)[item.SegmentNumber - 1].astype(bool)
        for item in segmentation.SegmentSequence
    }
    assert set(masks) == {"Motion artifact", "Foveal avascular zone"}
    assert np.array_equal(masks["Motion artifact"], MOTION)
    assert np.array_equal(masks["Foveal avascular zone"], FAZ)
    referenced = {
        item.ReferencedSOPInstanceUID
        for frame in segmentation.PerFrameFunctionalGroupsSequence
        for derivation in frame.DerivationImageSequence
        for item in derivation.SourceImageSequence
    }
    assert archive.source is not None
    assert referenced == {archive.source.SOPInstanceUID}
    assert segmentation.StudyInstanceUID == archive.source.StudyInstanceUID


def test_the_report_holds_the_figures_with_units_and_the_grade(archive: Archive):
    report = pydicom.dcmread(archive.objects(archive.score(GRADABLE))["measurements"])
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    figures = concepts(report, figure)
    assert figures["Area"] == (0.3, "mm2")
    assert figures["Perimeter"] == (2.1, "mm")
    assert figures["Circularity"] == (0.8, "{ratio}")
    assert figures["Perfusion density"] == (45.0, "%")
    assert figures["Probability of being ungradable"] == (0.1, "{probability}")
    assert "Large vessel area density" not in figures, "it could not be computed"
    words = concepts(report, word)
    assert words["Image quality grade (COIPS)"] == "Gradable"
    assert (words["Verdict"], words["Source of the scale"]) == ("Accepted", "file")
    assert words["Laterality"] == "Right"


def test_of_an_ungradable_scan_the_zone_has_no_figures(archive: Archive):
    report = pydicom.dcmread(archive.objects(archive.score(UNGRADABLE))["measurements"])
    assert "Area" not in concepts(report, figure)
    assert concepts(report, word)["Reason of the verdict"] == "oscar-mp:M"


def test_a_scan_that_the_model_declined_to_grade_has_no_grade(archive: Archive):
    words = concepts(pydicom.dcmread(archive.objects(archive.score(GRADABLE + ABSTAINED))["measurements"]), word)
    assert "Image quality grade (COIPS)" not in words
    assert words["Model declined to grade"] == "Yes"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (ReasonCode.MP_MOTION, "111210"), (ReasonCode.MP_CENTRATION, "111209"), (ReasonCode.MP_ALGORITHM, "111219"),
        (ReasonCode.MP_SIGNAL, "111207"),
    ],
)  # fmt: skip
def test_a_rejection_is_a_key_object_with_its_reason_in_dicoms_words(archive: Archive, reason: ReasonCode, code: str):
    scan_id = archive.score(UNGRADABLE)
    archive.reject(scan_id, reason)
    key = pydicom.dcmread(archive.objects(scan_id)["rejection"])
    title = key.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113001", "DCM")
    modifier = key.ContentSequence[0]
    assert modifier.ConceptNameCodeSequence[0].CodeValue == "113011"
    assert modifier.ConceptCodeSequence[0].CodeValue == code
    assert archive.source is not None
    image = next(item for item in key.ContentSequence if item.ValueType == "IMAGE")
    assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == archive.source.SOPInstanceUID


def test_a_flag_that_nobody_has_confirmed_is_no_rejection(archive: Archive):
    export = archive.export(archive.score(UNGRADABLE))
    assert "rejection.dcm" not in export.objects
    assert export.left_out == ("No key object: the scan is not rejected.",)


def test_results_carry_the_pseudonym_and_nothing_of_the_patient(archive: Archive):
    for path in archive.objects(archive.score(UNGRADABLE)).values():
        written = path.read_bytes()
        assert not any(secret.encode() in written for secret in SECRETS)
        result = pydicom.dcmread(path)
        assert (result.PatientID, str(result.PatientName), result.PatientBirthDate) == ("P-001", "P-001^", "")
        assert result.PatientIdentityRemoved == "YES"
        assert [item.CodeValue for item in result.DeidentificationMethodCodeSequence][:2] == ["113100", "113110"]


def test_the_same_state_gives_the_same_files_and_a_decision_gives_others(archive: Archive):
    scan_id = archive.score(UNGRADABLE)
    first, again = archive.export(scan_id), archive.export(scan_id)
    assert first.data == again.data
    before = pydicom.dcmread(archive.objects(scan_id)["measurements"]).SOPInstanceUID
    archive.reject(scan_id, ReasonCode.MP_MOTION)
    assert pydicom.dcmread(archive.objects(scan_id)["measurements"]).SOPInstanceUID != before


def test_an_export_is_in_the_audit_trail(archive: Archive):
    scan_id = archive.score(GRADABLE)
    archive.export(scan_id)
    with session_scope(archive.owner) as session:
        told = select(tables.AuditEvent).where(tables.AuditEvent.action == "scan.exported_dicom")
        event = session.scalars(told).one()
    assert (event.entity_id, event.actor_id) == (scan_id, archive.clinic.user_id)
    assert event.after["objects"] == ["measurements.dcm", "segmentation.dcm"]


def test_graders_adjudicators_and_strangers_get_none(archive: Archive):
    scan_id = archive.score(GRADABLE)
    with pytest.raises(NotAllowedError):
        archive.export(scan_id, archive.hire(Role.ADJUDICATOR))
    with pytest.raises(NotFoundError):
        archive.export(scan_id, archive.hire(Role.GRADER))
    with session_scope(archive.owner) as session:
        elsewhere = make_member(session, Role.MANAGER, site=make_site(session))[1]
    with pytest.raises(NotFoundError):
        archive.export(scan_id, elsewhere)


def test_a_scan_that_came_as_a_picture_has_no_dicom_results(archive: Archive):
    image = phantom(3)
    image[0, 0] = GRADABLE
    columns = {"acquired_at": "2026-03-02 09:30", "eye": "OD", "kind": "octa-enface", "slab": "superficial"}
    scan_id = archive.take(png(image), field_width_mm="3", field_height_mm="3", **columns)
    with pytest.raises(UsageError, match="did not come as a DICOM object"):
        archive.export(scan_id)


def own_codes() -> dict[str, str]:
    """Meaning of each concept of our own scheme, wherever codes.py keeps it."""
    tables_of_codes = [table.values() for table in vars(codes).values() if isinstance(table, dict)]
    kept = [each for table in tables_of_codes for each in table] + list(vars(codes).values())
    concepts_kept = [each[0] if isinstance(each, tuple) else each for each in kept]
    concepts_kept += map(codes.reason_concept, ReasonCode)
    found: dict[str, str] = {}
    for concept in concepts_kept:
        if isinstance(concept, codes.CodedConcept) and concept.scheme_designator == codes.SCHEME:
            assert found.setdefault(concept.value, concept.meaning) == concept.meaning, "a value has two meanings"
    return found


def test_every_own_code_is_short_enough_and_stands_in_the_documentation():
    own = own_codes()
    assert max(map(len, own)) <= 16
    page = (Path(__file__).parents[3] / "docs" / "dicom.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `([A-Za-z0-9_]+)` \| ([^|]+?) \|", page, flags=re.MULTILINE))
    assert told == own
