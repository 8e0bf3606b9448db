"""A round asks for masks by the image indices, goes out in the layout of training, and takes back what was drawn."""

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from builders import make_member
from desk import Desk
from lane import GRADABLE
from PIL import Image
from sqlalchemy import select, update
from volume_scans import N_LINES, Eye, draw_eye, make_volume_scan

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import NotAllowedError, NotFoundError, UsageError
from core.store.access import current_actor
from core.store.mask import WantedScan, list_rounds, read_wanted
from core.training.qunet.slices import read_slices
from core.usecases.choose_masks import MOST_OF_A_VOLUME, MaskChoice, choose_masks, foresee_round
from core.usecases.exchange_masks import TakenMask, export_round, import_masks
from core.usecases.prune_storage import prune_blobs
from core.vocabulary import Role, ScanKind


@pytest.fixture
def manager(desk: Desk) -> str:
    """Of the whole study."""
    with session_scope(desk.owner) as session:
        study = session.get_one(tables.Study, desk.scene.site.study_id)
        return make_member(session, Role.MANAGER, study=study)[1]


def scored(desk: Desk, *rows: tuple[float, float, float, float]) -> list[int]:
    """Scans with these blurrinesses, PSNR-inverses, CoVs and means."""
    scan_ids = [desk.score(GRADABLE) for _ in rows]
    with session_scope(desk.owner) as session:
        for scan_id, (blurriness, psnr_inverse, cov, mean) in zip(scan_ids, rows, strict=True):
            values = {"blurriness": blurriness, "psnr_inverse": psnr_inverse, "cov": cov, "mean": mean}
            session.execute(update(tables.Assessment).where(tables.Assessment.scan_id == scan_id).values(**values))
    return scan_ids


def choose(desk: Desk, token: str) -> int:
    with desk.as_person(token) as (session, actor):
        study_id = desk.scene.site.study_id
        return choose_masks(session, actor=actor, study_id=study_id, kind=ScanKind.OCTA_ENFACE)


def wanted(desk: Desk, token: str, round_id: int) -> list[WantedScan]:
    with desk.as_person(token) as (session, _):
        return read_wanted(session, round_id)


def png(width: int, height: int, levels: Sequence[int] = (0, 128)) -> bytes:
    pixels = np.resize(np.array(levels, np.uint8), (height, width))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def send(desk: Desk, token: str, round_id: int, path: Path) -> list[TakenMask]:
    with desk.as_person(token) as (_, actor):
        taken = import_masks(
            lambda: session_scope(desk.dashboard, token=token), desk.scene.blobs, round_id, path, path.name, actor=actor
        )
        return list(taken)


def test_the_sharp_and_quiet_scans_that_differ_are_asked_for_and_never_twice(desk: Desk, manager: str) -> None:
    sharp, twin, other, blurred, noisy = scored(
        desk, (1, 1, 10, 50), (1.1, 1.1, 10.2, 50), (1.2, 1.2, 30, 90), (9, 1, 10, 50), (1, 9, 10, 50)
    )
    round_id = choose(desk, manager)
    assert [scan.scan_id for scan in wanted(desk, manager, round_id)] == [sharp, other]
    with desk.as_person(manager) as (session, _):
        left = foresee_round(session, study_id=desk.scene.site.study_id, kind=ScanKind.OCTA_ENFACE)
        row = list_rounds(session)[0]
    assert {one.scan_id for one, _ in left.wanted} <= {twin, blurred, noisy}
    assert (left.step, left.n_looked_at, row.n_wanted, row.n_drawn) == (1, 3, 2, 0)


def test_once_masks_are_drawn_the_scans_with_the_lowest_agreement_of_levels_come_next(
    desk: Desk, manager: str, tmp_path: Path
) -> None:
    first, low, lower, high = scored(desk, (1, 1, 10, 50), *[(5, 5, 10, 50)] * 3)
    with session_scope(desk.owner) as session:
        for scan_id, q in ((low, 0.5), (lower, 0.2), (high, 0.95)):
            session.execute(
                update(tables.Assessment).where(tables.Assessment.scan_id == scan_id).values(q_level_agreement=q)
            )
    round_id = choose(desk, manager)
    (asked,) = wanted(desk, manager, round_id)
    path = tmp_path / asked.name
    path.write_bytes(png(asked.width_px, asked.height_px))
    assert [taken.scan_id for taken in send(desk, manager, round_id, path)] == [first]
    found = wanted(desk, manager, choose(desk, manager))
    assert [(scan.scan_id, scan.q) for scan in found] == [(lower, 0.2), (low, 0.5)]


def test_a_round_goes_out_as_training_reads_it_and_each_mask_comes_back_or_is_named(
    desk: Desk, manager: str, tmp_path: Path
) -> None:
    scored(desk, (1, 1, 10, 50), (1, 1, 30, 90), (1, 1, 50, 20), (9, 9, 1, 1))
    round_id = choose(desk, manager)
    good, small, smooth = wanted(desk, manager, round_id)
    sent = tmp_path / "masks.zip"
    with zipfile.ZipFile(sent, "w") as archive:
        archive.writestr(f"masks/{good.name}", png(good.width_px, good.height_px, (0, 10, 20)))
        archive.writestr(f"masks/{small.name}", png(8, 8))
        archive.writestr(f"masks/{smooth.name}", png(smooth.width_px, smooth.height_px, range(256)))
        archive.writestr("masks/scan-99999999.png", png(8, 8))
        archive.writestr("masks/broken.png", b"no picture")
        archive.writestr(f"images/{small.name}", png(8, 8))
    taken = send(desk, manager, round_id, sent)
    assert [one.scan_id for one in taken] == [good.scan_id, None, None, None, None]
    codes = [problem.code for one in taken for problem in one.problems]
    assert codes == ["mask_size", "mask_levels", "unknown_mask", "unknown_mask"]

    with desk.as_person(manager) as (session, actor):
        path = export_round(session, desk.scene.blobs, round_id, tmp_path, actor=actor)
    with zipfile.ZipFile(path) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
        masks = [name for name in archive.namelist() if name.startswith("masks/")]
        drawn = np.asarray(Image.open(io.BytesIO(archive.read(masks[0]))))
    assert [row["mask"] for row in rows] == [f"masks/{good.name}", "", ""]
    assert masks == [f"masks/{good.name}"]
    assert set(np.unique(drawn)) == {0, 10, 20}
    with session_scope(desk.owner) as session:
        actions = session.scalars(
            select(tables.AuditEvent.action).where(tables.AuditEvent.entity.in_(("mask_round", "scan")))
        ).all()
    assert {"choose_masks", "import_mask", "export"} <= set(actions)


def test_a_mask_that_came_back_outlives_the_pruning_of_files(desk: Desk, manager: str, tmp_path: Path) -> None:
    scored(desk, (1, 1, 10, 50))
    round_id = choose(desk, manager)
    (asked,) = wanted(desk, manager, round_id)
    path = tmp_path / asked.name
    path.write_bytes(png(asked.width_px, asked.height_px))
    send(desk, manager, round_id, path)
    (there,) = wanted(desk, manager, round_id)
    assert there.mask_sha256 is not None
    prune_blobs(desk.worker, desk.scene.blobs, before=now() + timedelta(days=400))
    assert desk.scene.blobs.exists(there.mask_sha256)


def test_only_managers_and_administrators_ask_for_masks_or_take_images_out(
    desk: Desk, reviewer: str, tmp_path: Path
) -> None:
    scored(desk, (1, 1, 10, 50))
    for refused in (reviewer, desk.hire(Role.MANAGER)):  # the manager of one site does not choose for the study
        with desk.as_person(refused) as (session, actor):
            study_id = desk.scene.site.study_id
            with pytest.raises(NotAllowedError):
                choose_masks(session, actor=actor, study_id=study_id, kind=ScanKind.OCTA_ENFACE)
    with desk.as_person(reviewer) as (session, actor), pytest.raises(NotFoundError):
        export_round(session, desk.scene.blobs, 7, tmp_path, actor=actor)


def test_a_study_without_scored_scans_has_nothing_to_ask_for(desk: Desk, manager: str) -> None:
    with session_scope(desk.dashboard, token=manager) as session:
        actor = current_actor(session)
        assert actor is not None
        with pytest.raises(UsageError, match="lacks a mask"):
            choose_masks(session, actor=actor, study_id=desk.scene.site.study_id, kind=ScanKind.OCTA_ENFACE)


def volumes(desk: Desk, *q_of_bscan: Sequence[float | None]) -> list[int]:
    """Scored volumes whose B-scans have these level agreements, and indices that get worse from the first to the last.

    Their middle B-scans have the same as columns, as a release before this one wrote them.
    """
    with session_scope(desk.owner) as session:
        found = []
        for seed, qs in enumerate(q_of_bscan, start=5):
            scan = make_volume_scan(session, desk.scene.blobs, desk.scene.site, Eye(seed))
            assessment = session.get_one(tables.Assessment, scan.assessment_id)
            assessment.findings = {"doubts": [], "causes": [], "document": {"bscan_indices": listed(qs)}} if qs else {
                "doubts": [], "causes": [], "document": {}
            }  # fmt: skip
            found.append(scan.id)
        return found


def listed(qs: Sequence[float | None]) -> dict[str, list[float | None]]:
    places = [float(at) for at in range(len(qs))]
    return {
        "blurriness": [1 + at for at in places], "psnr_inverse": [1 + at for at in places],
        "cov": [5 * at for at in places], "mean": [50 - 5 * at for at in places], "q_level_agreement": [*qs],
    }  # fmt: skip


def foresee(desk: Desk, token: str) -> MaskChoice:
    with desk.as_person(token) as (session, _):
        return foresee_round(session, study_id=desk.scene.site.study_id, kind=ScanKind.VOLUME)


def choose_bscans(desk: Desk, token: str) -> list[WantedScan]:
    with desk.as_person(token) as (session, actor):
        study_id = desk.scene.site.study_id
        round_id = choose_masks(session, actor=actor, study_id=study_id, kind=ScanKind.VOLUME)
    return wanted(desk, token, round_id)


def test_b_scans_of_a_volume_are_asked_for_one_by_one_go_out_as_images_and_their_masks_come_back(
    desk: Desk, manager: str, tmp_path: Path
) -> None:
    (scan_id,) = volumes(desk, [None] * N_LINES)
    first = choose_bscans(desk, manager)
    assert len(first) > 1
    assert {scan.scan_id for scan in first} == {scan_id}
    assert first[0].bscan_index == 0, "the sharpest and quietest comes first"
    assert len({scan.bscan_index for scan in first}) == len(first)

    with desk.as_person(manager) as (session, actor):
        round_id = list_rounds(session)[0].id
        path = export_round(session, desk.scene.blobs, round_id, tmp_path, actor=actor)
    volume = draw_eye(Eye(5))[0]
    with zipfile.ZipFile(path) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
        for scan, row in zip(first, rows, strict=True):
            assert row["file"] == f"images/{scan.name}"
            assert row["bscan"] == str((scan.bscan_index or 0) + 1)
            pixels = np.asarray(Image.open(io.BytesIO(archive.read(row["file"]))))
            assert np.array_equal(pixels, volume.bscans[int(row["bscan"]) - 1])
    assert len({row["acquisition"] for row in rows}) == 1
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "training")
    assert [picture.record.file for picture in read_slices(tmp_path / "training").pictures] == [
        row["file"] for row in rows
    ]

    second = first[1]
    sent = tmp_path / second.name
    sent.write_bytes(png(second.width_px, second.height_px))
    assert [taken.scan_id for taken in send(desk, manager, round_id, sent)] == [scan_id]
    drawn = [scan.bscan_index for scan in wanted(desk, manager, round_id) if scan.mask_sha256 is not None]
    assert drawn == [second.bscan_index], "the mask of that B-scan and of no other"
    left = foresee(desk, manager)
    assert (left.n_looked_at, left.n_drawn) == (N_LINES - len(first), 1)


def test_where_levels_agree_least_decides_no_volume_fills_the_round_and_no_b_scan_comes_twice(
    desk: Desk, manager: str, tmp_path: Path
) -> None:
    low, mixed = volumes(desk, [0.1 + 0.001 * at for at in range(N_LINES)], [0.9] * (N_LINES - 2) + [0.05, 0.7])
    begun = choose_bscans(desk, manager)
    sent = tmp_path / begun[0].name
    sent.write_bytes(png(begun[0].width_px, begun[0].height_px))
    with desk.as_person(manager) as (session, _):
        send(desk, manager, list_rounds(session)[0].id, sent)
    asked = {(scan.scan_id, scan.bscan_index) for scan in begun}
    found = [(scan.scan_id, scan.bscan_index, scan.q) for scan in choose_bscans(desk, manager)]
    of_low = [at for at in range(N_LINES) if (low, at) not in asked][:MOST_OF_A_VOLUME]
    expected = [(low, at, 0.1 + 0.001 * at) for at in of_low]
    expected += [(mixed, at, q) for at, q in ((N_LINES - 2, 0.05), (N_LINES - 1, 0.7)) if (mixed, at) not in asked]
    assert found == sorted(expected, key=lambda row: row[2])


def test_a_volume_scored_before_its_b_scans_were_measured_is_asked_for_by_its_middle_one_and_not_again_later(
    desk: Desk, manager: str
) -> None:
    (scan_id,) = volumes(desk, [])
    (only,) = choose_bscans(desk, manager)
    assert (only.scan_id, only.bscan_index, only.name) == (scan_id, None, f"scan-{scan_id:08d}.png")
    with session_scope(desk.owner) as session:  # scored anew by this release
        assessment = session.get_one(tables.Assessment, session.get_one(tables.Scan, scan_id).assessment_id)
        document = {"bscan_indices": listed([None] * N_LINES)}
        assessment.findings = {"doubts": [], "causes": [], "document": document}
    assert foresee(desk, manager).n_looked_at == N_LINES - 1
    assert N_LINES // 2 not in {scan.bscan_index for scan in choose_bscans(desk, manager)}
