"""The reading centre marks which of several gradable captures of an expected scan stands for it (DICOM: Best In Set).

Without a choice a rule decides: the highest grade of the worst slab, and of equal ones the newest. No rate depends on
it: the final rate asks whether there is a gradable capture, not which (docs/rates.md).
"""

from sqlalchemy.orm import Session

from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.capture_set import CaptureSet, SetCapture, add_choice, read_capture_set
from core.store.rate import lock_slots
from core.usecases.review_scan import REVIEWERS, reviewer_id_of


def choose_best(
    session: Session, *, actor: Actor, expected_scan_id: int, acquisition_id: int | None, reason: str
) -> None:
    """Mark the capture; None takes an earlier choice back, so that the rule holds again.

    Raises
    ------
    UsageError
        There is no reason, or the capture is of another expected scan.
    NotFoundError, NotAllowedError
        There is no such expected scan in the person's reach; the role does not fit; the capture is the person's own.
    IllegalMoveError
        The capture is not gradable, stands already, is the only gradable one, or there is no choice to take back.
    """
    if not reason.strip():
        raise UsageError("Why this one?", remedy="Write the reason in a few words.")
    lock_slots(session, [expected_scan_id])
    captures = read_capture_set(session, expected_scan_id)
    if captures is None:
        raise NotFoundError(
            f"There is no expected scan {expected_scan_id} with a capture.", remedy="Open a scan of it."
        )
    if not actor.has_role(*REVIEWERS, study_id=captures.study_id, site_id=captures.site_id):
        raise NotAllowedError(
            "Your role does not allow you to choose between captures of this site.", remedy="Ask the reading centre."
        )
    before = captures.best
    if acquisition_id is None:
        _refuse_nothing_chosen(captures)
    else:
        _refuse_unfit(captures, acquisition_id, reviewer_id_of(actor))
    add_choice(
        session, site_id=captures.site_id, expected_scan_id=expected_scan_id, acquisition_id=acquisition_id,
        chosen_by_id=reviewer_id_of(actor), reason=reason.strip(),
    )  # fmt: skip
    record_event(
        session, actor=actor, action="capture.chosen_best", entity="expected_scan", entity_id=expected_scan_id,
        study_id=captures.study_id, site_id=captures.site_id,
        before={"acquisition_id": before.acquisition_id if before else None},
        after={"acquisition_id": acquisition_id, "by_rule": acquisition_id is None}, reason=reason.strip(),
    )  # fmt: skip


def _refuse_nothing_chosen(captures: CaptureSet) -> None:
    if captures.choice is None or captures.choice.acquisition_id is None:
        raise IllegalMoveError("Nobody has chosen a capture here: the rule holds.", remedy="Choose one.")


def _refuse_unfit(captures: CaptureSet, acquisition_id: int, chooser_id: int) -> None:
    wanted: SetCapture | None = next(
        (capture for capture in captures.captures if capture.acquisition_id == acquisition_id), None
    )
    if wanted is None:
        raise UsageError(
            f"Acquisition {acquisition_id} is no capture of this expected scan.", remedy="Choose one of the list."
        )
    if any(chooser_id in scan.own_user_ids for scan in wanted.scans):
        raise NotAllowedError(
            "You acquired or uploaded this capture, so you cannot choose it.", remedy="Leave it to another reviewer."
        )
    if not wanted.is_gradable:
        raise IllegalMoveError(
            "The capture is not gradable, so it cannot stand for the expected scan.",
            remedy="Choose a gradable one, or override its grade first.",
        )
    if len(captures.gradable) == 1:
        raise IllegalMoveError("It is the only gradable capture, so it stands already.", remedy="Nothing to do.")
    if captures.chosen is wanted:
        raise IllegalMoveError("This capture was chosen already.", remedy="Choose another one, or nothing.")
