"""Masks and Grad-CAMs survive their PNG: 8-bit grey of the scan's own size, readable by any program."""

import io

import numpy as np
import pytest
from PIL import Image

from core.scoring.pictures import decode_mask, encode_cam, encode_mask


@pytest.mark.parametrize("shape", [(304, 304), (1, 1), (40, 300)])
def test_a_mask_comes_back_as_it_was(shape):
    mask = np.random.default_rng(1).random(shape) < 0.3
    np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)


def test_a_mask_is_an_8_bit_grey_picture_of_0_and_255():
    mask = np.zeros((60, 90), np.bool_)
    mask[10:20, 30:] = True
    with Image.open(io.BytesIO(encode_mask(mask)), formats=("PNG",)) as picture:
        assert (picture.mode, picture.size) == ("L", (90, 60))
        np.testing.assert_array_equal(np.asarray(picture), np.where(mask, 255, 0))


def test_a_cam_keeps_its_values_in_255_steps():
    cam = np.random.default_rng(2).random((80, 50), np.float32)
    with Image.open(io.BytesIO(encode_cam(cam)), formats=("PNG",)) as picture:
        np.testing.assert_allclose(np.asarray(picture) / 255, cam, atol=0.51 / 255)
