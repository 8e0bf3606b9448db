"""A DICOM tomography object of several frames is a volume: its scales, and its places where it states them."""

from pathlib import Path

import numpy as np
import pytest
from dicom_phantoms import tomography, written
from pydicom import Dataset
from uploads import phantom

from core.errors import UnreadableScanError
from core.intake import dicom_volume
from core.intake.readers.dicom import read_dicom, read_dicom_volume
from core.intake.scan_file import read_scan_file
from core.intake.volume_blob import decode_volume
from core.measures.thickness_map import NO_PLACE, FundusMap, lay_out
from core.vocabulary import Laterality
from core.volume import OctVolume

FRAMES = np.stack([phantom(seed) for seed in range(5)])


def upright(**changes: object) -> Dataset:
    """B-scans as a scanner that states places writes them: along x, depth away from the eye, from the feet up."""
    dataset = tomography(FRAMES, mm=(0.004, 0.02), **changes)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    for index, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        item.PlanePositionSequence[0].ImagePositionPatient = [-1.28, 3.0, 0.12 * index]
    return dataset


def volume_of(dataset: Dataset, tmp_path: Path) -> OctVolume:
    path = written(dataset, tmp_path / "object")
    return read_dicom_volume(path, read_dicom(path, max_megapixels=50).facts, max_megapixels=50)


def test_every_frame_scale_and_the_eye_come_along(tmp_path: Path):
    volume = volume_of(upright(), tmp_path)
    assert np.array_equal(volume.bscans, FRAMES)
    assert (volume.z_mm_per_px, volume.x_mm_per_px) == pytest.approx((0.004, 0.02))
    assert volume.laterality is Laterality.OD


def test_places_in_the_patients_axes_become_places_on_the_fundus(tmp_path: Path):
    volume = volume_of(upright(), tmp_path)
    assert volume.lines_mm is not None
    # Up is towards the head: the first B-scan lies lowest on the image.
    assert volume.lines_mm[:, 1] == pytest.approx([0.48, 0.36, 0.24, 0.12, 0.0])
    assert volume.lines_mm[0] == pytest.approx([0.0, 0.48, 128 * 0.02, 0.48])
    assert isinstance(lay_out(np.full((5, 128), 250, np.float32), volume), FundusMap)


def test_frames_that_do_not_lie_side_by_side_on_the_fundus_have_no_places(tmp_path: Path):
    volume = volume_of(tomography(FRAMES, mm=(0.004, 0.02)), tmp_path)
    assert volume.lines_mm is None
    assert lay_out(np.zeros((5, 128), np.float32), volume) == NO_PLACE


@pytest.mark.parametrize("positions", [None, [1.0, 2.0], ["a", "b", "c"]])
def test_places_that_are_missing_or_no_vectors_cost_the_map_only(tmp_path: Path, positions: list[object] | None):
    dataset = upright()
    place = dataset.PerFrameFunctionalGroupsSequence[3]
    if positions is None:
        del place.PlanePositionSequence
    elif isinstance(positions[0], str):
        place.PlanePositionSequence[0].ImagePositionPatient = []
    else:
        place.PlanePositionSequence[0].ImagePositionPatient = positions
    volume = volume_of(dataset, tmp_path)
    assert volume.lines_mm is None
    assert volume.n_bscans == 5


def test_a_claim_beyond_the_limit_is_refused_before_a_frame_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dicom_volume, "MAX_VOXELS", 1000)
    with pytest.raises(UnreadableScanError) as raised:
        volume_of(upright(), tmp_path)
    assert raised.value.code == "too_large"


def test_an_upload_keeps_the_volume_and_states_the_field_on_the_fundus(tmp_path: Path):
    scan = read_scan_file(written(upright(), tmp_path / "object"), max_megapixels=50)
    assert scan.volume is not None
    assert np.array_equal(decode_volume(scan.volume).bscans, FRAMES)
    assert scan.origin is not None
    assert scan.origin.facts.field_mm == (2.56, 0.6)
    assert scan.origin.reference is not None


def test_a_single_frame_is_no_volume(tmp_path: Path):
    scan = read_scan_file(written(tomography(FRAMES[:1]), tmp_path / "object"), max_megapixels=50)
    assert scan.png is not None
    assert scan.volume is None
