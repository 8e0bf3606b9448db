"""Frames decoded in a process of its own: nothing is lost, and what leads a decoder astray is one fault of one file."""

import contextlib
import resource
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from dicom_phantoms import compressed, en_face, tomography, written
from lossless_jpeg import lossless_jpeg
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless
from uploads import phantom

from core.errors import UnreadableScanError
from core.intake.readers import frame_child
from core.intake.readers.dicom import iter_frames, read_dicom


def packed_by(dataset: Dataset, frames: Sequence[np.ndarray], how: str) -> Dataset:
    if how.startswith("JPEG lossless"):
        syntax, predictor = (JPEGLossless, 7) if how == "JPEG lossless" else (JPEGLosslessSV1, 1)
        return compressed(dataset, syntax, *(lossless_jpeg(frame, predictor=predictor) for frame in frames))
    syntax, plugin = {"JPEG-LS": (JPEGLSLossless, "pyjpegls"), "RLE": (RLELossless, "pydicom")}[how]
    dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
    return dataset


@pytest.mark.parametrize("how", ["JPEG lossless", "JPEG lossless SV1", "JPEG-LS", "RLE"])
def test_what_is_decoded_in_a_process_of_its_own_loses_nothing(tmp_path: Path, how: str):
    deep = phantom().astype(np.uint16) * 257
    path = written(packed_by(en_face(deep, WindowCenter=None, WindowWidth=None), [deep], how), tmp_path / "deep")
    assert np.array_equal(read_dicom(path, max_megapixels=50).image, phantom())
    volume = np.stack([phantom(), 255 - phantom()])
    path = written(packed_by(tomography(volume), list(volume), how), tmp_path / "volume")
    assert np.array_equal(read_dicom(path, max_megapixels=50).image, volume[1])
    assert np.array_equal(np.stack(list(iter_frames(path, max_megapixels=50))), volume)


def test_a_frame_that_keeps_its_decoder_busy_for_ever_is_one_fault_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dataset = en_face(phantom())
    dataset.compress(JPEGLSLossless, encoding_plugin="pyjpegls", generate_instance_uid=False)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    monkeypatch.setattr(frame_child, "CPU_S", 3)
    path = written(compressed(dataset, JPEGLSLossless, frame[:521]), tmp_path / "object")  # CharLS 2 does not return
    began = time.monotonic()
    with pytest.raises(UnreadableScanError) as raised:
        read_dicom(path, max_megapixels=50)
    assert raised.value.code == "damaged"
    assert time.monotonic() - began > 2, "it was the limit that ended it"


def test_a_frame_that_unpacks_beyond_its_bounds_is_one_fault(tmp_path: Path):
    dataset = en_face(phantom())
    bomb = bytes((1, 0, 0, 0, 64, 0, 0, 0)) + bytes(56) + b"\x81\xff" * 2_000_000
    path = written(compressed(dataset, RLELossless, bomb), tmp_path / "object")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(UnreadableScanError):  # pydicom warns of what is too much, and keeps what is asked for
        assert read_dicom(path, max_megapixels=50).image.shape == phantom().shape
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_where_the_system_sets_no_limit_of_memory_the_parent_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = en_face(phantom())
    dataset.compress(RLELossless, generate_instance_uid=False)
    path = written(dataset, tmp_path / "object")
    monkeypatch.setattr(frame_child, "IS_LIMITED_BY_SYSTEM", False)
    assert np.array_equal(read_dicom(path, max_megapixels=50).image, phantom()), "within the limit nothing is lost"
    monkeypatch.setattr(frame_child, "MEMORY_BYTES", 4 << 20)  # less than Python takes
    with pytest.raises(UnreadableScanError) as raised:
        read_dicom(path, max_megapixels=50)
    assert raised.value.code == "damaged"


def test_the_decoding_process_gets_none_of_our_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OCTAUDIT_DATABASE_URL", "postgresql://owner:secret@host/db")
    assert not [name for name in frame_child.child_environment() if name.startswith("OCTAUDIT")]
