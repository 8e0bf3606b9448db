"""Queued scans of kind bscan whose pixels are phantoms: for the tests that score them with a real model."""

import numpy as np
from builders import make_acquisition, make_blob, make_expected_scan, make_scan, make_subject, make_visit
from lane import Scene
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from core.database import tables
from core.intake.canonical import encode_image
from core.phantom.bscan import BscanSpec, draw_bscan
from core.phantom.bscan_lesion import BscanLesion
from core.vocabulary import ScanKind, Slab


def bscan_image(lesion: BscanLesion, *, noise: float = 0.2, seed: int = 11) -> NDArray[np.uint8]:
    """A phantom (248, 256) that shows this lesion."""
    return draw_bscan(BscanSpec(248, 256, 0.0078, 0.0232, lesion=lesion, noise=noise), seed).image


def queue_bscan(session: Session, scene: Scene, image: NDArray[np.uint8]) -> tables.Scan:
    """A queued capture of one B-scan, its pixels in the blob store."""
    visit = make_visit(session, make_subject(session, scene.site))
    acquisition = make_acquisition(
        session, scene.site, device=scene.device, slot=make_expected_scan(session, visit, scan_type="bscan"),
        kind=ScanKind.BSCAN.value, field_width_mm=None, field_height_mm=None,
    )  # fmt: skip
    data = encode_image(image)
    scene.blobs.put(data)
    return make_scan(
        session, scene.site, acquisition=acquisition, batch=scene.batch, blob=make_blob(session, data),
        slab=Slab.UNKNOWN.value, width_px=image.shape[1], height_px=image.shape[0],
    )  # fmt: skip
