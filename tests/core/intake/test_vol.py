"""The `.vol` reader: real files, a written volume, and everything a file can do wrong."""

import resource
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from volumes import make_volume

from core.errors import UnreadableScanError
from core.intake.readers.vol import MAX_VOXELS, is_vol, read_vol
from core.measures.thickness import DeviceThickness, device_thickness
from core.phantom.vol_file import vol_chunks
from core.vocabulary import Laterality, ScanPattern
from core.vol_layout import BSCAN_HEADER, FILE_HEADER_BYTES, HEADER, INVALID
from core.volume import OctVolume

SIZES = 12
"""Offset of SizeX, NumBScans, SizeZ."""


def small_volume(**changes: object) -> OctVolume:
    rng = np.random.default_rng(2)
    volume = make_volume(np.full((5, 24), 250.0), n=5, width=24, side_mm=1.2)
    filled = replace(
        volume,
        bscans=rng.integers(0, 256, (5, 100, 24), np.uint8),
        quality_db=(20.0, 21.5, 22.0, 23.25, 24.0),
        slo=rng.integers(0, 256, (30, 40), np.uint8),
        slo_mm_per_px=0.0625,
    )
    return replace(filled, **changes)


def written(volume: OctVolume) -> bytearray:
    return bytearray(b"".join(vol_chunks(volume)))


def read(tmp_path: Path, data: bytes):
    path = tmp_path / "scan.vol"
    path.write_bytes(data)
    return read_vol(path)


def code_of(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(UnreadableScanError) as caught:
        read(tmp_path, data)
    assert caught.value.remedy
    return caught.value.code


def first_bscan(volume: OctVolume) -> int:
    assert volume.slo is not None
    return FILE_HEADER_BYTES + volume.slo.size


def test_a_written_volume_is_read_back_to_the_last_grey_level(tmp_path: Path):
    volume = small_volume()
    scan = read(tmp_path, written(volume))
    back = scan.volume
    assert scan.notes == ()
    assert np.array_equal(back.bscans, volume.bscans)
    assert np.array_equal(back.lines_mm, volume.lines_mm)
    assert np.array_equal(back.slo, volume.slo)
    assert (back.z_mm_per_px, back.x_mm_per_px, back.slo_mm_per_px) == (0.004, volume.x_mm_per_px, 0.0625)
    assert (back.scan_pattern, back.laterality) == (ScanPattern.VOLUME, Laterality.OD)
    assert back.quality_db == volume.quality_db
    assert volume.device_boundaries is not None
    assert back.device_boundaries is not None
    assert back.device_boundaries.keys() == {"ILM", "BM"}
    assert np.allclose(back.device_boundaries["BM"], volume.device_boundaries["BM"])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "pattern", "quality_db", "mean_um"),
    [
        ("spectralis_circle.vol", ScanPattern.CIRCLE, 31.3, 341.8),
        ("spectralis_circle_2.vol", ScanPattern.CIRCLE, 24.4, 255.4),
        ("spectralis_line.vol", ScanPattern.LINE, 44.6, 316.7),
    ],
)
def test_real_files_give_their_image_place_quality_and_boundaries(real_data, name, pattern, quality_db, mean_um):
    scan = read_vol(real_data / "vendor" / name)
    volume = scan.volume
    assert scan.notes == ()
    assert (volume.bscans.shape, volume.scan_pattern, volume.laterality) == ((1, 496, 768), pattern, Laterality.OD)
    assert volume.quality_db == pytest.approx((quality_db,), abs=0.05)
    assert volume.slo is not None
    assert volume.slo.shape == (768, 768)
    assert volume.z_um_per_px == pytest.approx(3.8717, abs=1e-3)
    device = device_thickness(volume)
    assert isinstance(device, DeviceThickness)
    assert np.nanmean(device.thickness_um) == pytest.approx(mean_um, abs=0.1)
    # Grey levels and rows belong together: between the boundaries it is bright, elsewhere mostly dark.
    assert volume.device_boundaries is not None
    rows = np.arange(496)[:, None]
    retina = (rows >= volume.device_boundaries["ILM"][0]) & (rows < volume.device_boundaries["BM"][0])
    assert volume.bscans[0][retina].mean() > 3 * volume.bscans[0][~retina].mean()


@pytest.mark.real_data
def test_the_file_with_a_wrong_bscan_header_size_is_read_by_what_its_bscans_say(real_data):
    scan = read_vol(real_data / "vendor/synthetic_wrong_bscan_header_size.vol")
    assert scan.volume.bscans.shape == (10, 40, 50)
    assert [note.code for note in scan.notes] == ["grey_levels_kept"]
    assert scan.volume.lines_mm is not None
    assert np.diff(scan.volume.lines_mm[:, 1]) == pytest.approx(np.full(9, -0.0314), abs=1e-3)
    assert scan.volume.quality_db is not None
    assert scan.volume.device_boundaries is None


@pytest.mark.parametrize("claim", [61_440, 256, 0, -5, 2**31 - 1])
def test_a_wrong_header_size_in_the_file_header_changes_nothing(tmp_path: Path, claim: int):
    volume = small_volume()
    data = written(volume)
    struct.pack_into("<i", data, HEADER.size - 4, claim)
    assert np.array_equal(read(tmp_path, data).volume.bscans, volume.bscans)


def test_the_field_of_the_fundus_image_is_what_the_file_says_and_not_thirty_degrees(tmp_path: Path):
    scan = read(tmp_path, written(small_volume(slo_mm_per_px=0.0114 * 15 / 30)))
    assert scan.volume.slo_mm_per_px == pytest.approx(0.0057)


def test_what_stands_behind_the_last_bscan_is_let_be(tmp_path: Path):
    volume = small_volume()
    assert np.array_equal(read(tmp_path, written(volume) + b"\1" * 132).volume.bscans, volume.bscans)


def test_a_file_cut_anywhere_is_one_clear_problem(tmp_path: Path):
    data = written(small_volume())
    for length in [*range(12, 160), *range(160, len(data), 997), len(data) - 1]:
        assert code_of(tmp_path, data[:length]) == "damaged"
    with pytest.raises(UnreadableScanError, match=r"cut off in B-scan 4 of 5"):
        read(tmp_path, data[: len(data) - 2 * (len(data) - first_bscan(small_volume())) // 5 + 40])


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ((0, 5, 100), "absurd_size"),
        ((-24, 5, 100), "absurd_size"),
        ((24, 5, 2**31 - 1), "absurd_size"),
        ((24, 0, 100), "absurd_size"),
        ((24, 2**31 - 1, 100), "absurd_size"),
        ((8192, 5000, 8192), "too_large"),
        ((8192, 5000, 16), "too_large"),
        ((1024, 97, 496), "damaged"),
    ],
)
def test_claims_of_absurd_size_are_refused_before_anything_is_read(tmp_path: Path, sizes, code: str):
    data = written(small_volume())
    struct.pack_into("<3i", data, SIZES, *sizes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert code_of(tmp_path, data) == code
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_file_that_really_has_four_gigabytes_is_refused_without_reading_them(tmp_path: Path):
    data = written(small_volume())
    struct.pack_into("<3i", data, SIZES, 1024, 1500, 700)
    path = tmp_path / "huge.vol"
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(4_400_000_000)  # sparse: takes no disk
    assert MAX_VOXELS < 1024 * 1500 * 700
    with pytest.raises(UnreadableScanError) as caught:
        read_vol(path)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(("width", "height"), [(-1, 30), (2**31 - 1, 2**31 - 1), (40_000, 40_000)])
def test_a_fundus_image_of_absurd_size_is_refused(tmp_path: Path, width: int, height: int):
    data = written(small_volume())
    struct.pack_into("<2i", data, SIZES + 36, width, height)
    assert code_of(tmp_path, data) in {"absurd_size", "damaged"}


def test_the_wrong_byte_order_is_named(tmp_path: Path):
    data = written(small_volume())
    swapped = struct.pack(">" + HEADER.format.removeprefix("<"), *HEADER.unpack(data[: HEADER.size]))
    assert code_of(tmp_path, swapped + data[HEADER.size :]) == "byte_order"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e300])
def test_places_that_are_no_numbers_cost_the_map_and_nothing_else(tmp_path: Path, bad: float):
    volume = small_volume()
    data = written(volume)
    struct.pack_into("<d", data, first_bscan(volume) + 16, bad)
    scan = read(tmp_path, data)
    assert scan.volume.lines_mm is None
    assert [(note.code, note.is_blocking) for note in scan.notes] == [("places_unusable", False)]
    assert np.array_equal(scan.volume.bscans, volume.bscans)


@pytest.mark.parametrize("bad", [float("nan"), 0.0, -1.0, 3.0])
def test_a_depth_scale_that_cannot_be_costs_the_micrometres_only(tmp_path: Path, bad: float):
    data = written(small_volume())
    struct.pack_into("<d", data, SIZES + 28, bad)
    scan = read(tmp_path, data)
    assert scan.volume.z_mm_per_px is None
    assert [note.code for note in scan.notes] == ["depth_scale_unusable"]


def test_values_that_are_none_are_black_and_boundaries_that_are_none_are_missing(tmp_path: Path):
    volume = small_volume(bscans=np.full((5, 100, 24), 128, np.uint8), quality_db=None)
    data = written(volume)
    start = first_bscan(volume)
    rows = struct.unpack_from("<i", data, start + 12)[0]
    values = np.frombuffer(data, "<f4", 24 * 100, start + rows)
    values[:6] = [np.nan, np.inf, -np.inf, INVALID, -1.0, 9.0]
    boundary = np.frombuffer(data, "<f4", 24, start + 256)
    boundary[:5] = [np.nan, np.inf, -3.0, 1e6, 0.0]
    scan = read(tmp_path, data)
    assert scan.volume.bscans[0].ravel()[:7].tolist() == [0, 0, 0, 0, 0, 255, 128]
    assert scan.volume.quality_db is None
    assert scan.volume.device_boundaries is not None
    assert np.isnan(scan.volume.device_boundaries["ILM"][0]).tolist() == [True] * 5 + [False] * 19


def test_a_single_bscan_is_a_volume_of_one(tmp_path: Path):
    volume = small_volume()
    one = replace(
        volume,
        bscans=volume.bscans[:1],
        lines_mm=volume.lines_mm[:1],
        quality_db=None,
        device_boundaries=None,
        scan_pattern=ScanPattern.LINE,
    )
    back = read(tmp_path, written(one)).volume
    assert (back.n_bscans, back.scan_pattern) == (1, ScanPattern.LINE)


def test_no_personal_field_of_the_header_is_anywhere_in_what_is_read(tmp_path: Path):
    data = written(small_volume())
    clean = read(tmp_path, data)
    secret = b"MUSTERMANN^ERIKA"
    for offset in [88, *range(104, FILE_HEADER_BYTES - len(secret), 16)]:
        data[offset : offset + (8 if offset == 88 else 16)] = secret[: 8 if offset == 88 else 16]
    seen = repr(read(tmp_path, data))
    assert "MUSTERMANN" not in seen
    assert seen == repr(clean)


def test_noise_in_the_headers_gives_a_volume_or_a_problem_and_never_another_error(tmp_path: Path):
    volume = small_volume()
    clean = bytes(written(volume))
    start = first_bscan(volume)
    rng = np.random.default_rng(11)
    outcomes = set()
    for _ in range(300):
        data = bytearray(clean)
        where = rng.integers(12, HEADER.size) if rng.random() < 0.6 else start + rng.integers(BSCAN_HEADER.size)
        data[where : where + 4] = rng.bytes(4)
        try:
            read(tmp_path, data)
            outcomes.add("read")
        except UnreadableScanError as error:
            outcomes.add(error.code)
    assert {"read", "damaged", "absurd_size"} <= outcomes


def test_a_file_is_known_by_its_first_bytes():
    assert is_vol(b"HSF-OCT-103\0")
    assert is_vol(b"ep-v0.6.8   ")
    assert not is_vol(b"\x89PNG\r\n\x1a\n")
