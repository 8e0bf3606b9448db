"""What every DICOM result of a scan stands on: the scan, its source object, who made it, and UIDs that never change.

The patient is the study's pseudonym; the objects say so in (0012,0062) to (0012,0064), with the options of PS3.15,
annex E, that were kept: UIDs, device identity and dates.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    ObserverContext,
)
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes

from core.intake.dicom_facts import OPT, OPT_EN_FACE, DicomFacts, DicomReference
from core.reports.dicom.codes import EYES, RETINA, SCHEME, SCHEME_NAME, dcm
from core.store.scan_view import AssessmentView, ScanView
from core.vocabulary import ArtifactType

MANUFACTURER = "octaudit"
_NAMESPACE = uuid.UUID("5a2e2f5b-6d0e-4b0c-9a4e-0c7a1d8f3b55")
"""Of the name-based UUIDs that our UIDs are (PS3.5, B.2); never changed."""
_KEPT = (
    dcm("113100", "Basic Application Confidentiality Profile"),
    dcm("113110", "Retain UIDs Option"),
    dcm("113109", "Retain Device Identity Option"),
    dcm("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
)
"""CID 7050."""


@dataclass(frozen=True, slots=True)
class DicomSubject:
    """One scored scan that came as DICOM, with the pixels of its masks.

    Attributes
    ----------
    decided_at : datetime
        The last decision about the scan, by model or person: the moment of its results.
    artifacts : mapping
        Boolean masks (height, width) of the scan's own size, by type; only those that mark something.
    faz : array or None
        Boolean mask of the foveal avascular zone.
    """

    view: ScanView
    assessment: AssessmentView
    facts: DicomFacts
    reference: DicomReference
    decided_at: datetime
    artifacts: Mapping[ArtifactType, NDArray[np.bool_]]
    faz: NDArray[np.bool_] | None
    software_version: str

    @property
    def has_source_pixels(self) -> bool:
        """Whether the scan's image still has the source's size; after a crop no mask fits the source."""
        return (self.facts.columns, self.facts.rows) == self._size_px

    @property
    def _size_px(self) -> tuple[int, int]:
        own = next(slab for slab in self.view.slabs if slab.scan_id == self.view.scan_id)
        return own.width_px, own.height_px

    def uid(self, what: str) -> str:
        """A UID for ``what`` of this state of the scan: the same state gives the same UID on every day."""
        state = (self.reference.instance_uid, self.view.scan_id, self.view.version, self.assessment.id, what)
        return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(map(str, state))).int}"


def source_dataset(subject: DicomSubject) -> Dataset:
    """The source as far as a result refers to it: its UIDs, its size, and the pseudonym instead of the patient."""
    view = subject.view
    dataset = Dataset()
    dataset.SOPClassUID = subject.reference.class_uid
    dataset.SOPInstanceUID = subject.reference.instance_uid
    dataset.StudyInstanceUID = subject.reference.study_uid
    dataset.SeriesInstanceUID = subject.reference.series_uid
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientID = view.subject_code
    dataset.PatientName = f"{view.subject_code}^"  # a name of one part; without the caret its meaning is open
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.AccessionNumber = ""
    dataset.StudyID = ""
    dataset.StudyDate = view.acquired_at.strftime("%Y%m%d")
    dataset.StudyTime = view.acquired_at.strftime("%H%M%S")
    dataset.ReferringPhysicianName = ""
    dataset.Modality = {OPT: "OPT", OPT_EN_FACE: "OPTENF"}.get(subject.reference.class_uid, "OP")  # type: ignore[call-overload]
    # Without a position of its own an en-face image has no coordinates: the frame of reference only names the eye's.
    dataset.FrameOfReferenceUID = subject.reference.frame_of_reference_uid or subject.uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.Rows = subject.facts.rows
    dataset.Columns = subject.facts.columns
    return dataset


def complete(dataset: Dataset, subject: DicomSubject) -> None:
    """Add what every result carries: trial, de-identification, equipment, and the moment of the last decision."""
    view, moment = subject.view, subject.decided_at
    dataset.ClinicalTrialSponsorName = "not recorded"
    dataset.ClinicalTrialProtocolID = view.study_code
    dataset.ClinicalTrialProtocolName = ""
    dataset.ClinicalTrialSiteID = view.site_code
    dataset.ClinicalTrialSiteName = ""
    dataset.ClinicalTrialSubjectID = view.subject_code
    dataset.ClinicalTrialTimePointID = view.visit_code
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Pseudonym of the study; UIDs, device and dates kept"
    dataset.DeidentificationMethodCodeSequence = [*_KEPT]
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = subject.assessment.model_name
    dataset.SoftwareVersions = [subject.software_version, subject.assessment.model_version]
    dataset.DeviceSerialNumber = subject.assessment.weights_sha256[:16]
    for prefix in ("Content", "InstanceCreation", "Series"):
        setattr(dataset, f"{prefix}Date", moment.strftime("%Y%m%d"))
        setattr(dataset, f"{prefix}Time", moment.strftime("%H%M%S"))
    dataset.TimezoneOffsetFromUTC = "+0000"
    for item in dataset.get("ContributingEquipmentSequence") or ():
        item.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S")


def coding_schemes() -> list[CodingSchemeIdentificationItem]:
    """Our own scheme, so that a reader of the object can tell where its codes come from."""
    return [CodingSchemeIdentificationItem(SCHEME, name=SCHEME_NAME, responsible_organization=MANUFACTURER)]


def device_observer(subject: DicomSubject) -> ObserverContext:
    """The model that looked, by its weights."""
    return ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=f"2.25.{uuid.uuid5(_NAMESPACE, subject.assessment.weights_sha256).int}",
            name=subject.assessment.model_name,
            manufacturer_name=MANUFACTURER,
            model_name=subject.assessment.model_name,
            serial_number=subject.assessment.weights_sha256[:16],
        ),
    )


def eye_of(subject: DicomSubject) -> CodedConcept:
    """The eye as a code of CID 247."""
    return EYES[subject.view.laterality]


def retina() -> CodedConcept:
    """Where every finding of an en-face image lies."""
    return RETINA
