from pathlib import Path

import pytest
from builders import make_acquisition, make_expected_scan, make_scan, make_subject, make_visit
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from uploads import Clinic, make_clinic, phantom, png, zipped

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError
from core.intake.manifest_csv import manifest_template
from core.settings import Settings
from core.store.batch import read_files
from core.usecases.check_batch import check_batch
from core.usecases.open_batch import fill_in, open_batch
from core.usecases.prefill_replacement import prefill_replacement
from core.usecases.stage_files import ManifestOutcome
from core.usecases.submit_batch import read_receipt, submit_batch
from core.vocabulary import FileState, RequestState, Role, ScanKind, ScanState


@pytest.fixture
def clinic(owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path) -> Clinic:
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


def codes(receipt: object, name: str) -> list[str]:
    return [problem.code for line in receipt.lines if line.name == name for problem in line.problems]


def count(session: Session, table: type[tables.Base]) -> int:
    return session.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_good_file_becomes_a_queued_scan_and_the_bell_rings_after_the_commit(
    clinic: Clinic, owner_database: Database
):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()))

    with clinic.session() as session:
        submit_batch(session, actor=clinic.actor, blobs=clinic.blobs, bell=clinic.bell, batch_id=batch)
        assert clinic.bell.rung == []
    assert clinic.bell.rung == [ScanKind.OCTA_ENFACE]

    with session_scope(owner_database) as session:
        scan = session.execute(select(tables.Scan)).scalar_one()
        acquisition = session.get_one(tables.Acquisition, scan.acquisition_id)
        assert (scan.state, scan.slab, scan.width_px) == ("queued", "superficial", 128)
        assert (acquisition.scan_type, acquisition.scale_source) == ("octa-enface 3x3", "manifest")
        assert clinic.blobs.exists(scan.image_sha256)
        event = session.execute(select(tables.AuditEvent).where(tables.AuditEvent.action == "batch.submitted"))
        assert event.scalar_one().actor_id == clinic.user_id


def test_bad_files_never_stop_the_others(clinic: Clinic):
    batch = clinic.open()
    clinic.stage_row(batch, "good.png", png(phantom()))
    clinic.stage(batch, "empty.png", b"")
    clinic.stage(batch, "text.png", b"this is no image at all")
    clinic.stage(batch, "cut.png", png(phantom(2))[:-2000])
    clinic.stage_row(batch, "no-eye.png", png(phantom(3)), eye="")
    clinic.stage_row(batch, "future.png", png(phantom(4)), acquired_at="2099-01-01 10:00", acquisition="A9")

    receipt = clinic.submit(batch)

    assert receipt.count(FileState.ACCEPTED) == 1
    assert receipt.count(FileState.REJECTED) == 5
    assert codes(receipt, "empty.png") == ["empty"]
    assert codes(receipt, "text.png") == ["not_an_image"]
    assert codes(receipt, "cut.png") == ["damaged"]
    assert codes(receipt, "no-eye.png") == ["eye_missing"]
    assert codes(receipt, "future.png") == ["time_in_future"]
    assert all(problem.remedy for line in receipt.lines for problem in line.problems)


def test_submitting_twice_gives_the_same_receipt_and_no_second_scan(clinic: Clinic, owner_database: Database):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()))
    first = clinic.submit(batch)
    assert clinic.submit(batch) == first
    with session_scope(owner_database) as session:
        assert count(session, tables.Scan) == 1


def test_a_submitted_batch_takes_no_more_files_and_no_changes(clinic: Clinic):
    batch = clinic.open()
    file_id = clinic.stage_row(batch, "a.png", png(phantom()))
    clinic.submit(batch)
    with pytest.raises(IllegalMoveError, match="cannot be changed"):
        clinic.stage(batch, "b.png", png(phantom(2)))
    with pytest.raises(IllegalMoveError), clinic.session() as session:
        fill_in(session, actor=clinic.actor, batch_id=batch, entries={file_id: {"eye": "OS"}})


def test_one_slab_twice_is_refused_within_a_batch_and_later(clinic: Clinic):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom(1)))
    clinic.stage_row(batch, "b.png", png(phantom(2)))
    assert codes(clinic.submit(batch), "b.png") == ["slab_twice"]
    later = clinic.open()
    clinic.stage_row(later, "c.png", png(phantom(3)))
    assert codes(clinic.submit(later), "c.png") == ["slab_received_before"]


def test_slabs_of_one_capture_must_agree(clinic: Clinic):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom(1)))
    clinic.stage_row(batch, "b.png", png(phantom(2)), slab="deep", acquired_at="2026-03-02 10:00")
    assert codes(clinic.submit(batch), "b.png") == ["capture_differs"]


def test_the_same_image_is_refused_and_the_scan_that_it_is_is_named(clinic: Clinic):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom(1)))
    clinic.stage_row(batch, "copy.png", png(phantom(1), compress_level=1), slab="deep")
    receipt = clinic.submit(batch)
    assert codes(receipt, "copy.png") == ["duplicate_in_batch"], "found by pixels, not by the file's bytes"

    later = clinic.open()
    clinic.stage_row(later, "again.png", png(phantom(1)), acquisition="A2")
    line = clinic.submit(later).lines[0]
    assert line.problems[0].code == "duplicate"
    assert f"scan {receipt.lines[0].scan_id}" in line.problems[0].message


def test_another_sites_same_image_is_taken_and_not_revealed(
    clinic: Clinic, owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path
):
    other = make_clinic(owner_database, dashboard_database, settings, tmp_path)
    for site in (clinic, other):
        batch = site.open()
        site.stage_row(batch, "a.png", png(phantom(1)))
        receipt = site.submit(batch)
        assert receipt.lines[0].state is FileState.ACCEPTED
        assert receipt.lines[0].problems == ()


def test_a_manifest_in_the_zip_fills_the_table_in(clinic: Clinic):
    header = manifest_template().splitlines()[0]
    row = clinic.row(file="scans/a.png", study=clinic.study, site=clinic.site)
    line = ";".join(row.get(name, "") for name in header.split(","))
    missing = line.replace("scans/a.png", "b.png")
    manifest = f"{header.replace(',', ';')}\r\n{line}\r\n{missing}\r\n".encode("utf-8-sig")
    batch = clinic.open()

    outcomes = clinic.stage(
        batch, "all.zip", zipped({"scans/manifest.csv": manifest, "scans/a.png": png(phantom()), "__MACOSX/x": b"?"})
    )

    assert isinstance(outcomes[-1], ManifestOutcome)
    assert outcomes[-1].matched == 1
    assert [problem.code for problem in outcomes[-1].problems] == ["manifest_file_not_uploaded"]
    receipt = clinic.submit(batch)
    assert [(line.name, line.state) for line in receipt.lines] == [("scans/a.png", FileState.ACCEPTED)]


def test_a_site_technician_cannot_upload_for_another_site(
    clinic: Clinic, owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path
):
    other = make_clinic(owner_database, dashboard_database, settings, tmp_path)
    with pytest.raises(NotFoundError), clinic.session() as session:
        open_batch(session, actor=clinic.actor, study=other.study, site=other.site)
    batch = other.open()
    with pytest.raises(NotFoundError):
        clinic.stage(batch, "a.png", png(phantom()))


def test_a_grader_cannot_upload(
    owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path
):
    clinic = make_clinic(owner_database, dashboard_database, settings, tmp_path, role=Role.GRADER)
    with pytest.raises(NotAllowedError):
        clinic.open()


def test_an_unknown_field_is_taken_without_a_scale(clinic: Clinic, owner_database: Database):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()), field_width_mm="unknown", field_height_mm="unknown")
    assert clinic.submit(batch).count(FileState.ACCEPTED) == 1
    with session_scope(owner_database) as session:
        acquisition = session.execute(select(tables.Acquisition)).scalar_one()
        assert acquisition.scale_source is None
        assert acquisition.scan_type == "octa-enface unknown field"


class TestReplacements:
    @pytest.fixture
    def request_id(self, clinic: Clinic, owner_database: Database) -> int:
        """An open request for a capture of P-001, V1, OD, 3x3 of 2 March 2026, 9:00."""
        with session_scope(owner_database) as session:
            site = session.get_one(tables.Site, clinic.site_id)
            visit = make_visit(session, make_subject(session, site, code="P-001"), code="V1")
            acquisition = make_acquisition(session, site, slot=make_expected_scan(session, visit))
            scan = make_scan(session, site, acquisition=acquisition, state=ScanState.REACQUISITION_REQUESTED.value)
            row = tables.ReacquisitionRequest(
                site_id=site.id, acquisition_id=acquisition.id, scan_id=scan.id, state=RequestState.REQUESTED.value,
                reason_code="oscar-mp:M", text="Motion", remedy="Take it again",
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def request(self, owner_database: Database, request_id: int) -> tables.ReacquisitionRequest:
        with session_scope(owner_database) as session:
            return session.get_one(tables.ReacquisitionRequest, request_id)

    @pytest.mark.parametrize("named", [True, False], ids=["named in the row", "found by itself"])
    def test_a_replacement_is_linked_to_its_request(
        self, clinic: Clinic, owner_database: Database, request_id: int, named: bool
    ):
        batch = clinic.open()
        clinic.stage_row(batch, "a.png", png(phantom(1)), replaces=f"#{request_id}" if named else None)
        receipt = clinic.submit(batch)
        request = self.request(owner_database, request_id)
        with session_scope(owner_database) as session:
            scan = session.get_one(tables.Scan, receipt.lines[0].scan_id)
            acquisition = session.get_one(tables.Acquisition, scan.acquisition_id)
        assert request.state == RequestState.RECEIVED
        assert request.replacement_id == acquisition.id
        assert acquisition.replaces_id == request.acquisition_id
        assert request.is_link_found is not named, "what the program found by itself is recorded as found"
        assert request.received_at is not None

    def test_one_good_scan_answers_every_round_of_its_slot(
        self, clinic: Clinic, owner_database: Database, request_id: int
    ):
        with session_scope(owner_database) as session:
            first = session.get_one(tables.ReacquisitionRequest, request_id)
            faulty = session.get_one(tables.Acquisition, first.acquisition_id)
            site = session.get_one(tables.Site, clinic.site_id)
            slot = session.get_one(tables.ExpectedScan, faulty.expected_scan_id)
            second = make_acquisition(session, site, slot=slot)
            scan = make_scan(session, site, acquisition=second, state=ScanState.REACQUISITION_REQUESTED.value)
            newer = tables.ReacquisitionRequest(
                site_id=site.id, acquisition_id=second.id, scan_id=scan.id, state=RequestState.ACKNOWLEDGED.value,
                reason_code="oscar-mp:M", text="Motion", remedy="Take it again",
            )  # fmt: skip
            session.add(newer)
            session.flush()
            newer_id, second_id = newer.id, second.id
        batch = clinic.open()
        clinic.stage_row(batch, "a.png", png(phantom(1)))
        receipt = clinic.submit(batch)
        with session_scope(owner_database) as session:
            new = session.get_one(tables.Scan, receipt.lines[0].scan_id).acquisition_id
            assert session.get_one(tables.Acquisition, new).replaces_id == second_id, "that of the newest round"
        for id_ in (request_id, newer_id):
            found = self.request(owner_database, id_)
            assert (found.state, found.replacement_id) == (RequestState.RECEIVED, new)

    def test_an_upload_from_a_request_is_filled_in_with_what_the_request_knows(
        self, clinic: Clinic, owner_database: Database, request_id: int
    ):
        batch = clinic.open()
        clinic.stage(batch, "a.png", png(phantom(1)))
        with clinic.session() as session:
            assert prefill_replacement(session, actor=clinic.actor, batch_id=batch, request_id=request_id) == 1
            entry = read_files(session, batch)[0].entry
        asked = self.request(owner_database, request_id)
        with session_scope(owner_database) as session:
            code = session.get_one(tables.Acquisition, asked.acquisition_id).code
        assert entry == {
            "subject": "P-001", "visit": "V1", "eye": "OD", "kind": "octa-enface", "field_width_mm": "3",
            "field_height_mm": "3", "acquisition": f"{code}-R{request_id}", "replaces": f"{request_id}",
        }  # fmt: skip

    def test_a_second_slab_of_the_replacement_may_follow_later(
        self, clinic: Clinic, owner_database: Database, request_id: int
    ):
        batch = clinic.open()
        clinic.stage_row(batch, "a.png", png(phantom(1)), replaces=request_id)
        clinic.submit(batch)
        later = clinic.open()
        clinic.stage_row(later, "b.png", png(phantom(2)), replaces=request_id, slab="deep")
        assert clinic.submit(later).count(FileState.ACCEPTED) == 1

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"eye": "OS"}, "request_of_another_scan"),
            ({"acquired_at": "2026-03-02 08:00"}, "replacement_not_newer"),
            ({"replaces": "999999"}, "request_unknown"),
        ],
    )
    def test_a_row_that_cannot_answer_its_request_is_refused(
        self, clinic: Clinic, request_id: int, changes: dict[str, str], code: str
    ):
        batch = clinic.open()
        clinic.stage_row(batch, "a.png", png(phantom(1)), **{"replaces": request_id} | changes)
        assert codes(clinic.submit(batch), "a.png") == [code]

    def test_an_older_capture_of_the_same_eye_is_no_replacement(
        self, clinic: Clinic, owner_database: Database, request_id: int
    ):
        batch = clinic.open()
        clinic.stage_row(batch, "a.png", png(phantom(1)), acquired_at="2026-03-02 08:00")
        clinic.submit(batch)
        assert self.request(owner_database, request_id).state == RequestState.REQUESTED


def test_the_check_says_before_submission_what_would_become_of_each_file(clinic: Clinic):
    batch = clinic.open()
    clinic.stage_row(batch, "OS-good.png", png(phantom(1)))
    clinic.stage_row(batch, "bad.png", png(phantom(2)), device="nonsense", slab="")
    with clinic.session() as session:
        check = check_batch(session, batch, now=now())
    good, bad = check.files
    assert good.outcome is FileState.ACCEPTED
    assert [problem.code for problem in good.problems] == ["eye_differs_from_name"]
    assert bad.outcome is FileState.REJECTED
    assert {problem.code for problem in bad.problems} == {"unknown_device", "slab_missing"}
    assert clinic.device in next(p.remedy for p in bad.problems if p.code == "unknown_device")


def test_a_scan_that_no_model_scores_is_refused_instead_of_waiting_for_ever(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    kind, is_open = ScanKind.BSCAN, (ScanKind.OCTA_ENFACE, ScanKind.VOLUME)
    monkeypatch.setattr("core.usecases.check_batch.OPEN_LANES", is_open)
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()), kind=kind.value)
    with clinic.session() as session:
        (check,) = check_batch(session, batch, now=now()).files
    (problem,) = check.problems
    assert (problem.code, problem.field) == ("kind_not_scored", "kind")
    assert kind.value in problem.message
    assert all(lane.value in problem.remedy for lane in is_open)
    receipt = clinic.submit(batch)
    assert (receipt.lines[0].state, receipt.lines[0].scan_id) == (FileState.REJECTED, None)
    assert clinic.bell.rung == []


def test_a_kind_is_taken_as_soon_as_a_model_scores_it(clinic: Clinic, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.usecases.check_batch.OPEN_LANES", (ScanKind.OCTA_ENFACE, ScanKind.BSCAN))
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()), kind="bscan", slab="")
    assert clinic.submit(batch).lines[0].scan_state is ScanState.QUEUED
    assert clinic.bell.rung == [ScanKind.BSCAN]


def test_an_office_document_is_refused_as_a_whole(clinic: Clinic):
    batch = clinic.open()
    clinic.stage(batch, "table.xlsx", zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}))
    clinic.stage_row(batch, "a.png", png(phantom()))
    receipt = clinic.submit(batch)
    assert codes(receipt, "table.xlsx") == ["office_document"]
    assert receipt.count(FileState.ACCEPTED) == 1


def test_a_receipt_shows_where_each_scan_stands_now(clinic: Clinic, owner_database: Database):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()))
    scan_id = clinic.submit(batch).lines[0].scan_id
    with session_scope(owner_database) as session:
        session.get_one(tables.Scan, scan_id).state = ScanState.SCORED.value
    with clinic.session() as session:
        assert read_receipt(session, batch).lines[0].scan_state is ScanState.SCORED
