"""Which blobs show one scan: its image, masks and Grad-CAM. Reads hashes, never bytes."""

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database.tables import Assessment, AssessmentArtifact, AssessmentPicture, Scan
from core.store.calibration_mode import hidden_scans
from core.store.masked_grade import read_scan_to_grade


@dataclass(frozen=True, slots=True)
class ScanImages:
    """Hashes of a scan's blobs; None where there is none. ``mask_sha256`` maps artifact type to its mask's hash.

    ``picture_sha256`` maps the file names of a lane's pictures to theirs. ``is_pixels_only`` is set for who grades the
    scan masked: of a volume they see the B-scans, and nothing else that its file holds.
    """

    image_sha256: str
    volume_sha256: str | None
    faz_sha256: str | None = None
    cam_sha256: str | None = None
    mask_sha256: dict[str, str] = field(default_factory=dict)
    picture_sha256: dict[str, str] = field(default_factory=dict)
    is_pixels_only: bool = False


def read_scan_images(session: Session, scan_id: int) -> ScanImages | None:
    """The blobs of ``scan_id``; None where there is no such scan or the session's person may not see it.

    Who is masked or in calibration mode and has not graded the scan yet gets the image, of a volume its B-scans, and
    none of what the model drew.
    """
    row = session.execute(
        select(
            Scan.image_sha256,
            Scan.volume_sha256,
            Scan.assessment_id,
            Assessment.faz_mask_sha256,
            Assessment.cam_sha256,
        )
        .outerjoin(Assessment, Assessment.id == Scan.assessment_id)
        .where(Scan.id == scan_id)
    ).one_or_none()
    if row is not None and hidden_scans(session, [scan_id]):
        return ScanImages(row.image_sha256, row.volume_sha256)
    if row is None:
        to_grade = read_scan_to_grade(session, scan_id)
        if to_grade is None:
            return None
        return ScanImages(to_grade.image_sha256, to_grade.volume_sha256, is_pixels_only=True)
    masks = session.execute(
        select(AssessmentArtifact.type, AssessmentArtifact.mask_sha256).where(
            AssessmentArtifact.assessment_id == row.assessment_id, AssessmentArtifact.mask_sha256.is_not(None)
        )
    ).all()
    pictures = session.execute(
        select(AssessmentPicture.name, AssessmentPicture.sha256).where(
            AssessmentPicture.assessment_id == row.assessment_id
        )
    ).all()
    return ScanImages(
        image_sha256=row.image_sha256,
        volume_sha256=row.volume_sha256,
        faz_sha256=row.faz_mask_sha256,
        cam_sha256=row.cam_sha256,
        mask_sha256={type_: sha256 for type_, sha256 in masks if sha256 is not None},
        picture_sha256=dict(pictures),
    )
