"""Which scans have results as DICOM objects, and who may take them; making them is core.reports.export_dicom.

Apart from it, because pages ask, and what makes the objects takes a second to load.
"""

from sqlalchemy.orm import Session

from core.store.access import PROGRAM, Actor
from core.store.dicom_source import read_origin
from core.store.scan_view import ScanView
from core.vocabulary import Role, ScanKind, ScanState, Verdict

EXPORTERS = (Role.SITE_TECHNICIAN, Role.QC_TECHNICIAN, Role.MANAGER, Role.ADMIN)
"""Who may take results away, as DICOM: those who see file names, for the same site (docs/roles.md)."""
REJECTED_STATES = frozenset({ScanState.REACQUISITION_REQUESTED, ScanState.SUPERSEDED, ScanState.CLOSED_NOT_POSSIBLE})
"""Where a scan stands once a person or the protocol has settled that it is to be taken again."""


def may_export(actor: Actor, view: ScanView) -> bool:
    """Whether the person may take the scan's results away."""
    return actor is PROGRAM or actor.has_role(*EXPORTERS, study_id=view.study_id, site_id=view.site_id)


def read_exportable(session: Session, scan_id: int) -> bool:
    """Whether there is an object that results could name, and that the session's person may see."""
    origin = read_origin(session, scan_id)
    # Of a photograph only the row says what it shows; export_dicom asks again.
    is_angiogram = origin is not None and origin.facts.get("kind") in (None, ScanKind.OCTA_ENFACE)
    return is_angiogram and origin is not None and origin.sealed_reference is not None


def is_rejected(verdict: Verdict | None, state: ScanState) -> bool:
    """Whether a scan is rejected for good: a flag that still waits for a person's decision is none."""
    return verdict is Verdict.REACQUIRE and state in REJECTED_STATES
