"""Takes scans back from workers that died or hung: into the queue again, or into quarantine at the third loss."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.broker import Bell
from core.database.session import after_commit
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.store.queue import ReturnedLeases, return_expired_leases, scan_places
from core.vocabulary import ScanState


def return_leases(session: Session, *, max_losses: int, bell: Bell) -> ReturnedLeases:
    """Return every expired lease, leave an audit event per quarantined scan, and ring for the lanes concerned."""
    returned = return_expired_leases(session, max_losses=max_losses)
    _note_quarantined(session, returned.quarantined)
    for lane in returned.lanes:
        after_commit(session, lambda lane=lane: bell.ring(lane))  # type: ignore[misc]
    return returned


def _note_quarantined(session: Session, scan_ids: Sequence[int]) -> None:
    for place in scan_places(session, scan_ids):
        record_event(
            session,
            actor=PROGRAM,
            action="scan.quarantined",
            entity="scan",
            entity_id=place.scan_id,
            study_id=place.study_id,
            site_id=place.site_id,
            after={"state": ScanState.QUARANTINED},
            reason=place.failure or "",
        )
