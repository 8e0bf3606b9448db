"""A person checks a scan that the model accepted: the own grade confirms the acceptance or overturns it."""

from sqlalchemy.orm import Session

from core.errors import NotFoundError, UsageError
from core.store.accepted_check import scan_of_open_check
from core.store.access import Actor
from core.usecases.review_scan import accept_scan, override_scan
from core.vocabulary import CoipsGrade


def check_accepted(
    session: Session, *, actor: Actor, check_id: int, seen_version: int, ordinal: int, reason: str = ""
) -> None:
    """Decide about the scan by the person's own grade; the decision answers the check.

    A gradable one accepts the scan under that grade. An ungradable one contradicts the model, so it needs a reason and
    flags the scan: the next step is to request reacquisition. Both count as human grades in the rates.

    Raises
    ------
    NotFoundError
        There is no such open check where the person may see it.
    UsageError
        The scale has no such grade, or an ungradable one comes without a reason.
    NotAllowedError, StaleRecordError, IllegalMoveError
        As core.usecases.review_scan.
    """
    scan_id = scan_of_open_check(session, check_id)
    if scan_id is None:
        raise NotFoundError("This scan is no longer on the list.", remedy="Go on to the next one.")
    if ordinal >= CoipsGrade.GRADABLE:
        accept_scan(
            session, actor=actor, scan_id=scan_id, seen_version=seen_version, ordinal=ordinal, reason=reason.strip()
        )
        return
    if not reason.strip():
        raise UsageError("You overturn the model's acceptance, so say why.", remedy="Write it in a few words.")
    override_scan(
        session, actor=actor, scan_id=scan_id, seen_version=seen_version, ordinal=ordinal, reason=reason.strip()
    )
