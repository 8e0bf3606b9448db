"""Scored volumes written directly as rows, with a simulated retina in the blob store: what the volume's page shows.

Import as `from volume_scans import Eye, make_volume_scan`. The retina is small so that it is drawn in a moment; its
thickness is known in closed form.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from io import BytesIO

import numpy as np
from builders import MONDAY, make_acquisition, make_blob, make_expected_scan, make_scan, make_subject, make_visit
from lane import Scene
from numpy.typing import NDArray
from PIL import Image
from scored_scans import make_scored_scan
from sqlalchemy.orm import Session

from core.database import tables
from core.intake.volume_blob import encode_volume
from core.phantom.bscan import BscanSpec, VolumeSpec, draw_volume_lines
from core.phantom.retina import RetinaShape
from core.storage import BlobStore
from core.store.volume_files import BORDERS
from core.vocabulary import Laterality, ScanKind, ScanPattern, Slab
from core.volume import OctVolume

N_LINES, HEIGHT_PX, WIDTH_PX = 27, 128, 160
Z_MM, X_MM, LINE_MM = 0.012, 0.042, 0.25
LEFT_MM = 1.1
"""Where the scanned field begins on the fundus image, from its left and from its upper edge."""
SLO_PX, SLO_MM = 220, 0.04
FOVEA_MM = (0.2, -0.1)
"""From the middle of the scanned field."""


@dataclass(frozen=True)
class Eye:
    """A retina by its seed, and what differs between its captures."""

    seed: int = 5
    laterality: Laterality = Laterality.OD
    thicker_um: float = 0.0
    """How much thicker the outer nuclear layer is than that of the seed's own retina."""

    @property
    def retina(self) -> RetinaShape:
        shape = RetinaShape()
        far = (*shape.far_um[:4], shape.far_um[4] + self.thicker_um, *shape.far_um[5:])
        fovea = (*shape.fovea_um[:4], shape.fovea_um[4] + self.thicker_um, *shape.fovea_um[5:])
        return replace(shape, far_um=far, fovea_um=fovea)


@lru_cache(maxsize=8)
def draw_eye(eye: Eye, *, has_device: bool = True) -> tuple[OctVolume, NDArray[np.float32], tuple[float, float]]:
    """The volume, its true borders (n, 8, width), and the fovea on the fundus image in mm.

    The device draws its ILM where the truth is, and stops 2 rows above Bruch's membrane.
    """
    bscan = BscanSpec(HEIGHT_PX, WIDTH_PX, Z_MM, X_MM, noise=0.15, retina=eye.retina)
    fovea = FOVEA_MM if eye.laterality is Laterality.OD else (-FOVEA_MM[0], FOVEA_MM[1])
    drawn = draw_volume_lines(VolumeSpec(N_LINES, LINE_MM, fovea, bscan), eye.seed)
    borders = np.stack([line.boundary_row_px for line in drawn.lines])
    y, x = np.mgrid[:SLO_PX, :SLO_PX]
    slo = (110 + 50 * np.sin(x / 9.0) * np.cos(y / 13.0)).astype(np.uint8)
    volume = OctVolume(
        np.stack([line.image for line in drawn.lines]),
        z_mm_per_px=Z_MM,
        x_mm_per_px=X_MM,
        lines_mm=drawn.lines_mm + LEFT_MM,
        scan_pattern=ScanPattern.VOLUME,
        quality_db=tuple(27.0 + at % 4 for at in range(N_LINES)),
        slo=slo,
        slo_mm_per_px=SLO_MM,
        device_boundaries={"ILM": borders[:, 0], "BM": borders[:, -1] - 2.0} if has_device else None,
        laterality=eye.laterality,
    )
    return volume, borders, (drawn.fovea_mm[0] + LEFT_MM, drawn.fovea_mm[1] + LEFT_MM)


def make_volume_slot(
    session: Session, site: tables.Site, subject: tables.Subject | None = None, visit: tables.Visit | None = None,
    laterality: Laterality = Laterality.OD,
) -> tables.ExpectedScan:  # fmt: skip
    """What is expected: a macular volume of one eye at one visit."""
    visit = visit or make_visit(session, subject or make_subject(session, site))
    return make_expected_scan(session, visit, laterality=laterality.value, scan_type="volume 6.5x6.5")


def make_volume_scan(
    session: Session,
    blobs: BlobStore,
    site: tables.Site,
    eye: Eye | None = None,
    *,
    volume: OctVolume | None = None,
    slot: tables.ExpectedScan | None = None,
    days: int = 0,
    has_borders: bool = True,
    **scored: object,
) -> tables.Scan:
    """A scored scan of kind volume with its blob and the true borders as the model's; keywords as of scored_scans."""
    eye = eye or Eye()
    drawn, borders, _ = draw_eye(eye)
    volume = volume or drawn
    acquisition = make_acquisition(
        session, site, slot=slot or make_volume_slot(session, site, laterality=eye.laterality),
        kind=ScanKind.VOLUME.value, acquired_at=MONDAY + timedelta(days=days),
    )  # fmt: skip
    scan = make_scored_scan(session, blobs, acquisition, **scored)
    scan.slab, scan.height_px, scan.width_px = Slab.UNKNOWN.value, volume.height_px, volume.width_px
    scan.volume_sha256 = _store(session, blobs, encode_volume(volume))
    scan.image_sha256 = _store(session, blobs, _png(volume.central_bscan))
    assessment = session.get_one(tables.Assessment, scan.assessment_id)
    assessment.findings = {"doubts": [], "causes": [], "document": {"layers": {"scheme": "duke-7"}}}
    assessment.faz_mask_sha256 = assessment.cam_sha256 = None
    if has_borders:
        _add_picture(session, blobs, scan, borders[: volume.n_bscans])
    session.flush()
    return scan


def queue_volume(session: Session, scene: Scene, eye: Eye | None = None) -> tables.Scan:
    """A queued capture of a volume, its blob in the store: for the tests that score it with a real model."""
    eye = eye or Eye()
    volume, _, _ = draw_eye(eye)
    acquisition = make_acquisition(
        session, scene.site, device=scene.device, kind=ScanKind.VOLUME.value,
        slot=make_volume_slot(session, scene.site, laterality=eye.laterality), laterality=eye.laterality.value,
    )  # fmt: skip
    central = _png(volume.central_bscan)
    return make_scan(
        session, scene.site, acquisition=acquisition, batch=scene.batch, slab=Slab.UNKNOWN.value,
        image_sha256=_store(session, scene.blobs, central), volume_sha256=_store(session, scene.blobs, encode_volume(volume)),
        width_px=volume.width_px, height_px=volume.height_px,
    )  # fmt: skip


def _png(grey: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(grey, "L").save(buffer, "PNG")
    return buffer.getvalue()


def _add_picture(session: Session, blobs: BlobStore, scan: tables.Scan, borders: NDArray[np.float32]) -> None:
    buffer = BytesIO()
    np.save(buffer, borders)
    sha256 = _store(session, blobs, buffer.getvalue())
    session.add(
        tables.AssessmentPicture(assessment_id=scan.assessment_id, site_id=scan.site_id, name=BORDERS, sha256=sha256)
    )


def _store(session: Session, blobs: BlobStore, data: bytes) -> str:
    sha256 = blobs.put(data)
    if session.get(tables.Blob, sha256) is None:
        make_blob(session, data)
    return sha256
