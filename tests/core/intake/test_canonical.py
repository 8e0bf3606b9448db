import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from core.errors import UnreadableScanError
from core.intake.canonical import decode_image, encode_image


@settings(deadline=None)
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=300)))
def test_every_image_comes_back_as_it_was(image: np.ndarray):
    assert np.array_equal(decode_image(encode_image(image)), image)


def test_the_bytes_depend_on_the_pixels_alone():
    """Blobs are found by hash: a change here makes every duplicate of an older scan look new."""
    image = (np.arange(70_000, dtype=np.uint32) % 251).astype(np.uint8).reshape(250, 280)
    assert hashlib.sha256(encode_image(image)).hexdigest() == EXPECTED


EXPECTED = "2b5735b2de257e92698843c0968f23221e01b4f74947ea2fa9d0c77f3ba1a919"


def test_nothing_but_pixels_is_in_the_file():
    with Image.open(io.BytesIO(encode_image(np.zeros((64, 64), np.uint8)))) as picture:
        picture.load()
        assert picture.info == {}
        assert picture.mode == "L"


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_something_else_is_refused(data: bytes):
    with pytest.raises(UnreadableScanError):
        decode_image(data)


@pytest.mark.parametrize("image", [np.zeros((0, 5), np.uint8), np.zeros((5, 5)), np.zeros((5, 5, 3), np.uint8)])
def test_only_grey_8_bit_images_are_written(image: np.ndarray):
    with pytest.raises(ValueError, match="uint8"):
        encode_image(image)
