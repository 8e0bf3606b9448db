"""What a DICOM object or a `.vol` export states fills in what nobody said; a PNG of any name is read as before."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_phantoms import en_face, tomography, written
from PIL import Image
from pydicom.uid import RLELossless
from uploads import phantom
from volumes import make_volume

from core.errors import UnreadableScanError
from core.phantom.vol_file import vol_chunks
from core.usecases.collect_files import FileToScore, collect_files
from core.usecases.read_to_score import read_to_score
from core.vocabulary import Laterality, ScaleSource, ScanKind, Slab


@pytest.fixture
def known(tmp_path: Path) -> FileToScore:
    path = written(en_face(phantom()), tmp_path / "scan.dcm")
    return FileToScore(path, path.name)


def test_an_object_states_its_field_slab_and_eye(known: FileToScore):
    pixels = read_to_score(known, ScanKind.OCTA_ENFACE, max_megapixels=50)
    image, file = pixels.image, pixels.file
    assert np.array_equal(image, phantom())
    assert file.scale_source is ScaleSource.FILE
    assert file.field_mm is not None
    assert file.slab is not Slab.UNKNOWN
    assert file.laterality in set(Laterality)


def test_what_somebody_said_goes_first(known: FileToScore):
    said = replace(
        known, field_mm=(4.5, 4.5), scale_source=ScaleSource.MANIFEST, slab=Slab.DEEP, laterality=Laterality.OS
    )
    assert read_to_score(said, ScanKind.OCTA_ENFACE, max_megapixels=50).file == said


def test_an_object_of_another_kind_is_refused_with_the_kind_to_ask_for(tmp_path: Path):
    path = written(tomography(np.stack([phantom()] * 3)), tmp_path / "volume.dcm")
    file = FileToScore(path, path.name)
    with pytest.raises(UnreadableScanError, match="of kind volume") as raised:
        read_to_score(file, ScanKind.OCTA_ENFACE, max_megapixels=50)
    assert (raised.value.code, raised.value.remedy) == ("kind_differs_from_file", "Score it with --kind volume.")
    assert read_to_score(file, ScanKind.BSCAN, max_megapixels=50).image.shape == phantom().shape


def test_an_object_that_names_both_eyes_is_refused(tmp_path: Path):
    path = written(en_face(phantom(), Laterality="R", ImageLaterality="L"), tmp_path / "scan.dcm")
    with pytest.raises(UnreadableScanError):
        read_to_score(FileToScore(path, path.name), ScanKind.OCTA_ENFACE, max_megapixels=50)


def test_dicom_is_found_in_folders_and_packed_objects_are_read(tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    dataset = en_face(phantom())
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    written(dataset, folder / "b.dcm")
    Image.fromarray(phantom()).save(folder / "a.png")
    files = collect_files([folder], out=tmp_path / "out", field_mm=None, slab=Slab.UNKNOWN, manifest=None)
    assert [file.name for file in files] == ["a.png", "b.dcm"]
    for file in files:
        assert np.array_equal(read_to_score(file, ScanKind.OCTA_ENFACE, max_megapixels=50).image, phantom())


def test_every_frame_of_a_dicom_volume_is_scored(tmp_path: Path):
    frames = np.stack([phantom(seed) for seed in range(4)])
    path = written(tomography(frames, mm=(0.004, 0.02)), tmp_path / "volume.dcm")
    pixels = read_to_score(FileToScore(path, path.name), ScanKind.VOLUME, max_megapixels=50)
    assert pixels.volume is not None
    assert np.array_equal(pixels.volume.bscans, frames)
    assert np.array_equal(pixels.image, frames[2])


def vol_file(folder: Path, **changes: object) -> FileToScore:
    rng = np.random.default_rng(1)
    volume = make_volume(n=7, width=64, side_mm=1.6)
    volume = replace(volume, bscans=rng.integers(0, 256, volume.bscans.shape, np.uint8), **changes)
    path = folder / "scan.vol"
    path.write_bytes(b"".join(vol_chunks(volume)))
    return FileToScore(path, path.name)


def test_a_vol_file_comes_whole_with_its_eye_and_field(tmp_path: Path):
    pixels = read_to_score(vol_file(tmp_path), ScanKind.VOLUME, max_megapixels=50)
    assert pixels.volume is not None
    assert pixels.volume.n_bscans == 7
    assert np.array_equal(pixels.image, pixels.volume.bscans[3])
    assert (pixels.file.laterality, pixels.file.scale_source) == (Laterality.OD, ScaleSource.FILE)
    assert pixels.file.field_mm == pytest.approx((1.6, 1.87))


def test_the_central_bscan_of_a_vol_file_may_be_scored_alone_but_not_as_an_en_face_image(tmp_path: Path):
    file = vol_file(tmp_path)
    assert read_to_score(file, ScanKind.BSCAN, max_megapixels=50).volume is None
    with pytest.raises(UnreadableScanError, match="Score it with --kind volume"):
        read_to_score(file, ScanKind.OCTA_ENFACE, max_megapixels=50)


def test_vol_files_are_found_in_folders(tmp_path: Path):
    vol_file(tmp_path)
    files = collect_files([tmp_path], out=tmp_path / "out", field_mm=None, slab=Slab.UNKNOWN, manifest=None)
    assert [file.name for file in files] == ["scan.vol"]
