import io
from pathlib import Path

import numpy as np
import pytest
from dicom_phantoms import (
    DISC,
    MM,
    OCT_SCANNER,
    SECRETS,
    STRUCTURE,
    compressed,
    en_face,
    filled,
    packed,
    photograph,
    quality_rating,
    tomography,
    written,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import Dataset
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)
from uploads import phantom

from core.errors import UnreadableScanError
from core.intake.readers.dicom import HEADER_LIMIT_BYTES, DicomScan, is_dicom, iter_frames, read_dicom
from core.vocabulary import Laterality, ScanKind, Slab


@pytest.fixture
def read(tmp_path: Path):
    def read(dataset: Dataset, max_megapixels: float = 50.0) -> DicomScan:
        return read_dicom(written(dataset, tmp_path / "object"), max_megapixels=max_megapixels)

    return read


def code_of(read, dataset: Dataset, **options: float) -> str:
    with pytest.raises(UnreadableScanError) as raised:
        read(dataset, **options)
    assert raised.value.remedy
    assert raised.value.__cause__ is None, "a cause could quote a name"
    return raised.value.code


def saved(image: np.ndarray, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format_, **options)
    return buffer.getvalue()


def codes(scan: DicomScan) -> list[str]:
    return [note.code for note in scan.notes]


def test_an_en_face_object_gives_its_pixels_and_everything_the_manifest_asks(read):
    image = phantom()
    scan = read(en_face(image, OphthalmicEnFaceImageQualityRatingSequence=[quality_rating(68)]))
    assert np.array_equal(scan.image, image)
    assert scan.facts.entry == {
        "kind": "octa-enface", "slab": "superficial", "eye": "OD", "acquired_at": "2026-03-02T09:30:15",
        "field_width_mm": "1.28", "field_height_mm": "1.28", "software_version": "2017.1.0.155",
        "device_quality_name": "Signal Strength Index", "device_quality_value": "68",
    }  # fmt: skip
    assert (scan.facts.manufacturer, scan.facts.model, scan.facts.serial) == ("Optovue", "AngioVue", "SN-77")
    assert scan.notes == ()


def test_a_volume_has_its_scale_in_the_functional_groups_and_its_frames_come_one_by_one(read, tmp_path: Path):
    volume = np.stack([phantom(seed) for seed in range(5)])
    scan = read(tomography(volume, mm=(0.004, 0.02)))
    assert np.array_equal(scan.image, volume[2]), "the middle B-scan stands for the volume"
    assert (scan.facts.kind, scan.facts.frames) == (ScanKind.VOLUME, 5)
    assert scan.facts.field_mm == (128 * 0.02, 128 * 0.004)
    frames = iter_frames(tmp_path / "object", max_megapixels=50)
    assert np.array_equal(np.stack(list(frames)), volume)


def test_one_tomographic_frame_is_a_b_scan(read):
    assert read(tomography(phantom()[None])).facts.kind is ScanKind.BSCAN


@pytest.mark.parametrize(
    ("tags", "eye", "code"),
    [
        ({"ImageLaterality": "L"}, Laterality.OS, None),
        ({"ImageLaterality": None, "Laterality": "L"}, Laterality.OS, None),
        ({"ImageLaterality": None}, None, None),
        ({"ImageLaterality": "U", "Laterality": "R"}, Laterality.OD, None),
        ({"ImageLaterality": "R", "Laterality": "L"}, None, "laterality_conflict"),
        ({"ImageLaterality": "B"}, None, "laterality_of_no_eye"),
    ],
)
def test_the_eye_is_read_from_series_and_image(read, tags: dict, eye: Laterality | None, code: str | None):
    scan = read(en_face(phantom(), **tags))
    assert scan.facts.eye is eye
    assert codes(scan) == ([code] if code else [])


def test_a_frame_that_names_the_other_eye_is_a_problem_naming_both_tags(read):
    volume = phantom()[None]
    dataset = tomography(volume, eye="L", ImageLaterality="R")
    scan = read(dataset)
    (problem,) = [note for note in scan.notes if note.code == "laterality_conflict"]
    assert problem.is_blocking
    assert "Image Laterality (0020,0062) says R, Frame Laterality (0020,9072) says L" in problem.message
    for frame in (
        tomography(volume, eye="", ImageLaterality=None, Laterality=""),
        tomography(volume, eye="L", ImageLaterality=None),
    ):
        assert read(frame).facts.eye in {None, Laterality.OS}


def test_frames_that_disagree_about_the_scale_give_none(read):
    dataset = tomography(np.stack([phantom(), phantom(2)]))
    dataset.PerFrameFunctionalGroupsSequence[1].PixelMeasuresSequence = [filled(PixelSpacing=[0.005, 0.01])]
    scan = read(dataset)
    assert scan.facts.field_mm is None
    assert codes(scan) == ["scale_conflict"]


@pytest.mark.parametrize(
    ("spacing", "code"), [(None, "scale_missing"), ([1.0, 1.0], "scale_implausible"), ([0.0, 0.01], "scale_missing")]
)
def test_a_scale_that_is_missing_or_cannot_be_is_not_guessed(read, spacing: list[float] | None, code: str):
    scan = read(en_face(phantom(), PixelSpacing=spacing))
    assert scan.facts.field_mm is None
    assert codes(scan) == [code]
    assert "field_width_mm" not in scan.facts.entry


@pytest.mark.parametrize(
    ("value", "slab"),
    [
        ("128265", Slab.SUPERFICIAL),
        ("128269", Slab.DEEP),
        ("128259", Slab.FULL_RETINA),
        ("128273", Slab.CHORIOCAPILLARIS),
        ("128271", Slab.UNKNOWN),
    ],
)
def test_the_slab_is_that_of_the_image_type(read, value: str, slab: Slab):
    assert read(en_face(phantom(), what=(value, "DCM", "flow"))).facts.slab is slab


def test_an_image_of_the_optic_disc_is_of_that_kind(read):
    from dicom_phantoms import code

    assert read(en_face(phantom(), AnatomicRegionSequence=[code(*DISC)])).facts.kind is ScanKind.ONH_ENFACE


def test_a_structural_en_face_image_is_no_octa(read):
    scan = read(en_face(phantom(), what=STRUCTURE))
    assert codes(scan) == ["no_flow_image"]
    assert scan.notes[0].is_blocking
    assert STRUCTURE[2] in scan.notes[0].message


def test_a_photograph_is_read_and_said_not_to_be_scored(read):
    colour = np.zeros((80, 80, 3), np.uint8)
    colour[..., 0] = 255
    scan = read(photograph(colour))
    assert (scan.image == 76).all(), "ITU-R BT.601: 0.299 of 255"
    assert codes(scan) == ["photograph_not_scored", "scale_missing", "colour_image"]


def test_a_grey_photograph_of_an_oct_scanner_may_be_an_en_face_image(read):
    scan = read(photograph(phantom(), device=OCT_SCANNER, PixelSpacing=[MM, MM]))
    assert codes(scan) == ["photograph_of_oct"]
    assert not scan.notes[0].is_blocking


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("kind", ["u2", "i2"])
def test_deep_values_lose_their_lowest_bits_and_are_not_stretched(read, bits: int, kind: str):
    values = np.linspace(0, (1 << bits) - 1, 80 * 80).astype(np.int64).reshape(80, 80)
    stored = (values - (1 << (bits - 1)) if kind == "i2" else values).astype(kind)
    scan = read(en_face(stored, BitsStored=bits, HighBit=bits - 1, WindowCenter=None, WindowWidth=None))
    assert np.array_equal(scan.image, values >> (bits - 8))
    assert codes(scan) == ["scaled_to_8_bit"]


def test_a_stated_window_is_applied_and_said(read):
    values = np.tile(np.arange(256, dtype=np.uint16) * 16, (64, 1))
    scan = read(en_face(values, BitsStored=12, HighBit=11, WindowCenter=1024.5, WindowWidth=2049))
    expected = np.clip(np.rint(values[0] / 2048 * 255), 0, 255)
    assert np.array_equal(scan.image[0], expected)
    assert codes(scan) == ["window_applied"]


def test_monochrome1_is_inverted(read):
    image = phantom()
    scan = read(en_face(image, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"))
    assert np.array_equal(scan.image, 255 - image)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_uncompressed_syntax_gives_the_same_pixels(tmp_path: Path, syntax: UID):
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    dataset = en_face(values, WindowCenter=None, WindowWidth=None)
    dataset.PixelData = values.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(
        buffer, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian, enforce_file_format=True
    )
    (tmp_path / "object").write_bytes(buffer.getvalue())
    assert np.array_equal(read_dicom(tmp_path / "object", max_megapixels=50).image, values >> 8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lossless_compression_loses_nothing(read, dtype: type):
    image = phantom().astype(dtype) * (257 if dtype is np.uint16 else 1)
    frame = saved(image, "JPEG2000", irreversible=False, no_jp2=True)
    scan = read(compressed(en_face(image, WindowCenter=None, WindowWidth=None), JPEG2000Lossless, frame))
    assert np.array_equal(scan.image, phantom())


def test_lossy_compression_is_read(read):
    image = phantom()
    scan = read(compressed(en_face(image), JPEGBaseline8Bit, saved(image, "JPEG", quality=98)))
    assert np.abs(scan.image.astype(int) - image).max() <= 5


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, UID("1.2.3.4")])
def test_a_packing_that_is_not_read_is_named(tmp_path: Path, syntax: UID):
    dataset = compressed(en_face(phantom()), syntax, b"\xff\xd8\xff\xd9")
    dataset.preamble = bytes(128)
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=False, little_endian=True, force_encoding=True)
    (tmp_path / "object").write_bytes(buffer.getvalue())
    with pytest.raises(UnreadableScanError) as raised:
        read_dicom(tmp_path / "object", max_megapixels=50)
    assert raised.value.code == "transfer_syntax"
    assert syntax.name in raised.value.message or "unknown" in raised.value.message


def test_a_frame_that_claims_another_size_than_the_header_is_not_decoded(read):
    small = saved(phantom(), "JPEG2000", irreversible=False, no_jp2=True)
    for claimed in (np.zeros((64, 64), np.uint8), np.zeros((512, 512), np.uint8)):
        assert code_of(read, compressed(en_face(claimed), JPEG2000, small)) == "damaged"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Rows": 20_000, "Columns": 20_000}, "too_many_pixels"),
        ({"NumberOfFrames": 100_000}, "too_many_frames"),
        ({"NumberOfFrames": 4}, "damaged"),
        ({"Rows": 32}, "too_small"),
        ({"Rows": None}, "no_pixels"),
        ({"BitsAllocated": 32}, "unsupported_depth"),
        ({"PhotometricInterpretation": "CIELAB"}, "unsupported_depth"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette_missing"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "not_ophthalmic"),
        (
            {"StudyDescription": "x" * 10, "RedPaletteColorLookupTableData": b"\0" * (HEADER_LIMIT_BYTES + 2)},
            "header_too_large",
        ),
    ],
)
def test_what_cannot_or_must_not_be_read_is_one_clear_fault(read, changes: dict, code: str):
    assert code_of(read, en_face(phantom(), **changes)) == code


def test_an_object_without_pixels_says_so(read):
    dataset = en_face(phantom())
    del dataset.PixelData
    assert code_of(read, dataset) == "no_pixels"


def test_an_object_that_nothing_could_refer_to_is_noted(read):
    dataset = en_face(phantom())
    dataset.SeriesInstanceUID = ""
    scan = read(dataset)
    assert scan.reference is None
    assert codes(scan) == ["dicom_without_uids"]


def test_nothing_of_patient_institution_or_operator_is_in_what_was_read(read):
    dataset = en_face(phantom())
    assert all(secret.encode() in packed(dataset) for secret in SECRETS if "^" not in secret)
    scan = read(dataset)
    told = f"{scan.facts} {scan.facts.as_document()} {scan.notes} {scan.reference}"
    assert not any(secret in told for secret in SECRETS)
    assert str(dataset.StudyInstanceUID) not in told, "a UID is for the result alone"


def test_facts_survive_their_storage(read):
    facts = read(en_face(phantom(), OphthalmicEnFaceImageQualityRatingSequence=[quality_rating(68)])).facts
    assert type(facts).from_document(facts.as_document()) == facts


OBJECT = packed(en_face(phantom()))
PACKED = packed(
    compressed(tomography(np.stack([phantom()] * 2)), JPEG2000, *[saved(phantom(), "JPEG2000", no_jp2=True)] * 2)
)


@pytest.mark.parametrize("source", [OBJECT, PACKED])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_object_cut_anywhere_is_refused_in_one_sentence(tmp_path: Path, source: bytes, data: st.DataObject):
    cut = source[: data.draw(st.integers(0, len(source) - 64))]
    (tmp_path / "object").write_bytes(cut)
    with pytest.raises(UnreadableScanError):
        read_dicom(tmp_path / "object", max_megapixels=50)
    assert is_dicom(cut) == (len(cut) >= 132)


@pytest.mark.parametrize("source", [OBJECT, PACKED])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_give_a_picture_or_one_clear_fault(tmp_path: Path, source: bytes, data: st.DataObject):
    damaged = bytearray(source)
    header = len(source) - (128 * 128 if source is OBJECT else 0)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(132, header - 1))] ^= data.draw(st.integers(1, 255))
    (tmp_path / "object").write_bytes(bytes(damaged))
    try:
        image = read_dicom(tmp_path / "object", max_megapixels=50).image
    except UnreadableScanError:
        return
    assert image.dtype == np.uint8
    assert min(image.shape) >= 64
