"""Images that more than one site sent: known to whoever may see these sites, and to nobody else.

Row-level security decides what is found. A person with one site asks nothing here at all, so neither words nor time
tell that there is a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Scan, Site, Study, Subject
from core.database.tables import SharedImage as Shared
from core.store.scan_filter import ScanFilter, site_conditions

MAX_IMAGES = 20
"""Listed on the overview; more of them are one fault (a copied folder), not twenty."""


@dataclass(frozen=True, slots=True)
class SentScan:
    """One scan of an image, and who sent it for whom."""

    scan_id: int
    study_code: str
    site_id: int
    site_code: str
    site_name: str
    subject_code: str
    acquired_at: datetime


@dataclass(frozen=True, slots=True)
class SharedImage:
    """An image that more than one site sent; ``scans`` in the order in which they arrived."""

    image_sha256: str
    scans: tuple[SentScan, ...]


def read_same_image(session: Session, image_sha256: str, *, own_site_id: int) -> tuple[SentScan, ...]:
    """The scans of other sites that hold this very image; empty for a person who sees no other site."""
    if session.scalars(select(Site.id).where(Site.id != own_site_id).limit(1)).first() is None:
        return ()
    sent = _sent_scans(session, Scan.image_sha256 == image_sha256, Scan.site_id != own_site_id)
    return tuple(scan for _, scan in sent)


def read_shared_images(session: Session, chosen: ScanFilter, *, limit: int = MAX_IMAGES) -> tuple[SharedImage, ...]:
    """Images that two or more of the person's sites sent, one of them within ``chosen``'s study or site, any time.

    Which images those are was written down when they came in (shared_image). The latest images come first.
    """
    if len(session.scalars(select(Site.id).limit(2)).all()) < 2:  # noqa: PLR2004 - one site shares nothing
        return ()
    latest = (
        select(func.max(Scan.id)).where(Scan.image_sha256 == Shared.image_sha256).correlate(Shared)
    ).scalar_subquery()
    statement = select(Shared.image_sha256).order_by(latest.desc()).limit(limit)
    within = site_conditions(chosen)
    if within:
        of_chosen = exists().where(
            Scan.image_sha256 == Shared.image_sha256, Scan.site_id.in_(select(Site.id).where(*within))
        )
        statement = statement.where(of_chosen)
    found: dict[str, list[SentScan]] = {image: [] for image in session.scalars(statement)}
    for image, sent in _sent_scans(session, Scan.image_sha256.in_(tuple(found))) if found else ():
        found[image].append(sent)
    return tuple(SharedImage(image, tuple(scans)) for image, scans in found.items())


def _sent_scans(session: Session, *conditions: ColumnElement[bool]) -> Sequence[tuple[str, SentScan]]:
    rows = session.execute(
        select(
            Scan.image_sha256, Scan.id, Study.code, Site.id, Site.code, Site.name, Subject.code, Acquisition.acquired_at
        )
        .join(Site, Site.id == Scan.site_id)
        .join(Study, Study.id == Site.study_id)
        .join(Acquisition, Acquisition.id == Scan.acquisition_id)
        .join(Subject, Subject.id == Acquisition.subject_id)
        .where(*conditions)
        .order_by(Scan.id)
    )
    return [(row[0], SentScan(*row[1:])) for row in rows]
