"""Whoever may upload for a site has its failed scans scored again, batch by batch; quarantined ones stay an operator's.

A scan fails where its worker lived on: the cause lies with the moment or the file, and trying again costs little.
One in quarantine cost several workers, so only an operator lets it back (core.usecases.requeue_scans).
"""

from sqlalchemy.orm import Session

from core.broker import Bell
from core.database.session import after_commit
from core.errors import UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.batch import read_batch
from core.store.batch_page import retry_failed
from core.usecases.upload_rights import require_uploader
from core.vocabulary import ScanState


def retry_batch(session: Session, *, actor: Actor, bell: Bell, batch_id: int) -> int:
    """Queue the failed scans of a batch again, with an audit event each; return how many.

    Raises NotFoundError and NotAllowedError for a batch that is not the person's site's, UsageError where none failed.
    """
    head = read_batch(session, batch_id)
    require_uploader(actor, head.site)
    retried = retry_failed(session, batch_id)
    if not retried:
        raise UsageError(
            f"No scan of batch {head.receipt} has failed.",
            remedy="Scans set aside after crashes are for an operator: ask your reading centre.",
        )
    for scan in retried:
        record_event(
            session, actor=actor, action="scan.queued_again", entity="scan", entity_id=scan.scan_id,
            study_id=head.site.study_id, site_id=head.site.site_id,
            before={"state": ScanState.FAILED.value, "failure": scan.failure}, after={"state": ScanState.QUEUED.value},
        )  # fmt: skip
    for lane in sorted({scan.kind for scan in retried}):
        after_commit(session, lambda lane=lane: bell.ring(lane))  # type: ignore[misc]
    return len(retried)
