from pathlib import Path

import pytest
from dicom_phantoms import SECRETS, en_face, packed, photograph, tomography
from sqlalchemy import select, text
from uploads import Clinic, make_clinic, phantom

from core.database import tables
from core.database.session import Database, session_scope
from core.errors import SettingsError
from core.intake.canonical import decode_image
from core.settings import Settings
from core.store.batch import read_file
from core.store.dicom_source import read_origin
from core.uid_seal import key_file, unseal
from core.usecases.open_batch import fill_in
from core.vocabulary import FileState

FIELD_3MM = {"mm": 3 / 128}


@pytest.fixture
def clinic(owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path) -> Clinic:
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


def take(clinic: Clinic, data: bytes, **changes: str):
    """Upload one object, fill in what it cannot state, and ``changes``; the receipt's line."""
    batch_id = clinic.open()
    (staged,) = clinic.stage(batch_id, "IM000001", data)
    own = {"subject": "P-001", "visit": "V1", "acquisition": "A1", "technician": clinic.technician}
    with clinic.session() as session:
        stated = read_file(session, staged.file_id).entry
        row = {"device": clinic.device} | stated | own | changes
        fill_in(session, actor=clinic.actor, batch_id=batch_id, entries={staged.file_id: row})
    (line,) = clinic.submit(batch_id).lines
    return line


def test_an_object_fills_its_row_in_and_its_scale_comes_from_the_file(clinic: Clinic, owner_database: Database):
    image = phantom()
    line = take(clinic, packed(en_face(image, **FIELD_3MM, ImageLaterality="L")))
    assert (line.state, line.problems) == (FileState.ACCEPTED, ())
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, line.scan_id)
        capture = session.get_one(tables.Acquisition, scan.acquisition_id)
    assert (capture.laterality, capture.scan_type, capture.scale_source) == ("OS", "octa-enface 3x3", "file")
    assert (scan.slab, capture.software_version) == ("superficial", "2017.1.0.155")
    assert (decode_image(clinic.blobs.get(scan.image_sha256)) == image).all(), "no grey level is lost"


def test_the_device_is_the_one_that_is_registered_with_the_serial(clinic: Clinic, owner_database: Database):
    with session_scope(owner_database) as session:
        device = session.scalars(select(tables.Device).where(tables.Device.code == clinic.device)).one()
        device.serial = "SN-77"
    batch_id = clinic.open()
    (staged,) = clinic.stage(batch_id, "IM000001", packed(en_face(phantom(), **FIELD_3MM)))
    with clinic.session() as session:
        assert read_file(session, staged.file_id).entry["device"] == clinic.device


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"eye": "OS"}, "eye_differs_from_file"),
        ({"slab": "deep"}, "slab_differs_from_file"),
        ({"field_width_mm": "6", "field_height_mm": "6"}, "field_differs_from_file"),
    ],
)
def test_a_row_that_contradicts_its_object_is_refused(clinic: Clinic, changes: dict[str, str], code: str):
    line = take(clinic, packed(en_face(phantom(), **FIELD_3MM)), **changes)
    assert (line.state, [problem.code for problem in line.problems]) == (FileState.REJECTED, [code])


def test_an_unknown_field_is_always_possible_and_gives_no_scale(clinic: Clinic, owner_database: Database):
    line = take(clinic, packed(en_face(phantom(), **FIELD_3MM)), field_width_mm="unknown", field_height_mm="unknown")
    assert line.state is FileState.ACCEPTED
    with session_scope(owner_database) as session:
        assert session.scalars(select(tables.Acquisition.scale_source)).one() is None


def test_an_object_that_contradicts_itself_about_the_eye_is_refused_whatever_the_row_says(clinic: Clinic):
    line = take(clinic, packed(en_face(phantom(), **FIELD_3MM, Laterality="L")), eye="OD")
    assert (line.state, line.problems[0].code) == (FileState.REJECTED, "laterality_conflict")


@pytest.mark.parametrize(
    ("dataset", "code", "changes"),
    [
        (photograph(phantom()), "photograph_not_scored", {"kind": "octa-enface", "slab": "superficial", "field_width_mm": "3", "field_height_mm": "3"}),
        (tomography(phantom()[None], mm=(0.01, 0.03)), "kind_differs_from_file", {"kind": "octa-enface", "slab": "superficial"}),
    ],
)  # fmt: skip
def test_what_no_model_scores_is_read_and_refused_with_the_reason(clinic: Clinic, dataset, code: str, changes: dict):
    line = take(clinic, packed(dataset), **changes)
    assert line.state is FileState.REJECTED
    assert code in [problem.code for problem in line.problems]


def test_an_object_that_admits_burned_in_text_is_held(clinic: Clinic):
    line = take(clinic, packed(en_face(phantom(), **FIELD_3MM, BurnedInAnnotation="YES")))
    assert line.state is FileState.HELD


def test_no_name_and_no_uid_is_anywhere_in_the_database(clinic: Clinic, owner_database: Database):
    dataset = en_face(phantom(), **FIELD_3MM)
    line = take(clinic, packed(dataset))
    with session_scope(owner_database) as session:
        for table in tables.Base.metadata.tables:
            rows = "\n".join(session.scalars(text(f"select t::text from {table} t")))  # noqa: S608 - table names
            assert not any(secret in rows for secret in SECRETS), table
            assert dataset.StudyInstanceUID not in rows, table
        origin = read_origin(session, line.scan_id)
    assert origin is not None
    assert unseal(clinic.settings, origin.sealed_reference)["study_uid"] == dataset.StudyInstanceUID


def test_without_the_key_the_uids_stay_closed_and_the_message_says_what_to_restore(
    clinic: Clinic, owner_database: Database
):
    line = take(clinic, packed(en_face(phantom(), **FIELD_3MM)))
    with session_scope(owner_database) as session:
        origin = read_origin(session, line.scan_id)
    key_file(clinic.settings).unlink()
    with pytest.raises(SettingsError, match="OCTAUDIT_DICOM_KEY_FILE"):
        unseal(clinic.settings, origin.sealed_reference)


def test_a_draft_that_is_removed_takes_its_origin_along(
    clinic: Clinic, owner_database: Database, worker_database: Database
):
    batch_id = clinic.open()
    clinic.stage(batch_id, "IM000001", packed(en_face(phantom(), **FIELD_3MM)))
    with session_scope(worker_database) as session:
        session.execute(text("delete from batch_file"))
    with session_scope(owner_database) as session:
        assert session.scalars(select(tables.DicomSource.id)).all() == []
