"""Scored scans written directly as rows, with real pixels in the blob store: what the pages show, without a model.

Import as `from scored_scans import make_scored_scan`. The pictures are phantoms, so a page of them looks like a page.
"""

from datetime import timedelta
from functools import lru_cache
from io import BytesIO

import numpy as np
from builders import MONDAY, make_acquisition, make_blob, make_protocol_version, make_scan, unique
from numpy.typing import NDArray
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import tables
from core.phantom.octa import OctaPhantom, OctaPhantomSpec, render_octa
from core.policy.protocol import Protocol
from core.policy.reasons import ARTIFACT_REASON, REASON_TEXTS
from core.storage import BlobStore
from core.store.rate import recount_slots
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, ReasonCode, ScanState, Severity, Slab, Verdict

LABELS = ("ungradable", "gradable", "outstanding")
PROBABILITIES = {0: (0.84, 0.13, 0.03), 1: (0.11, 0.72, 0.17), 2: (0.02, 0.16, 0.82)}
SIZE_PX = 160


def make_scored_scan(
    session: Session,
    blobs: BlobStore,
    acquisition: tables.Acquisition,
    *,
    ordinal: int = 1,
    artifact: ArtifactType | None = None,
    slab: Slab = Slab.SUPERFICIAL,
    is_abstained: bool = False,
    seed: int = 1,
    **changes: object,
) -> tables.Scan:
    """A scan with its assessment, masks, Grad-CAM and reasons; ungradable ones wait for a decision. Counts follow."""
    phantom = _phantom(seed % 24, artifact, slab)
    grain = np.random.default_rng(int(unique("7"))).integers(0, 3, phantom.image.shape, np.uint8)
    image = _store(session, blobs, np.clip(phantom.image.astype(int) + grain, 0, 255).astype(np.uint8))
    is_flagged = ordinal == 0 or is_abstained
    verdict = Verdict.ACCEPT if not is_flagged else Verdict.REVIEW if is_abstained else Verdict.REACQUIRE
    values = {
        "slab": slab.value,
        "state": (ScanState.UNDER_REVIEW if is_flagged else ScanState.ACCEPTED).value,
        "final_verdict": verdict.value,
        "width_px": phantom.image.shape[1],
        "height_px": phantom.image.shape[0],
    }
    site = session.get_one(tables.Site, acquisition.site_id)
    scan = make_scan(session, site, acquisition=acquisition, blob=image, **values | changes)
    assessment = _assess(session, blobs, scan, phantom, ordinal=ordinal, verdict=verdict, is_abstained=is_abstained)
    _add_artifacts(session, blobs, assessment, phantom, artifact)
    _add_reasons(session, assessment, artifact, is_flagged=is_flagged, is_abstained=is_abstained)
    scan.assessment_id = assessment.id
    session.flush()
    recount_slots(session, [acquisition.expected_scan_id])
    return scan


def make_scored_capture(
    session: Session,
    blobs: BlobStore,
    site: tables.Site,
    *,
    device: tables.Device | None = None,
    slot: tables.ExpectedScan | None = None,
    days: int = 0,
    acquired: dict[str, object] | None = None,
    **scored: object,
) -> tables.Scan:
    """One capture of one slab, ``days`` after the builders' Monday; keywords go to ``make_scored_scan``."""
    moment = {"acquired_at": MONDAY + timedelta(days=days)} | (acquired or {})
    acquisition = make_acquisition(session, site, device=device, slot=slot, **moment)
    return make_scored_scan(session, blobs, acquisition, **scored)  # type: ignore[arg-type]


def _assess(
    session: Session,
    blobs: BlobStore,
    scan: tables.Scan,
    phantom: OctaPhantom,
    *,
    ordinal: int,
    verdict: Verdict,
    is_abstained: bool,
) -> tables.Assessment:
    has_scale = scan.acquisition_id is not None
    row = tables.Assessment(
        site_id=scan.site_id,
        scan_id=scan.id,
        model_version_id=_model(session).id,
        protocol_version_id=_protocol(session, scan).id,
        scored_at=MONDAY + timedelta(hours=3),
        seconds=0.05,
        grade_scale="coips-3",
        grade_ordinal=ordinal,
        probabilities=dict(zip(LABELS, PROBABILITIES[ordinal], strict=True)),
        is_abstained=is_abstained,
        is_of_kind=True,
        faz_area_mm2=0.312 if has_scale else None,
        faz_perimeter_mm=2.41,
        faz_acircularity_index=1.21,
        faz_circularity=0.68,
        faz_axis_ratio=1.12,
        is_faz_touching_border=False,
        centration_offset_mm=0.12,
        centration_offset_fraction=0.04,
        centration_severity=Severity.NONE.value,
        blurriness=0.0021,
        psnr_inverse=3.1,
        cov=0.62,
        mean=88.2,
        cam_mask_agreement=None if ordinal else 0.71,
        not_computable={"q_level_agreement": "no deep-supervision head", "cam_mask_agreement": "nothing was marked"},
        faz_mask_sha256=_store(session, blobs, phantom.faz_mask).sha256,
        cam_sha256=_store(session, blobs, _blob_of_heat(phantom)).sha256,
        verdict=verdict.value,
    )
    session.add(row)
    session.flush()
    return row


def _add_artifacts(
    session: Session,
    blobs: BlobStore,
    assessment: tables.Assessment,
    phantom: OctaPhantom,
    artifact: ArtifactType | None,
) -> None:
    for type_ in OCTA_ARTIFACTS:
        mask = phantom.artifact_masks[type_]
        share = float(mask.mean()) if type_ is artifact else 0.0
        severity = Severity.NONE if share < 0.01 else Severity.MILD if share <= 0.1 else Severity.SEVERE
        session.add(
            tables.AssessmentArtifact(
                assessment_id=assessment.id,
                site_id=assessment.site_id,
                type=type_.value,
                area_fraction=share,
                line_fraction=share if type_ is ArtifactType.MOTION else None,
                severity=severity.value,
                mask_sha256=_store(session, blobs, mask).sha256 if share else None,
            )
        )
    session.flush()


def _add_reasons(
    session: Session,
    assessment: tables.Assessment,
    artifact: ArtifactType | None,
    *,
    is_flagged: bool,
    is_abstained: bool,
) -> None:
    if not is_flagged:
        return
    codes = [ReasonCode.ABSTAINED] if is_abstained else []
    codes.append(ARTIFACT_REASON[artifact] if artifact else ReasonCode.UNGRADABLE)
    for rank, code in enumerate(codes):
        words = REASON_TEXTS[code]
        session.add(
            tables.AssessmentReason(
                assessment_id=assessment.id,
                site_id=assessment.site_id,
                rank=rank,
                code=code.value,
                operator_fixable=words.operator_fixable.value,
                text=words.text,
                remedy=words.remedy,
            )
        )
    session.flush()


def _model(session: Session) -> tables.ModelVersion:
    found = session.scalars(select(tables.ModelVersion).order_by(tables.ModelVersion.id).limit(1)).one_or_none()
    if found is not None:
        return found
    row = tables.ModelVersion(
        name="phantom-reader", version="0.1", weights_sha256="c0ffee" + "0" * 58, preprocessing="octa-enface/1", card={}
    )
    session.add(row)
    session.flush()
    return row


def _protocol(session: Session, scan: tables.Scan) -> tables.ProtocolVersion:
    study_id = session.get_one(tables.Site, scan.site_id).study_id
    known = select(tables.ProtocolVersion).where(tables.ProtocolVersion.study_id == study_id)
    found = session.scalars(known.order_by(tables.ProtocolVersion.number).limit(1)).one_or_none()
    if found is not None:
        return found
    study = session.get_one(tables.Study, study_id)
    # A protocol that requires no slab: a capture of one slab is then whole.
    document = Protocol.default().model_copy(update={"expected": ()}).model_dump(mode="json")
    return make_protocol_version(session, study, document=document)


def _store(session: Session, blobs: BlobStore, pixels: NDArray[np.generic]) -> tables.Blob:
    buffer = BytesIO()
    grey = pixels.astype(np.uint8) * 255 if pixels.dtype == np.bool_ else pixels.astype(np.uint8)
    Image.fromarray(grey, "L").save(buffer, "PNG")
    sha256 = blobs.put(buffer.getvalue())
    return session.get(tables.Blob, sha256) or make_blob(session, buffer.getvalue())


def _blob_of_heat(phantom: OctaPhantom) -> NDArray[np.uint8]:
    marked = np.any(list(phantom.artifact_masks.values()), axis=0)
    height, width = marked.shape
    y, x = np.mgrid[:height, :width]
    centre = np.argwhere(marked).mean(axis=0) if marked.any() else (height / 2, width / 2)
    distance = np.hypot(y - centre[0], x - centre[1])
    return (255 * np.exp(-((distance / (0.28 * width)) ** 2))).astype(np.uint8)


@lru_cache(maxsize=256)
def _phantom(seed: int, artifact: ArtifactType | None, slab: Slab) -> OctaPhantom:
    strengths = {artifact.value: 0.75} if artifact else {}
    return render_octa(OctaPhantomSpec(size_px=SIZE_PX, slab=slab, eye_seed=seed, **strengths), seed)
