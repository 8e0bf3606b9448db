import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from uploads import phantom, png

from core.errors import UnreadableScanError
from core.intake.readers.raster import RasterScan, read_raster, sniff_format

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")


@pytest.fixture
def read(tmp_path: Path):
    def read(data: bytes, max_megapixels: float = 50.0) -> RasterScan:
        path = tmp_path / "named-like-nothing.dat"
        path.write_bytes(data)
        return read_raster(path, max_megapixels=max_megapixels)

    return read


def saved(picture: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def code_of(read, data: bytes, **options: float) -> str:
    with pytest.raises(UnreadableScanError) as raised:
        read(data, **options)
    assert raised.value.remedy
    return raised.value.code


@pytest.mark.parametrize("format_", FORMATS)
def test_grey_pixels_come_through_and_the_name_plays_no_part(read, format_: str):
    image = phantom()
    scan = read(saved(Image.fromarray(image), format_, **({"quality": 100} if format_ == "JPEG" else {})))
    assert scan.media_type == f"image/{format_.lower()}"
    tolerance = 3 if format_ == "JPEG" else 0
    assert np.abs(scan.image.astype(int) - image).max() <= tolerance
    assert scan.notes == ()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_grey_stored_as_colour_or_palette_stays_exactly_as_it_was(read, mode: str):
    image = phantom()
    scan = read(saved(Image.fromarray(image).convert(mode), "PNG"))
    assert np.array_equal(scan.image, image)


def test_transparent_pixels_become_black(read):
    picture = Image.new("LA", (80, 80), (200, 0))
    picture.paste((200, 255), (0, 0, 40, 80))
    scan = read(saved(picture, "PNG"))
    assert (scan.image[:, :40] == 200).all()
    assert (scan.image[:, 40:] == 0).all()


def test_a_palette_with_a_transparent_entry_is_read(read):
    picture = Image.fromarray(phantom()).convert("P")
    picture.info["transparency"] = 0
    assert read(saved(picture, "PNG", transparency=0)).image.shape == (128, 128)


def test_colour_becomes_brightness_with_a_note(read):
    colour = np.zeros((80, 80, 3), np.uint8)
    colour[..., 0] = 255
    scan = read(saved(Image.fromarray(colour), "PNG"))
    assert (scan.image == 76).all(), "ITU-R BT.601: 0.299 of 255"
    assert [note.code for note in scan.notes] == ["colour_image"]
    assert not scan.notes[0].is_blocking


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bit_values_lose_their_lowest_bits_and_are_not_stretched(read, bits: int, format_: str):
    values = np.linspace(0, (1 << bits) - 1, 80 * 80).astype(np.uint16).reshape(80, 80)
    scan = read(saved(Image.fromarray(values), format_))
    assert np.array_equal(scan.image, values >> (bits - 8))
    assert [note.code for note in scan.notes] == ["scaled_to_8_bit"]


def test_a_dim_16_bit_scan_stays_dim_where_the_file_declares_its_depth(read):
    values = np.full((80, 80), 1000, np.uint16)
    scan = read(saved(Image.fromarray(values), "TIFF", tiffinfo={281: 65535}))
    assert (scan.image == 1000 >> 8).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "TIFF", "PNG"])
def test_an_exif_orientation_is_applied(read, orientation: int, format_: str):
    picture = Image.new("L", (100, 80), 0)
    picture.paste(255, (0, 0, 50, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    scan = read(saved(picture, format_, exif=exif))
    bright_corner = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}
    down, right = bright_corner[orientation]
    height, width = scan.image.shape
    assert (height, width) == ((80, 100) if orientation < 5 else (100, 80))
    assert scan.image[down * (height - 1), right * (width - 1)] > 250
    assert bool(scan.notes) == (orientation != 1)


class TestBadFiles:
    def test_empty(self, read):
        assert code_of(read, b"") == "empty"

    @pytest.mark.parametrize(
        "data", [b"hello", b"%PDF-1.7", b"GIF89a" + b"\0" * 50, b"PK\x03\x04", b"<html>", b"\0" * 100, b"BMW is a car"]
    )
    def test_not_an_image(self, read, data: bytes):
        assert code_of(read, data) == "not_an_image"

    @pytest.mark.parametrize("format_", FORMATS)
    def test_cut_off(self, read, format_: str):
        data = saved(Image.fromarray(phantom()), format_)
        assert code_of(read, data[: len(data) * 2 // 3]) == "damaged"

    def test_one_flipped_bit_in_a_png_is_noticed(self, read):
        data = bytearray(png(phantom()))
        data[len(data) // 2] ^= 1
        assert code_of(read, bytes(data)) == "damaged"

    def test_a_decompression_bomb_is_refused_before_it_is_decoded(self, read):
        header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
        chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
        assert code_of(read, data) == "too_many_pixels"

    def test_more_megapixels_than_allowed(self, read):
        assert code_of(read, png(phantom()), max_megapixels=0.01) == "too_many_pixels"

    def test_a_thumbnail(self, read):
        assert code_of(read, png(np.zeros((63, 200), np.uint8))) == "too_small"

    def test_several_pictures_in_one_file(self, read):
        picture = Image.fromarray(phantom())
        data = saved(picture, "TIFF", save_all=True, append_images=[picture])
        assert code_of(read, data) == "several_pictures"

    @pytest.mark.parametrize("mode", ["1", "F", "I"])
    def test_a_pixel_format_that_no_scan_has(self, read, mode: str):
        data = saved(Image.new(mode, (80, 80)), "TIFF")
        assert code_of(read, data) == "unsupported_depth"


@settings(max_examples=60, deadline=None)
@given(format_=st.sampled_from(FORMATS), at=st.floats(0, 1), byte=st.integers(0, 255), cut=st.floats(0.05, 1))
def test_no_damage_raises_anything_but_an_unreadable_scan(
    tmp_path_factory: pytest.TempPathFactory, format_: str, at: float, byte: int, cut: float
):
    data = bytearray(saved(Image.fromarray(np.arange(80 * 80, dtype=np.uint8).reshape(80, 80)), format_))
    data[min(int(at * len(data)), len(data) - 1)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(bytes(data[: int(cut * len(data)) + 1]))
    try:
        scan = read_raster(path, max_megapixels=1)
    except UnreadableScanError:
        return
    assert scan.image.dtype == np.uint8
    assert scan.image.ndim == 2


def test_a_format_is_known_by_its_first_bytes_only():
    assert sniff_format(b"\x89PNG\r\n\x1a\n") == "PNG"
    assert sniff_format(b"\xff\xd8\xff\xe0") == "JPEG"
    assert sniff_format(b"MM\x00*") == "TIFF"
    assert sniff_format(b"") is None
