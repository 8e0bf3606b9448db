"""What stands around a model when a stored scan is scored: its pixels come in, the pictures it made go out."""

from core.errors import StorageError, UnreadableScanError
from core.intake.canonical import decode_image
from core.intake.volume_blob import decode_volume
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.pictures import MEDIA_TYPE, encode_cam, encode_mask, media_type_of
from core.storage import BlobStore
from core.store.assessment import NewBlob, StoredPictures
from core.store.case import ScanCase
from core.usecases.record_assessments import ScoredScan
from core.values import NotComputable, OctaFindings, ScanScores
from core.vocabulary import ArtifactType


def load_scan(blobs: BlobStore, case: ScanCase) -> ScanInput | ScanFailure:
    """The scan as a model takes it, or why it cannot be had; ``key`` is its id."""
    key = str(case.scan_id)
    try:
        image = decode_image(blobs.get(case.image_sha256))
        volume = None if case.volume_sha256 is None else decode_volume(blobs.get(case.volume_sha256))
    except UnreadableScanError as error:
        return ScanFailure(key, str(error), is_transient=False)
    except (StorageError, OSError) as error:
        return ScanFailure(key, str(error), is_transient=True)
    return ScanInput(key=key, image=image, scale=case.scale, slab=case.slab, laterality=case.laterality, volume=volume)


def store_pictures(blobs: BlobStore, scores: ScanScores) -> ScoredScan:
    """Store what the model drew; the rows that name it come later, in the transaction of the assessment."""
    new: list[NewBlob] = []

    def put(data: bytes, media_type: str = MEDIA_TYPE) -> str:
        sha256 = blobs.put(data)
        new.append(NewBlob(sha256, len(data), media_type))
        return sha256

    masks: dict[ArtifactType, str | None] = {
        artifact.type: put(encode_mask(artifact.mask)) if artifact.mask.any() else None for artifact in scores.artifacts
    }
    faz_mask, of_lane, findings = None, {}, scores.findings
    if not isinstance(findings, OctaFindings):
        of_lane = {name: put(content, media_type_of(name)) for name, content in findings.pictures().items()}
    elif findings.faz_mask.any():
        faz_mask = put(encode_mask(findings.faz_mask))
    pictures = StoredPictures(
        artifact_masks=masks,
        faz_mask=faz_mask,
        cam=None if isinstance(scores.cam, NotComputable) else put(encode_cam(scores.cam)),
        of_lane=of_lane,
    )
    return ScoredScan(scores, pictures, tuple(new))
