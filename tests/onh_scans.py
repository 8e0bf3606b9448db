"""Queued scans of kind onh-enface whose pixels are phantoms: for the tests that score them with a real model."""

from builders import make_acquisition, make_blob, make_expected_scan, make_scan, make_subject, make_visit
from lane import Scene
from sqlalchemy.orm import Session

from core.database import tables
from core.intake.canonical import encode_image
from core.phantom.onh import render_onh
from core.phantom.onh_spec import OnhPhantomSpec
from core.vocabulary import ScanKind, Slab


def queue_onh_scan(session: Session, scene: Scene, spec: OnhPhantomSpec, seed: int = 4) -> tables.Scan:
    """A queued capture of one optic nerve head, its phantom in the blob store."""
    visit = make_visit(session, make_subject(session, scene.site))
    acquisition = make_acquisition(
        session, scene.site, device=scene.device, slot=make_expected_scan(session, visit, scan_type="onh-enface 6x6"),
        kind=ScanKind.ONH_ENFACE.value, field_width_mm=spec.field_mm, field_height_mm=spec.field_mm,
    )  # fmt: skip
    data = encode_image(render_onh(spec, seed).image)
    scene.blobs.put(data)
    return make_scan(
        session, scene.site, acquisition=acquisition, batch=scene.batch, blob=make_blob(session, data),
        slab=Slab.FULL_RETINA.value, width_px=spec.size_px, height_px=spec.size_px,
    )  # fmt: skip
