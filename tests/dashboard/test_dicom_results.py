"""DICOM results: offered on the Scan page where there are any, and handed out by a route of their own."""

import io
import zipfile
from dataclasses import asdict

import pydicom
import pytest
from builders import unique
from clinics import Clinics
from dicom_phantoms import ROOT
from dicom_validator import faults
from sqlalchemy import select

from core.database import tables
from core.database.session import Database, session_scope
from core.intake.dicom_facts import OPT_EN_FACE, DicomFacts, DicomReference
from core.uid_seal import seal
from core.vocabulary import Laterality, ScanKind, Slab
from dashboard.installation import Installation

LINK = "DICOM results"


@pytest.fixture
def came_as_dicom(owner_database: Database, installation: Installation, clinics: Clinics) -> int:
    """The flagged scan, as if an en-face object had been sent."""
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, clinics.flagged_id)
        file = tables.BatchFile(
            site_id=scan.site_id, batch_id=scan.batch_id, original_name=unique("IM"), size_bytes=1, source_sha256=None,
            image_sha256=scan.image_sha256, width_px=scan.width_px, height_px=scan.height_px, text_regions=[],
            state="accepted", entry={}, problems=[], scan_id=scan.id,
        )  # fmt: skip
        session.add(file)
        session.flush()
        facts = DicomFacts(
            kind=ScanKind.OCTA_ENFACE, eye=Laterality.OD, slab=Slab.SUPERFICIAL, field_mm=(3.0, 3.0), acquired_at=None,
            manufacturer="Optovue", model="AngioVue", serial="SN-77", software_version="1", quality=None,
            rows=scan.height_px, columns=scan.width_px, frames=1,
        )  # fmt: skip
        reference = DicomReference(str(OPT_EN_FACE), f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.3", f"{ROOT}.4")
        sealed = seal(installation.settings, asdict(reference))
        row = {"site_id": scan.site_id, "batch_file_id": file.id, "facts": facts.as_document()}
        session.add(tables.DicomSource(**row, sealed_reference=sealed))
    return clinics.flagged_id


def text_of(page) -> str:
    return " ".join(str(getattr(each, "value", "")) + str(each.proto) for each in page.main)


def test_people_of_the_site_get_objects_that_the_validator_accepts(
    client_of, clinics: Clinics, came_as_dicom: int, tmp_path
):
    answer = client_of(clinics.technician).get(f"/scans/{came_as_dicom}/dicom.zip")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
        assert set(archive.namelist()) == {"segmentation.dcm", "measurements.dcm"}
    for path in tmp_path.glob("*.dcm"):
        assert faults(path).errors == ()
        assert pydicom.dcmread(path).StudyInstanceUID == f"{ROOT}.1"


def test_others_get_nothing_and_no_export_is_recorded(
    client_of, clinics: Clinics, came_as_dicom: int, owner_database: Database
):
    assert client_of().get(f"/scans/{came_as_dicom}/dicom.zip").status_code in {303, 307, 401}
    for token in (clinics.stranger, clinics.grader):
        assert client_of(token).get(f"/scans/{came_as_dicom}/dicom.zip").status_code == 404
    with session_scope(owner_database) as session:
        told = select(tables.AuditEvent.id).where(tables.AuditEvent.action == "scan.exported_dicom")
        assert session.scalars(told).all() == []


def test_a_scan_that_came_as_a_picture_says_why_there_is_nothing(client_of, clinics: Clinics):
    answer = client_of(clinics.technician).get(f"/scans/{clinics.flagged_id}/dicom.zip")
    assert answer.status_code == 409
    assert "did not come as a DICOM object" in answer.json()["message"]


def test_the_page_offers_them_only_where_there_are_any(
    page_of, clinics: Clinics, came_as_dicom: int, owner_database: Database
):
    page = page_of(clinics.technician, "pages/scan.py", id=came_as_dicom)
    assert not page.exception
    assert f"/scans/{came_as_dicom}/dicom.zip" in text_of(page)
    with session_scope(owner_database) as session:
        session.execute(tables.DicomSource.__table__.delete())
    assert LINK not in text_of(page_of(clinics.technician, "pages/scan.py", id=came_as_dicom))
