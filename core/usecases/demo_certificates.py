"""The demo study's certificates: most hold, one ends soon, one is due for a new check, one is asked for.

Each is asked for and granted by the verbs that people use, on the day after its third good capture.
"""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session

from core.clock import pretending
from core.phantom.demo_roster import NEWCOMER, UPDATED_DEVICE, UPDATED_SOFTWARE
from core.store import certificate as store
from core.store.access import Actor, Grant
from core.store.case import read_cases
from core.store.certificate import Holder
from core.store.demo import find_user
from core.store.evidence import EvidenceScan, list_candidates
from core.usecases.certify import certification_of, grant_certificate, request_certificate, review_evidence
from core.usecases.demo_workflow import Story
from core.usecases.recheck_certificates import move, notice_software
from core.vocabulary import CertificateState, Role, ScanKind

KIND = ScanKind.OCTA_ENFACE
ENDING_DEVICE = "ELM-1"
ENDS_IN = timedelta(days=21)
"""From the study's last day on."""
_ALL = 1000
"""More scans than a device of the demo takes."""


def tell_of_certificates(story: Story) -> None:
    """Give the study's devices and technicians their certificates, where nobody has any yet."""
    study_id = story.places.study_id
    with story.open_session() as session:
        if store.read_certificates(session, study_id=study_id, site_id=None, limit=1):
            return
        manager = Actor(
            find_user(session, "manager"), "manager", "Manager (demo)", (Grant(Role.MANAGER, study_id, None),)
        )
        first_software = {device.code: device.software_version for device in story.study.devices}
        for holder in store.list_holders(session, study_id):
            software = first_software.get(holder.code, "")
            _tell(session, manager, story, replace(holder, software_version=software))


def _tell(session: Session, manager: Actor, story: Story, holder: Holder) -> None:
    n_needed = certification_of(session, holder.study_id).n_evidence
    scans = _first_captures(list_candidates(session, holder, KIND, limit=_ALL), n_needed)
    if len(scans) < n_needed:
        return
    with pretending(scans[-1].acquired_at + timedelta(days=1)):
        certificate_id = request_certificate(
            session, actor=manager, holder=holder, kind=KIND, scan_ids=[scan.scan_id for scan in scans]
        )
        review_evidence(session, actor=manager, certificate_id=certificate_id)
        if holder.code == NEWCOMER:
            return
        if holder.code == UPDATED_DEVICE:
            _grant_of_old(session, manager, certificate_id, holder)
            return
        last_day = story.study.ends_on + ENDS_IN if holder.code == ENDING_DEVICE else None
        grant_certificate(
            session, actor=manager, certificate_id=certificate_id, note="Sharp and centred in all captures.",
            expires_on=last_day,
        )  # fmt: skip


def _grant_of_old(session: Session, manager: Actor, certificate_id: int, holder: Holder) -> None:
    """Granted before its update, as it was then; the first scan by the new software makes it due for a new check."""
    certificate = store.read_certificate(session, certificate_id)
    assert certificate is not None, "it was just asked for"
    granted_at = store.read_steps(session, certificate_id)[-1].at
    last_day = granted_at.date() + timedelta(days=730)
    move(
        session, manager, certificate, CertificateState.CERTIFIED, note="Sharp and centred in all captures.",
        certified_at=granted_at, expires_on=last_day,
    )  # fmt: skip
    newer = list_candidates(session, replace(holder, software_version=UPDATED_SOFTWARE), KIND, limit=_ALL)
    first = min(scan.acquired_at for scan in newer)
    with pretending(first + timedelta(days=1)):
        notice_software(session, read_cases(session, [scan.scan_id for scan in newer]).values())


def _first_captures(scans: tuple[EvidenceScan, ...], n: int) -> list[EvidenceScan]:
    """A scan of each of the oldest ``n`` captures; the scans come newest first."""
    first: dict[int, EvidenceScan] = {}
    for scan in reversed(scans):
        first.setdefault(scan.acquisition_id, scan)
    return list(first.values())[:n]
