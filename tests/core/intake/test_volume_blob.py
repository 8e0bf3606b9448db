"""The stored form of a volume: nothing lost, the same bytes every time, damage named."""

import hashlib
from dataclasses import fields, replace

import numpy as np
import pytest
from volumes import make_volume

from core.errors import UnreadableScanError
from core.intake.volume_blob import decode_volume, encode_volume
from core.volume import OctVolume


def whole() -> OctVolume:
    rng = np.random.default_rng(7)
    volume = make_volume(np.full((9, 32), 250.0), n=9, width=32)
    assert volume.device_boundaries is not None
    gappy = volume.device_boundaries["ILM"].copy()
    gappy[2, 5:9] = np.nan
    return replace(
        volume,
        bscans=rng.integers(0, 256, volume.bscans.shape, np.uint8),
        quality_db=tuple(float(q) for q in rng.uniform(15, 40, 9)),
        slo=rng.integers(0, 256, (48, 40), np.uint8),
        slo_mm_per_px=0.0114,
        device_boundaries={"BM": volume.device_boundaries["BM"], "ILM": gappy},
    )


def assert_same(first: OctVolume, second: OctVolume) -> None:
    for field in fields(OctVolume):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other), field.name
        elif field.name == "device_boundaries" and one is not None:
            assert one.keys() == other.keys()
            assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)
        else:
            assert one == other, field.name


@pytest.mark.parametrize("volume", [whole(), OctVolume.of_image(np.arange(600, dtype=np.uint8).reshape(20, 30))])
def test_a_volume_comes_back_as_it_was(volume):
    assert_same(volume, decode_volume(encode_volume(volume)))


def test_the_same_volume_gives_the_same_bytes_whatever_order_its_boundaries_came_in():
    volume = whole()
    assert volume.device_boundaries is not None
    turned = replace(volume, device_boundaries=dict(reversed(volume.device_boundaries.items())))
    digests = {hashlib.sha256(encode_volume(each)).hexdigest() for each in (volume, turned, whole()) for _ in range(3)}
    assert len(digests) == 1


@pytest.mark.parametrize("damage", [b"", b"\x00" * 8, b"\xff" * 64, encode_volume(whole())[:500], b"{}" * 40])
def test_a_damaged_blob_is_one_clear_error(damage):
    with pytest.raises(UnreadableScanError) as caught:
        decode_volume(damage)
    assert caught.value.code == "damaged_blob"
