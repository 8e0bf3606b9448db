"""Outlines by hand: images go out by lot, what comes back is measured, kept apart by reader, and refused by name."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from builders import make_member
from desk import Desk
from lane import GRADABLE
from PIL import Image
from sqlalchemy import select, update

from core.database import tables
from core.database.session import session_scope
from core.errors import NotAllowedError, UsageError
from core.store.faz_outline import read_outlined
from core.store.scan_filter import ScanFilter
from core.usecases.exchange_masks import TakenMask
from core.usecases.outline_faz import export_to_outline, import_outlines
from core.values import Measured
from core.vocabulary import Role, Slab


@pytest.fixture
def manager(desk: Desk) -> str:
    """Of the whole study."""
    with session_scope(desk.owner) as session:
        study = session.get_one(tables.Study, desk.scene.site.study_id)
        return make_member(session, Role.MANAGER, study=study)[1]


def disc(width: int, height: int, radius_px: float) -> bytes:
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(rows - height / 2, columns - width / 2) <= radius_px
    buffer = io.BytesIO()
    Image.fromarray(inside.astype(np.uint8) * 200).save(buffer, "PNG")
    return buffer.getvalue()


def send(desk: Desk, token: str, reader: str, path: Path) -> list[TakenMask]:
    with desk.as_person(token) as (_, actor):
        taken = import_outlines(
            lambda: session_scope(desk.dashboard, token=token), desk.scene.blobs, reader, path, path.name, actor=actor
        )
        return list(taken)


def chosen(desk: Desk, scan_id: int) -> tuple[ScanFilter, tables.Scan, tables.Acquisition]:
    with session_scope(desk.owner) as session:
        scan = session.get_one(tables.Scan, scan_id)
        capture = session.get_one(tables.Acquisition, scan.acquisition_id)
        session.expunge_all()
    of = ScanFilter(study_id=desk.scene.site.study_id, slab=Slab(scan.slab), scan_type=capture.scan_type)
    return of, scan, capture


def test_images_go_out_by_lot_and_outlines_come_back_measured(desk: Desk, manager: str, tmp_path: Path) -> None:
    scan_ids = [desk.score(GRADABLE) for _ in range(3)]
    of, scan, capture = chosen(desk, scan_ids[0])
    with desk.as_person(manager) as (session, actor):
        path = export_to_outline(session, desk.scene.blobs, of, tmp_path, n=2, actor=actor)
        exported = select(tables.AuditEvent.after).where(tables.AuditEvent.action == "export")
        assert session.scalars(exported).all() == [{"file": path.name, "rows": 2}]
    with zipfile.ZipFile(path) as archive:
        images = [name for name in archive.namelist() if name.startswith("images/")]
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
    assert len(images) == len(rows) == 2
    back = tmp_path / "back.zip"
    with zipfile.ZipFile(back, "w") as archive:
        archive.writestr(f"scan-{scan.id:08d}.png", disc(scan.width_px, scan.height_px, 0.25 * scan.width_px))
        archive.writestr(f"scan-{scan_ids[1]:08d}.png", disc(7, 7, 3))
        archive.writestr("scan-99999999.png", disc(scan.width_px, scan.height_px, 9))
        archive.writestr(f"scan-{scan_ids[2]:08d}.png", disc(scan.width_px, scan.height_px, 0.0))
    taken = send(desk, manager, " R1 ", back)
    assert [each.scan_id for each in taken] == [scan.id, None, None, None]
    codes = [problem.code for each in taken for problem in each.problems]
    assert codes == ["mask_size", "unknown_outline", "empty_outline"]
    with desk.as_person(manager) as (session, _):
        (item,) = read_outlined(session, of).items
    area = item.by_hand["faz_area_mm2"]
    assert item.reader == "R1"
    assert isinstance(area, Measured)
    assert capture.field_width_mm is not None
    assert area.value == pytest.approx(np.pi * (0.25 * capture.field_width_mm) ** 2, rel=0.05)


def test_a_reader_s_newest_outline_counts_and_readers_are_kept_apart(desk: Desk, manager: str, tmp_path: Path) -> None:
    scan_id = desk.score(GRADABLE)
    of, scan, _ = chosen(desk, scan_id)
    path = tmp_path / f"scan-{scan_id:08d}.png"
    for reader, share in (("R1", 0.3), ("R1", 0.4), ("R2", 0.2)):
        path.write_bytes(disc(scan.width_px, scan.height_px, share * scan.width_px))
        assert [each.scan_id for each in send(desk, manager, reader, path)] == [scan_id]
    with desk.as_person(manager) as (session, _):
        areas = {item.reader: item.by_hand["faz_area_mm2"] for item in read_outlined(session, of).items}
    first, second = areas["R1"], areas["R2"]
    assert isinstance(first, Measured)
    assert isinstance(second, Measured)
    assert first.value / second.value == pytest.approx(4.0, rel=0.15)
    with session_scope(desk.owner) as session:
        assert len(session.scalars(select(tables.FazOutline.id)).all()) == 3, "nothing is overwritten"
        noted = session.scalars(select(tables.AuditEvent.after).where(tables.AuditEvent.action == "import_outline"))
        assert sorted(after["reader"] for after in noted if after) == ["R1", "R1", "R2"]


def test_who_keeps_no_outlines_is_refused_and_so_is_a_reader_without_a_code(
    desk: Desk, manager: str, tmp_path: Path
) -> None:
    scan_id = desk.score(GRADABLE)
    path = tmp_path / f"scan-{scan_id:08d}.png"
    path.write_bytes(disc(9, 9, 3))
    of, *_ = chosen(desk, scan_id)
    with session_scope(desk.owner) as session:
        study = session.get_one(tables.Study, desk.scene.site.study_id)
        qc = make_member(session, Role.QC_TECHNICIAN, study=study)[1]
    with pytest.raises(NotAllowedError):
        send(desk, qc, "R1", path)
    with pytest.raises(NotAllowedError), desk.as_person(qc) as (session, actor):
        export_to_outline(session, desk.scene.blobs, of, tmp_path, actor=actor)
    with pytest.raises(UsageError, match="A reader's code"):
        send(desk, manager, " / ", path)
    with pytest.raises(UsageError, match="one study, slab and field"), desk.as_person(manager) as (session, actor):
        export_to_outline(session, desk.scene.blobs, ScanFilter(), tmp_path, actor=actor)


def test_ungradable_scans_are_not_sent_out(desk: Desk, manager: str, tmp_path: Path) -> None:
    bad, good = (desk.score(GRADABLE) for _ in range(2))
    of, *_ = chosen(desk, bad)
    with session_scope(desk.owner) as session:
        session.execute(update(tables.Scan).where(tables.Scan.id == bad).values(human_ordinal=0))
    with desk.as_person(manager) as (session, actor):
        path = export_to_outline(session, desk.scene.blobs, of, tmp_path, actor=actor)
    with zipfile.ZipFile(path) as archive:
        assert [name for name in archive.namelist() if "images/" in name] == [f"images/scan-{good:08d}.png"]
