"""What the screenshots show: uploads in every step, made as a site's technician, and the scans worth a picture.

Every run makes its uploads anew from fresh phantoms of site CEDAR; the running installation scores them.
"""

import io
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from PIL import Image
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.broker import open_bell
from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.phantom.caption import Caption, burn_in
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.settings import Settings
from core.storage import open_blob_store
from core.store.access import Actor, current_actor
from core.store.batch import SiteRoster, read_roster
from core.usecases.open_batch import open_batch
from core.usecases.stage_files import Staging, stage_image
from core.usecases.submit_batch import submit_batch
from core.vocabulary import CoipsGrade, ScanState

STUDY, SITE = "DEMO", "CEDAR"
HELD_BACK = 3
"""Scans of the submitted batch that stay in the queue, so that a receipt in progress can be pictured."""
CLEARLY_MARKED = 0.02
"""Share of the field from which a mask shows well in a picture."""
FAULTS: tuple[Mapping[str, str], ...] = (
    {},
    {"acquired_at": "", "eye": "OU"},
    {"device": "CEDAR-9", "acquired_at": "14.03.2026"},
    {"field_width_mm": "three", "technician": ""},
    {"kind": "bscan", "slab": ""},
)
"""What the rows of the draft have wrong."""


@dataclass(frozen=True)
class Uploader:
    """The technician of a site, with what an upload needs."""

    dashboard: Database
    settings: Settings
    token: str

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction with the technician's rights."""
        with session_scope(self.dashboard, token=self.token) as session:
            yield session

    def open(self) -> tuple[int, Staging, dict[str, str]]:
        """A new draft: its id, the way into it, and a row without fault."""
        with self.session() as session:
            actor = current_actor(session)
            assert actor is not None, "the token is fresh"
            head = open_batch(session, actor=actor, study=STUDY, site=SITE)
            row = _row(read_roster(session, head.site.site_id))
        blobs = open_blob_store(self.settings)
        return head.id, Staging(self.session, blobs, self.settings, actor, head.id), row

    def submit(self, batch_id: int, actor: Actor) -> None:
        """Send the draft."""
        blobs, bell = open_blob_store(self.settings), open_bell(self.settings)
        with self.session() as session:
            submit_batch(session, actor=actor, blobs=blobs, bell=bell, batch_id=batch_id)


def _row(roster: SiteRoster) -> dict[str, str]:
    return {
        "subject": f"CEDAR-9{secrets.randbelow(900) + 100}", "visit": "V1", "acquisition": "A1", "eye": "OD",
        "acquired_at": f"{now() - timedelta(days=1):%Y-%m-%d %H:%M}", "kind": "octa-enface", "slab": "superficial",
        "field_width_mm": "3", "field_height_mm": "3", "device": next(iter(roster.device_ids)),
        "technician": next(iter(roster.technician_ids)),
    }  # fmt: skip


def _png(*, is_captioned: bool = False) -> bytes:
    image = render_octa(OctaPhantomSpec(size_px=304, field_mm=3.0), secrets.randbelow(2**31)).image
    if is_captioned:
        image, _ = burn_in(image, Caption("MEIER ANNA 1961-03-04"))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def make_draft(uploader: Uploader) -> int:
    """A draft with a good file, four with faults, one that cannot be read and one that may hold a name."""
    batch_id, staging, row = uploader.open()
    for number, fault in enumerate(FAULTS, start=1):
        capture = {"acquisition": f"A{number}"}
        stage_image(staging, _png(), f"scan-{number:03}_OD_superficial.png", row | capture | fault)
    stage_image(staging, _png()[:9000], "scan-cut-off.png", {})
    stage_image(staging, _png(is_captioned=True), "scan-with-name.png", row | {"acquisition": "A9"})
    return batch_id


def make_receipt(uploader: Uploader, owner: Database) -> int:
    """A submitted batch, part of which is still being scored, with a held and a rejected file."""
    batch_id, staging, row = uploader.open()
    for number in range(1, 7):
        stage_image(staging, _png(), f"scan-{number:03}.png", row | {"acquisition": f"A{number}"})
    stage_image(staging, _png(), "scan-without-row.png", {})
    stage_image(staging, _png(is_captioned=True), "scan-with-name.png", row | {"acquisition": "A9"})
    uploader.submit(batch_id, staging.actor)
    with session_scope(owner) as session:
        last = select(tables.Scan.id).where(tables.Scan.batch_id == batch_id).order_by(tables.Scan.id.desc())
        held_back = update(tables.Scan).where(
            tables.Scan.id.in_(last.limit(HELD_BACK).scalar_subquery()), tables.Scan.state == ScanState.QUEUED
        )
        session.execute(held_back.values(not_before_at=func.now() + timedelta(hours=1)))
    return batch_id


def flagged_scan(session: Session) -> int:
    """The latest scan that waits for a decision."""
    chosen = select(tables.Scan.id).where(tables.Scan.state == ScanState.UNDER_REVIEW.value)
    return session.scalars(chosen.order_by(tables.Scan.id.desc()).limit(1)).one()


def marked_scan(session: Session) -> int:
    """The ungradable scan with Grad-CAM and FAZ that has the most kinds of artifact marked."""
    assessment, artifact = tables.Assessment, tables.AssessmentArtifact
    chosen = (
        select(assessment.scan_id)
        .join(artifact, artifact.assessment_id == assessment.id)
        .where(
            assessment.grade_ordinal == CoipsGrade.UNGRADABLE.value, assessment.cam_sha256.is_not(None),
            assessment.faz_mask_sha256.is_not(None), artifact.mask_sha256.is_not(None),
            artifact.area_fraction > CLEARLY_MARKED,
        )
        .group_by(assessment.scan_id)
        .order_by(func.count().desc(), func.sum(artifact.area_fraction).desc())
        .limit(1)
    )  # fmt: skip
    return session.scalars(chosen).one()


def ungraded_scan(session: Session, grader: str) -> int:
    """A scan that this grader has not graded yet."""
    graded = select(tables.Review.scan_id).join(tables.User, tables.User.id == tables.Review.reviewer_id)
    chosen = (
        select(tables.Scan.id)
        .join(tables.Site, tables.Site.id == tables.Scan.site_id)
        .join(tables.Study, tables.Study.id == tables.Site.study_id)
        .where(tables.Study.code == STUDY, tables.Scan.id.not_in(graded.where(tables.User.name == grader)))
    )
    return session.scalars(chosen.order_by(tables.Scan.id).limit(1)).one()
