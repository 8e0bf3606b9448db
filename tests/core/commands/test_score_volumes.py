"""`octaudit score --kind volume` on good and bad `.vol` files together: one clear answer for each, nothing lost."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from volume_scans import Eye, draw_eye

from core.commands.score import command
from core.phantom.vol_file import vol_chunks
from core.vocabulary import ScanPattern
from core.vol_layout import FILE_HEADER_BYTES, HEADER

PERSON = b"MUSTERMANN^ERIKA"


def files():
    """Name -> bytes of a file."""
    good, borders, _ = draw_eye(Eye())
    whole = bytearray(b"".join(vol_chunks(good)))
    whole[88:96] = PERSON[:8]
    for offset in range(HEADER.size, FILE_HEADER_BYTES - len(PERSON), 512):
        whole[offset : offset + len(PERSON)] = PERSON
    swapped = struct.pack(">" + HEADER.format.removeprefix("<"), *HEADER.unpack(whole[: HEADER.size]))
    first = slice(0, 1)
    one = replace(
        good, bscans=good.bscans[first], lines_mm=good.lines_mm[first], quality_db=good.quality_db[first],
        device_boundaries=None, scan_pattern=ScanPattern.LINE,
    )  # fmt: skip
    rows = int(np.nanmax(borders[:, 0])) + 4
    lifted = np.zeros_like(good.bscans)
    lifted[:, :-rows] = good.bscans[:, rows:]
    return {
        "a-good": whole,
        "b-cut": whole[: len(whole) // 2],
        "c-swapped": swapped + whole[HEADER.size :],
        "d-one": b"".join(vol_chunks(one)),
        "e-black": b"".join(vol_chunks(replace(good, bscans=np.zeros_like(good.bscans), device_boundaries=None))),
        "f-leaving": b"".join(vol_chunks(replace(good, bscans=lifted, device_boundaries=None))),
    }


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    for name, data in files().items():
        (folder / f"{name}.vol").write_bytes(data)
    out = folder / "out"
    arguments = [str(folder), "--out", str(out), "--kind", "volume", "--device", "cpu"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    text = (out / "results.jsonl").read_text()
    records = {record["file"].removesuffix(".vol"): record for record in map(json.loads, text.splitlines())}
    return done, records, text


def codes(record):
    return [reason["code"] for reason in record["reasons"]]


def test_bad_files_exit_with_3_and_every_file_has_its_record(scored):
    done, records, _ = scored
    assert done.exit_code == 3
    assert "4 scored, 2 failed" in done.output
    assert list(records) == sorted(files())


def test_a_file_that_is_cut_off_or_turned_round_says_so_and_what_to_do(scored):
    errors = [scored[1][name]["error"] for name in ("b-cut", "c-swapped")]
    assert [error["code"] for error in errors] == ["damaged", "byte_order"]
    assert all(error["remedy"] for error in errors)


def test_a_good_volume_has_its_sectors_and_one_b_scan_says_why_it_has_none(scored):
    good, one = (scored[1][name]["thickness"] for name in ("a-good", "d-one"))
    assert 200 < good["central_subfield_um"] < 320
    assert "line scan" in one["map"]["not_computable"]
    assert one["etdrs_um"] == one["map"]
    assert one["mean_um"] > 200


def test_no_retina_and_a_retina_that_leaves_the_frame_are_faults_of_the_capture(scored):
    black, leaving = scored[1]["e-black"], scored[1]["f-leaving"]
    assert black["thickness"]["mean_um"] == {"not_computable": "no retina was found"}
    assert black["verdict"] == leaving["verdict"] == "review"
    assert leaving["capture"]["leaving_fraction"] > 0.5
    assert "oscar-ib:O" in codes(leaving)


def test_nothing_of_the_person_in_the_header_is_in_the_results(scored):
    assert "MUSTERMANN" not in scored[2]
