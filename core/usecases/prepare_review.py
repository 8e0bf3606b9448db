"""What happens while a review is being made: the draft is kept, and the others see who has the scan open.

Neither decides anything, so neither leaves an audit event; the version check of core.usecases.review_scan stays the
only guard against two reviewers overwriting each other.
"""

from sqlalchemy.orm import Session

from core.policy.review_form import ReviewDraft, known_marks
from core.store.access import Actor
from core.store.review_draft import put_draft
from core.store.scan_claim import Claim, drop_other_claims, put_claim, read_other_claims
from core.usecases.review_scan import REVIEWERS, reviewer_id_of
from core.vocabulary import ScanKind


def keep_draft(
    session: Session, *, actor: Actor, scan_id: int, site_id: int, kind: ScanKind, seen_version: int, draft: ReviewDraft
) -> None:
    """Keep the form as it now is. It is the reviewer's own and is removed by the decision.

    Raises
    ------
    UsageError
        The marks are not those of the form for this kind of scan.
    """
    known_marks(kind, draft.marks)
    put_draft(
        session,
        reviewer_id=reviewer_id_of(actor),
        site_id=site_id,
        scan_id=scan_id,
        seen_version=seen_version,
        document=draft.model_dump(mode="json"),
    )


def claim_scan(
    session: Session, *, actor: Actor, scan_id: int, study_id: int, site_id: int, is_opened: bool
) -> tuple[Claim, ...]:
    """Say that this person has the scan open, and read who else has; ``is_opened`` False: only still open.

    Opening one gives up the claims on others. Who may not review this site's scans claims none and sees none.
    """
    if not actor.has_role(*REVIEWERS, study_id=study_id, site_id=site_id):
        return ()
    reviewer_id = reviewer_id_of(actor)
    if is_opened:
        drop_other_claims(session, reviewer_id=reviewer_id, scan_id=scan_id)
    put_claim(session, reviewer_id=reviewer_id, site_id=site_id, scan_id=scan_id)
    return read_other_claims(session, reviewer_id=reviewer_id, scan_id=scan_id)
