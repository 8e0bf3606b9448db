"""Two sites of one study with people of each kind and a few scored scans: what the dashboard's tests look at.

Import as `from clinics import Clinics, build_clinics`.
"""

from dataclasses import dataclass

from builders import make_device, make_member, make_site, make_study
from scored_scans import make_scored_capture
from sqlalchemy.orm import Session

from core.storage import BlobStore
from core.vocabulary import ArtifactType, Role


@dataclass(frozen=True)
class Clinics:
    """Ids and tokens of what was built. ``flagged_id`` and ``accepted_id`` are scans of the first site."""

    study_id: int
    site_id: int
    other_site_id: int
    device_id: int
    accepted_id: int
    flagged_id: int
    abstained_id: int
    other_id: int
    manager: str
    reviewer: str
    technician: str
    grader: str
    """Grades at both sites and has graded nothing yet."""
    stranger: str
    """A technician of the other site."""


def build_clinics(session: Session, blobs: BlobStore) -> Clinics:
    """The rows; the first site has an outstanding, a flagged and an abstained scan, the other one flagged scan."""
    study = make_study(session, code="RET-1", name="Retina study")
    site = make_site(session, study, code="S01", name="Leipzig")
    other = make_site(session, study, code="S02", name="Turin")
    device = make_device(session, site, code="S01-A")
    here = {"device": device, "days": 7}
    motion, shadow = ArtifactType.MOTION, ArtifactType.SHADOW
    accepted = make_scored_capture(session, blobs, site, ordinal=2, seed=1, **here)
    flagged = make_scored_capture(session, blobs, site, ordinal=0, artifact=motion, seed=2, **here)
    abstained = make_scored_capture(session, blobs, site, is_abstained=True, seed=3, **here)
    elsewhere = make_scored_capture(session, blobs, other, ordinal=0, artifact=shadow, seed=4)
    return Clinics(
        study_id=study.id,
        site_id=site.id,
        other_site_id=other.id,
        device_id=device.id,
        accepted_id=accepted.id,
        flagged_id=flagged.id,
        abstained_id=abstained.id,
        other_id=elsewhere.id,
        manager=make_member(session, Role.MANAGER, study=study)[1],
        reviewer=make_member(session, Role.QC_TECHNICIAN, study=study)[1],
        technician=make_member(session, Role.SITE_TECHNICIAN, site=site)[1],
        grader=make_member(session, Role.GRADER, study=study)[1],
        stranger=make_member(session, Role.SITE_TECHNICIAN, site=other)[1],
    )
