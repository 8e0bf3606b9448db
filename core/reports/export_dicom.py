"""Hands out what is known of one scan as DICOM objects for the archive that it came from; an export, so it is audited.

Masks become a Segmentation, figures a Structured Report, a rejection a key object. Only a scan that came as a DICOM
object has them, because they name the object that they are about.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from sqlalchemy.orm import Session

from core.errors import NotAllowedError, NotFoundError, UsageError
from core.intake.canonical import decode_image
from core.intake.dicom_facts import DicomFacts, DicomReference
from core.reports.dicom.measurement_report import make_report
from core.reports.dicom.rejection import make_rejection
from core.reports.dicom.segmentation import make_segmentation
from core.reports.dicom.subject import DicomSubject
from core.reports.exportable import is_rejected, may_export
from core.settings import Settings
from core.storage import BlobStore
from core.store.access import Actor
from core.store.audit import record_event
from core.store.dicom_source import StoredOrigin, read_asked_reason, read_origin
from core.store.scan_image import read_scan_images
from core.store.scan_view import AssessmentView, ScanView, read_scan
from core.uid_seal import unseal
from core.vocabulary import ArtifactType, ReasonCode, ReviewDecision, ScanKind

_DECIDING = frozenset({ReviewDecision.ACCEPT, ReviewDecision.OVERRIDE, ReviewDecision.REQUEST_REACQUISITION})
_HALF_GREY = 127


@dataclass(frozen=True, slots=True)
class DicomExport:
    """A zip of DICOM files under ``name``; ``objects`` says which are in it, and ``left_out`` why others are not."""

    name: str
    data: bytes
    objects: tuple[str, ...]
    left_out: tuple[str, ...]


def export_dicom(session: Session, *, actor: Actor, blobs: BlobStore, settings: Settings, scan_id: int) -> DicomExport:
    """The scan's results as DICOM.

    Raises
    ------
    NotFoundError
        There is no such scan, or the person may not see it.
    NotAllowedError
        The person's role takes no results away.
    UsageError
        The scan did not come as a DICOM object, the object lacks a UID, or the scan has no score yet.
    SettingsError
        The key that sealed the object's UIDs is missing.
    """
    view = read_scan(session, scan_id)
    if view is None:
        raise NotFoundError(f"There is no scan {scan_id}, or none that you may see.", remedy="Choose another one.")
    if not may_export(actor, view):
        raise NotAllowedError(
            "Your role does not take results away as DICOM.", remedy="Ask a technician or a manager of the site."
        )
    subject = _subject(session, view, blobs, settings)
    objects, left_out = _objects(session, subject)
    record_event(
        session,
        actor=actor,
        action="scan.exported_dicom",
        entity="scan",
        entity_id=scan_id,
        study_id=view.study_id,
        site_id=view.site_id,
        after={"objects": sorted(objects), "version": view.version},
    )
    return DicomExport(f"scan-{scan_id}-dicom.zip", _zipped(objects, subject), tuple(objects), left_out)


def _subject(session: Session, view: ScanView, blobs: BlobStore, settings: Settings) -> DicomSubject:
    origin, judged = _origin(session, view), view.assessment
    if view.kind is not ScanKind.OCTA_ENFACE:
        raise UsageError(
            f"DICOM results are made of {ScanKind.OCTA_ENFACE} scans only: grades of {view.kind} have no codes yet.",
            remedy="Take the figures from the exports, as CSV or Parquet.",
        )
    if view.is_model_hidden:
        raise UsageError(
            "The results hold the model's grade, and you have not graded the scan yourself yet.",
            remedy="Review the scan first.",
        )
    if judged is None:
        raise UsageError("The scan has no score yet.", remedy="Come back when it has been scored.")
    assert origin.sealed_reference is not None, "asked above"
    images = read_scan_images(session, view.scan_id)
    assert images is not None, "a scan that can be read has an image"
    decisions = [entry.happened_at for entry in view.history if entry.decision in _DECIDING]
    return DicomSubject(
        view=view,
        assessment=judged,
        facts=DicomFacts.from_document(origin.facts),
        reference=DicomReference(**unseal(settings, origin.sealed_reference)),
        decided_at=max([judged.scored_at, *decisions]),
        artifacts={ArtifactType(type_): _mask(blobs, sha256) for type_, sha256 in sorted(images.mask_sha256.items())},
        faz=None if images.faz_sha256 is None else _mask(blobs, images.faz_sha256),
        software_version=version("octaudit"),
    )


def _origin(session: Session, view: ScanView) -> StoredOrigin:
    origin = read_origin(session, view.scan_id)
    if origin is None:
        raise UsageError(
            "The scan did not come as a DICOM object, so no DICOM result could say what it is about.",
            remedy="Upload the DICOM object itself where such results are wanted.",
        )
    if origin.sealed_reference is None:
        raise UsageError(
            "The file has no UIDs by which a DICOM result could name it.",
            remedy="Upload the DICOM object with all its UIDs, as the device exports it.",
        )
    return origin


def _mask(blobs: BlobStore, sha256: str) -> NDArray[np.bool_]:
    return decode_image(blobs.get(sha256)) > _HALF_GREY


def _objects(session: Session, subject: DicomSubject) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """The objects by file name, and in words what is not among them."""
    left_out = []
    segmentation = make_segmentation(subject)
    objects: dict[str, Dataset] = {}
    if segmentation is not None:
        objects["segmentation.dcm"] = segmentation
    elif subject.has_source_pixels:
        left_out.append("No masks: nothing was marked.")
    else:
        left_out.append("No masks: the image was cropped when it was released, so they do not fit the object.")
    objects["measurements.dcm"] = make_report(subject, segmentation)
    view = subject.view
    if is_rejected(view.final_verdict, view.state):
        objects["rejection.dcm"] = make_rejection(subject, *_reason(session, view, subject.assessment))
    else:
        left_out.append("No key object: the scan is not rejected.")
    return objects, tuple(left_out)


def _reason(session: Session, view: ScanView, judged: AssessmentView) -> tuple[ReasonCode | None, str]:
    """Why it was rejected: as a person asked for the repeat, else the weightiest reason of the assessment."""
    asked = read_asked_reason(session, view.acquisition_id)
    if asked is not None and asked[0] in set(ReasonCode):
        return ReasonCode(asked[0]), asked[1]
    first = judged.reasons[0] if judged.reasons else None
    return (None, "") if first is None else (first.code, first.text)


def _zipped(objects: Mapping[str, Dataset], subject: DicomSubject) -> bytes:
    """The files in one zip whose bytes depend on the scan's state alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, dataset in objects.items():
            file = io.BytesIO()
            dcmwrite(file, dataset, enforce_file_format=True)
            member = zipfile.ZipInfo(name, date_time=subject.decided_at.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, file.getvalue())
    return buffer.getvalue()
