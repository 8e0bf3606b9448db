"""A `.vol` export through the door of every upload: central image, stored volume, and what the file states."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from volumes import make_volume

from core.intake.canonical import decode_image
from core.intake.scan_file import read_scan_file
from core.intake.volume_blob import decode_volume
from core.phantom.caption import Caption, CaptionStyle, burn_in
from core.phantom.vol_file import vol_chunks
from core.vocabulary import Laterality, ScanKind, ScanPattern
from core.vol_layout import FILE_HEADER_BYTES
from core.volume import OctVolume


def a_volume() -> OctVolume:
    rng = np.random.default_rng(5)
    volume = make_volume(np.full((9, 64), 250.0), n=9, width=64, side_mm=2.4, laterality=Laterality.OS)
    bscans = rng.integers(0, 256, volume.bscans.shape, np.uint8)
    return replace(volume, bscans=bscans, quality_db=(20.0,) * 8 + (29.0,))


def stored(tmp_path: Path, volume: OctVolume) -> Path:
    path = tmp_path / "named like a picture.png"
    path.write_bytes(b"".join(vol_chunks(volume)))
    return path


def test_a_vol_file_is_known_by_its_content_and_kept_whole(tmp_path: Path):
    volume = a_volume()
    scan = read_scan_file(stored(tmp_path, volume), max_megapixels=50)
    assert scan.problems == ()
    assert scan.png is not None
    assert np.array_equal(decode_image(scan.png), volume.bscans[4])
    assert (scan.width_px, scan.height_px) == (64, 100)
    assert scan.volume is not None
    assert np.array_equal(decode_volume(scan.volume).bscans, volume.bscans)


def test_a_vol_file_states_its_kind_eye_field_and_quality(tmp_path: Path):
    origin = read_scan_file(stored(tmp_path, a_volume()), max_megapixels=50).origin
    assert origin is not None
    assert origin.reference is None
    assert origin.facts.entry == {
        "kind": "volume",
        "eye": "OS",
        "field_width_mm": "2.4",
        "field_height_mm": "2.7",
        "device_quality_name": "Quality (dB)",
        "device_quality_value": "21",
    }


@pytest.mark.parametrize("pattern", [ScanPattern.LINE, ScanPattern.CIRCLE])
def test_a_scan_without_a_surface_states_no_field(tmp_path: Path, pattern: ScanPattern):
    origin = read_scan_file(stored(tmp_path, replace(a_volume(), scan_pattern=pattern)), max_megapixels=50).origin
    assert origin is not None
    assert (origin.facts.kind, origin.facts.field_mm) == (ScanKind.VOLUME, None)


def test_a_damaged_vol_file_is_a_scan_file_with_a_problem(tmp_path: Path):
    path = stored(tmp_path, a_volume())
    path.write_bytes(path.read_bytes()[:-1])
    scan = read_scan_file(path, max_megapixels=50)
    assert (scan.png, scan.volume) == (None, None)
    assert [problem.code for problem in scan.problems] == ["damaged"]


@pytest.mark.parametrize("has_text", [True, False])
def test_text_is_looked_for_where_another_program_wrote_the_pictures(tmp_path: Path, has_text: bool):
    speckle = np.random.default_rng(3).integers(20, 90, (1, 300, 400), np.uint8)
    volume, caption = OctVolume(speckle), Caption("DOE JANE 1961-03-14", height_px=16, style=CaptionStyle.ON_BAR)
    picture = burn_in(speckle[0], caption)[0] if has_text else speckle[0]
    data = bytearray(b"".join(vol_chunks(volume)))
    start = FILE_HEADER_BYTES + struct.unpack_from("<i", data, FILE_HEADER_BYTES + 12)[0]
    data[start:] = picture.astype("<f4").tobytes()
    path = tmp_path / "by another program.vol"
    path.write_bytes(data)
    problems = read_scan_file(path, max_megapixels=50).problems
    assert "grey_levels_kept" in {problem.code for problem in problems}
    assert [problem.code for problem in problems if problem.is_blocking] == (["text_in_volume"] if has_text else [])
