"""A `.vol` export from upload to queue: its row fills itself in, all of it is stored, and nobody is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_phantoms import packed, tomography
from sqlalchemy import select, text
from uploads import Clinic, make_clinic, phantom, zipped
from volumes import make_volume

from core.database import tables
from core.database.session import Database, session_scope
from core.intake.canonical import decode_image
from core.intake.volume_blob import MEDIA_TYPE, decode_volume
from core.phantom.vol_file import vol_chunks
from core.reports.exportable import read_exportable
from core.settings import Settings
from core.store.batch import read_file
from core.store.case import read_cases
from core.usecases.open_batch import fill_in
from core.usecases.scan_pixels import load_scan
from core.usecases.stage_files import StagedFile
from core.vocabulary import FileState, ScanKind, ScanPattern
from core.volume import OctVolume

NAME, CHART_NUMBER = b"MUSTERMANN^ERIKA", b"CHART-4711-SECRET"


@pytest.fixture
def clinic(owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path) -> Clinic:
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


def a_volume() -> OctVolume:
    rng = np.random.default_rng(9)
    volume = make_volume(np.full((7, 64), 250.0), n=7, width=64, side_mm=2.4)
    return replace(volume, bscans=rng.integers(0, 256, volume.bscans.shape, np.uint8), quality_db=(25.0,) * 7)


def exported(volume: OctVolume) -> bytes:
    """The file as a clinic exports it: with a chart number and other words about the patient in its header."""
    data = bytearray(b"".join(vol_chunks(volume)))
    data[140 : 140 + len(CHART_NUMBER)] = CHART_NUMBER
    data[180 : 180 + len(NAME)] = NAME
    return bytes(data)


def take(clinic: Clinic, data: bytes, name: str = "K0001.vol", **changes: str):
    """Upload, fill in what the file cannot state, and ``changes``; the stated row and the receipt's line."""
    batch_id = clinic.open()
    (staged,) = clinic.stage(batch_id, name, data)
    assert isinstance(staged, StagedFile)
    own = {"subject": "P-001", "visit": "V1", "acquisition": "A1", "acquired_at": "2026-03-02 09:30"}
    with clinic.session() as session:
        stated = read_file(session, staged.file_id).entry
        row = stated | own | {"device": clinic.device, "technician": clinic.technician} | changes
        fill_in(session, actor=clinic.actor, batch_id=batch_id, entries={staged.file_id: row})
    (line,) = clinic.submit(batch_id).lines
    return stated, line


def test_a_volume_is_stored_whole_and_comes_to_its_lane_as_it_was_sent(clinic: Clinic, owner_database: Database):
    volume = a_volume()
    _, line = take(clinic, exported(volume))
    assert (line.state, line.problems) == (FileState.ACCEPTED, ())
    assert clinic.bell.rung == [ScanKind.VOLUME]
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, line.scan_id)
        assert scan.volume_sha256 is not None
        assert session.get_one(tables.Blob, scan.volume_sha256).media_type == MEDIA_TYPE
        assert np.array_equal(decode_volume(clinic.blobs.get(scan.volume_sha256)).bscans, volume.bscans)
        assert np.array_equal(decode_image(clinic.blobs.get(scan.image_sha256)), volume.central_bscan)
        capture = session.get_one(tables.Acquisition, scan.acquisition_id)
        assert (capture.scan_type, capture.scale_source) == ("volume 2.5x3", "file")
        given = load_scan(clinic.blobs, read_cases(session, [scan.id])[scan.id])
    assert np.array_equal(given.volume.bscans, volume.bscans)


def test_what_the_file_states_stands_in_the_row_and_a_row_that_differs_is_refused(clinic: Clinic):
    stated, line = take(clinic, exported(a_volume()), eye="OS", kind="bscan")
    assert {name: stated[name] for name in ("kind", "eye", "field_width_mm", "field_height_mm")} == {
        "kind": "volume",
        "eye": "OD",
        "field_width_mm": "2.4",
        "field_height_mm": "2.8",
    }
    codes = {problem.code for problem in line.problems}
    assert line.state is FileState.REJECTED
    assert {"eye_differs_from_file", "kind_differs_from_file"} <= codes


def test_a_line_scan_needs_no_field(clinic: Clinic, owner_database: Database):
    volume = replace(a_volume(), scan_pattern=ScanPattern.LINE)
    stated, line = take(clinic, exported(volume))
    assert (stated["field_width_mm"], line.state) == ("unknown", FileState.ACCEPTED)
    with session_scope(owner_database) as session:
        assert session.scalars(select(tables.Acquisition.scan_type)).one() == "volume unknown field"


def test_a_damaged_volume_in_a_zip_takes_no_other_with_it(clinic: Clinic):
    good = exported(a_volume())
    batch_id = clinic.open()
    staged = clinic.stage(batch_id, "export.zip", zipped({"good.vol": good, "cut.vol": good[:-5]}))
    assert [[problem.code for problem in file.problems] for file in staged] == [[], ["damaged"]]


def test_no_word_about_the_patient_is_anywhere_in_the_database_or_the_blobs(clinic: Clinic, owner_database: Database):
    take(clinic, exported(a_volume()))
    with session_scope(owner_database) as session:
        for table in tables.Base.metadata.tables:
            rows = "\n".join(session.scalars(text(f"select t::text from {table} t")))  # noqa: S608 - table names
            assert "MUSTERMANN" not in rows, table
            assert "CHART-4711" not in rows, table
        for sha256 in session.scalars(select(tables.Blob.sha256)):
            data = clinic.blobs.get(sha256)
            assert NAME not in data
            assert CHART_NUMBER not in data


def test_a_tomography_object_comes_to_its_lane_whole_and_offers_no_dicom_results(
    clinic: Clinic, owner_database: Database
):
    frames = np.stack([phantom(seed) for seed in range(3)])
    _, line = take(clinic, packed(tomography(frames, mm=(0.004, 0.02))), "IM000001")
    assert line.state is FileState.ACCEPTED
    with session_scope(owner_database) as session:
        given = load_scan(clinic.blobs, read_cases(session, [line.scan_id])[line.scan_id])
        assert not read_exportable(session, line.scan_id)
    assert np.array_equal(given.volume.bscans, frames)
