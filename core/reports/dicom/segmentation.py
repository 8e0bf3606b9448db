"""Masks of one scan as a DICOM Segmentation: a binary segment for each artifact that marks something, and the FAZ."""

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from core.reports.dicom.codes import ALGORITHM_FAMILY, ANATOMICAL_STRUCTURE, ARTIFACTS, FAZ, IMAGE_ARTIFACT
from core.reports.dicom.subject import (
    MANUFACTURER,
    DicomSubject,
    coding_schemes,
    complete,
    retina,
    source_dataset,
)

SERIES_NUMBER = 9101
FAZ_SEGMENT = "Foveal avascular zone"
_LAB = {"motion": (58, 50, 60), "shadow": (40, 30, -60), "defocus": (70, -40, 40), "low_signal": (60, 0, -40),
        "shallow": (90, -10, 70), "dark": (45, 20, -50)}  # fmt: skip
_FAZ_LAB = (80, -10, 70)
"""CIELab, by eye: apart from each other for readers with red-green weakness too."""


def make_segmentation(subject: DicomSubject) -> Segmentation | None:
    """The masks of the scan; None where nothing was marked, or the image was cropped and no mask fits the source."""
    segments = _segments(subject)
    if not segments or not subject.has_source_pixels:
        return None
    masks = np.stack([mask for _, mask in segments], axis=-1)[None].astype(np.uint8)  # (1, H, W, segment)
    result = Segmentation(
        source_images=[source_dataset(subject)],
        pixel_array=masks,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[description for description, _ in segments],
        series_instance_uid=subject.uid("segmentation series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=subject.uid("segmentation"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=subject.assessment.model_name,
        software_versions=subject.software_version,
        device_serial_number=subject.assessment.weights_sha256[:16],
        content_label="OCTAUDIT_MASKS",
        content_description="Artifacts and foveal avascular zone",
        coding_schemes=coding_schemes(),
        series_description="octaudit masks",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        omit_empty_frames=False,
    )
    _settle(result, subject)
    complete(result, subject)
    return result


def _settle(result: Segmentation, subject: DicomSubject) -> None:
    """What the library leaves out, or makes anew at every call.

    The size of a pixel is the source's: the functional group of it asks for a slice thickness, which no en-face image
    has.
    """
    result.PatientOrientation = ""
    organisation = subject.uid("dimensions")
    for item in (*result.DimensionOrganizationSequence, *result.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation


def segment_number_of_faz(segmentation: Dataset) -> int | None:
    """Which segment is the foveal avascular zone; None where there is none."""
    numbers = {item.SegmentLabel: int(item.SegmentNumber) for item in segmentation.SegmentSequence}
    return numbers.get(FAZ_SEGMENT)


def _segments(subject: DicomSubject) -> list[tuple[SegmentDescription, NDArray[np.bool_]]]:
    found = [
        (ARTIFACTS[type_].meaning, IMAGE_ARTIFACT, ARTIFACTS[type_], _LAB[type_.value], mask)
        for type_, mask in subject.artifacts.items()
        if mask.any()
    ]
    if subject.faz is not None and subject.faz.any():
        found.append((FAZ_SEGMENT, ANATOMICAL_STRUCTURE, FAZ, _FAZ_LAB, subject.faz))
    return [
        (_description(number, label, (category, type_), lab, subject), mask)
        for number, (label, category, type_, lab, mask) in enumerate(found, start=1)
    ]


def _description(
    number: int,
    label: str,
    concepts: tuple[CodedConcept, CodedConcept],
    lab: tuple[int, int, int],
    subject: DicomSubject,
) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=concepts[0],
        segmented_property_type=concepts[1],
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=subject.assessment.model_name, family=ALGORITHM_FAMILY, version=subject.assessment.model_version
        ),
        tracking_uid=subject.uid(f"segment {label}"),
        tracking_id=label,
        anatomic_regions=[retina()],
        display_color=CIELabColor(*lab),
    )
