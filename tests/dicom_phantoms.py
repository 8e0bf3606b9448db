"""DICOM objects for tests, written from simulated scans with known truth: OPT, OPT En Face, Ophthalmic Photography.

Import as `from dicom_phantoms import en_face`. Each builder returns a complete object of its IOD (checked with dciodvfy
in tests/core/intake/test_dicom_phantoms.py); keywords change attributes, None removes one. The patient is named, so
that a test can ask whether the name went anywhere.
"""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

SECRETS = ("GEHEIMRAT", "19470311", "KLINIK AM SEE", "OPERATOR^ODA", "MRN-4711")
"""What no database, log or export may hold: name, birth date, institution, operator, chart number."""
ROOT = "1.2.826.0.1.3680043.10.1234"
CLASS = "1.2.840.10008.5.1.4.1.1.77.1.5"
RETINA = ("5665001", "SCT", "Retina")
DISC = ("81016008", "SCT", "Optic nerve head")
SUPERFICIAL = ("128265", "DCM", "Superficial retina vasculature flow")
DEEP = ("128269", "DCM", "Deep retina vasculature flow")
STRUCTURE = ("128264", "DCM", "Superficial retina structural reflectance map")
OCT_SCANNER = ("392012008", "SCT", "Optical Coherence Tomography Scanner")
FUNDUS_CAMERA = ("409898007", "SCT", "Fundus Camera")
MM = 0.01
EMPTY = object()
"""An attribute that is there without a value (type 2)."""


def code(value: str, scheme: str, meaning: str) -> Dataset:
    return filled(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def filled(**values: object) -> Dataset:
    dataset = Dataset()
    for name, value in values.items():
        if value is None:
            if name in dataset:
                delattr(dataset, name)
            continue
        setattr(dataset, name, None if value is EMPTY else value)
    return dataset


def en_face(
    image: NDArray[np.generic], *, what: tuple[str, str, str] = SUPERFICIAL, mm: float = MM, **changes: object
) -> Dataset:
    """An OPT En Face object of one slab; ``mm`` is its pixel spacing."""
    values = common(f"{CLASS}.7", "OPTENF", 7) | pixels(image) | {
        "ImageType": ["DERIVED", "PRIMARY"],
        "SourceImageSequence": [derived_from()],
        "DerivationAlgorithmSequence": [algorithm("128255", "OCT-A amplitude decorrelation")],
        "OphthalmicImageTypeCodeSequence": [code(*what)],
        "ReferencedSurfaceMeshIdentificationSequence": [surface(1), surface(2)],
        "PatientOrientation": ["L", "F"],
        "PixelSpacing": [mm, mm],
        "WindowCenter": 128, "WindowWidth": 256,
        "RecognizableVisualFeatures": "NO",
        "AnatomicRegionSequence": [code(*RETINA)],
        "FrameOfReferenceUID": f"{ROOT}.9", "PositionReferenceIndicator": "",
        "AcquisitionDateTime": "20260302093015", "AcquisitionNumber": 1,
        "SeriesNumber": 7,
    }  # fmt: skip
    return finish(values, image, changes)


def tomography(
    frames: NDArray[np.generic], *, mm: tuple[float, float] = (0.004, 0.01), eye: str = "R", **changes: object
) -> Dataset:
    """An OPT object of B-scans (frame, row, column); the spacing is in the functional groups and nowhere else."""
    n = len(frames)
    shared = filled(
        PixelMeasuresSequence=[filled(PixelSpacing=list(mm), SliceThickness=0.05)],
        PlaneOrientationSequence=[filled(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])],
        FrameAnatomySequence=[filled(FrameLaterality=eye, AnatomicRegionSequence=[code(*RETINA)])],
    )
    per_frame = [
        filled(
            FrameContentSequence=[
                filled(
                    FrameAcquisitionDateTime="20260302093015", FrameReferenceDateTime="20260302093015",
                    FrameAcquisitionDuration=10.0, StackID="1", InStackPositionNumber=index + 1,
                    DimensionIndexValues=[1, index + 1],
                )
            ],
            PlanePositionSequence=[filled(ImagePositionPatient=[0, 0, index * 0.05])],
        )
        for index in range(n)
    ]  # fmt: skip
    values = common(f"{CLASS}.4", "OPT", 4) | pixels(frames[0]) | {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "ImageLaterality": eye,
        "NumberOfFrames": n,
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": per_frame,
        "DimensionOrganizationSequence": [filled(DimensionOrganizationUID=f"{ROOT}.8")],
        "DimensionIndexSequence": [
            dimension(0x00209056, 0x00209111), dimension(0x00209057, 0x00209111),
        ],
        "AcquisitionContextSequence": [],
        "AcquisitionDateTime": "20260302093015", "AcquisitionDuration": 1.5, "AcquisitionNumber": 1,
        "InConcatenationNumber": 1, "InConcatenationTotalNumber": 1, "ConcatenationFrameOffsetNumber": 0,
        "OphthalmicAnatomicReferencePointXCoordinate": EMPTY, "OphthalmicAnatomicReferencePointYCoordinate": EMPTY,
        "OphthalmicVolumetricPropertiesFlag": "YES",
        "DetectorType": "CCD",
        "AcquisitionDeviceTypeCodeSequence": [code(*OCT_SCANNER)],
        "LightPathFilterTypeStackCodeSequence": [],
        "DepthSpatialResolution": 7.0, "MaximumDepthDistortion": 0.5,
        "AlongScanSpatialResolution": 20.0, "MaximumAlongScanDistortion": 0.5,
        "AcrossScanSpatialResolution": 20.0, "MaximumAcrossScanDistortion": 0.5,
        "IlluminationWaveLength": 840.0, "IlluminationPower": 750.0, "IlluminationBandwidth": 45.0,
        "EmmetropicMagnification": EMPTY, "HorizontalFieldOfView": 20.0, "RefractiveStateSequence": [],
        "PupilDilated": "", "AxialLengthOfTheEye": 24.0, "IntraOcularPressure": EMPTY,
        "AnatomicRegionSequence": [code(*RETINA)],
        "FrameOfReferenceUID": f"{ROOT}.9", "PositionReferenceIndicator": "",
        "SynchronizationFrameOfReferenceUID": f"{ROOT}.10", "SynchronizationTrigger": "NO TRIGGER",
        "AcquisitionTimeSynchronized": "N",
    }  # fmt: skip
    return finish(values, frames, changes)


def photograph(
    image: NDArray[np.generic], *, device: tuple[str, str, str] = FUNDUS_CAMERA, **changes: object
) -> Dataset:
    """An Ophthalmic Photography object, grey (row, column) or RGB (row, column, 3), of 8 or 16 bits."""
    is_wide = image.dtype.itemsize > 1
    values = common(f"{CLASS}.{2 if is_wide else 1}", "OP", 1) | pixels(image) | {
        "ImageType": ["ORIGINAL", "PRIMARY", "", "COLOR"] if image.ndim == 3 else ["ORIGINAL", "PRIMARY", "", "RED"],
        "PatientOrientation": ["L", "F"],
        "AcquisitionDateTime": "20260302093015",
        "NumberOfFrames": 1, "FrameIncrementPointer": 0x00181063, "FrameTime": 1.0,
        "PatientEyeMovementCommanded": "NO", "EmmetropicMagnification": EMPTY, "IntraOcularPressure": EMPTY,
        "HorizontalFieldOfView": 45.0, "PupilDilated": "", "RefractiveStateSequence": [],
        "DetectorType": "CCD",
        "AcquisitionDeviceTypeCodeSequence": [code(*device)],
        "IlluminationTypeCodeSequence": [], "LightPathFilterTypeStackCodeSequence": [],
        "ImagePathFilterTypeStackCodeSequence": [], "LensesCodeSequence": [],
        "ChannelDescriptionCodeSequence": [code("371240000", "SCT", "Red")],
        "AnatomicRegionSequence": [code(*RETINA)],
        "SynchronizationFrameOfReferenceUID": f"{ROOT}.10", "SynchronizationTrigger": "NO TRIGGER",
        "AcquisitionTimeSynchronized": "N",
    }  # fmt: skip
    if image.ndim == 3:
        values["ChannelDescriptionCodeSequence"] = None
    return finish(values, image, changes)


def common(class_uid: str, modality: str, series: int) -> dict[str, object]:
    """Patient, study, series and equipment, with everything that must not travel on."""
    return {
        "SOPClassUID": class_uid, "SOPInstanceUID": f"{ROOT}.{20 + series}.1",
        "PatientName": f"{SECRETS[0]}^HANS", "PatientID": SECRETS[4], "PatientBirthDate": SECRETS[1], "PatientSex": "M",
        "StudyInstanceUID": f"{ROOT}.1", "StudyID": "1", "AccessionNumber": "A1", "StudyDate": "20260302",
        "StudyTime": "093000", "ReferringPhysicianName": "DR^HAUS",
        "SeriesInstanceUID": f"{ROOT}.{20 + series}", "SeriesNumber": series, "Modality": modality,
        "InstitutionName": SECRETS[2], "OperatorsName": SECRETS[3],
        "Manufacturer": "Optovue", "ManufacturerModelName": "AngioVue", "DeviceSerialNumber": "SN-77",
        "SoftwareVersions": "2017.1.0.155",
        "InstanceNumber": 1, "ContentDate": "20260302", "ContentTime": "093015", "ImageLaterality": "R",
        "BurnedInAnnotation": "NO", "LossyImageCompression": "00", "PresentationLUTShape": "IDENTITY",
    }  # fmt: skip


def pixels(image: NDArray[np.generic]) -> dict[str, object]:
    bits = 8 * image.dtype.itemsize
    is_colour = image.ndim == 3
    return {
        "Rows": image.shape[0], "Columns": image.shape[1],
        "SamplesPerPixel": 3 if is_colour else 1,
        "PhotometricInterpretation": "RGB" if is_colour else "MONOCHROME2",
        "PlanarConfiguration": 0 if is_colour else None,
        "PresentationLUTShape": None if is_colour else "IDENTITY",
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": 1 if image.dtype.kind == "i" else 0,
    }  # fmt: skip


def derived_from() -> Dataset:
    return filled(
        ReferencedSOPClassUID=f"{CLASS}.8", ReferencedSOPInstanceUID=f"{ROOT}.5.1",
        PurposeOfReferenceCodeSequence=[code("128250", "DCM", "Structural image for image processing")],
    )  # fmt: skip


def surface(number: int) -> Dataset:
    return filled(
        ReferencedSOPInstanceUID=f"{ROOT}.5.2", ReferencedSurfaceNumber=number, SurfaceMeshZPixelOffset=0,
        SegmentedPropertyTypeCodeSequence=[code("128292", "DCM", "Internal limiting membrane")],
    )  # fmt: skip


def algorithm(value: str, meaning: str) -> Dataset:
    return filled(
        AlgorithmFamilyCodeSequence=[code(value, "DCM", meaning)], AlgorithmName="simulated", AlgorithmVersion="1"
    )


def quality_rating(value: float, name: str = "Signal Strength Index") -> Dataset:
    return filled(
        QualityThreshold=50.0, NumericValue=value,
        MeasurementUnitsCodeSequence=[code("1", "UCUM", "no units")],
        ConceptNameCodeSequence=[code("SSI", "99TEST", name)],
        AlgorithmFamilyCodeSequence=[code("123109", "DCM", "Manual Processing")],
        AlgorithmName="simulated", AlgorithmVersion="1",
    )  # fmt: skip


def dimension(pointer: int, group: int) -> Dataset:
    return filled(DimensionOrganizationUID=f"{ROOT}.8", DimensionIndexPointer=pointer, FunctionalGroupPointer=group)


def finish(values: dict[str, object], image: NDArray[np.generic], changes: dict[str, object]) -> Dataset:
    dataset = filled(**values | changes)
    dataset.add_new(0x00090010, "LO", "VENDOR PRIVATE")
    dataset.add_new(0x00091001, "LO", f"{SECRETS[0]} again")
    dataset.PixelData = image.tobytes()
    dataset["PixelData"].VR = "OW" if image.dtype.itemsize > 1 else "OB"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID(str(dataset.SOPClassUID))
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(str(dataset.SOPInstanceUID))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def packed(dataset: Dataset) -> bytes:
    """The object as the bytes of a file."""
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def written(dataset: Dataset, path: Path) -> Path:
    path.write_bytes(packed(dataset))
    return path


def compressed(dataset: Dataset, syntax: UID, *frames: bytes) -> Dataset:
    """The object with frames that are packed already, one each."""
    dataset.PixelData = encapsulate(list(frames))
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset
