"""A manager puts a reviewer into calibration mode, and takes them out of it again."""

from sqlalchemy.orm import Session

from core.clock import now
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.access import Actor
from core.store.audit import record_event
from core.store.calibration_mode import begin_calibration, end_calibration, read_calibrated, reviewers_of_study
from core.usecases.review_scan import reviewer_id_of
from core.vocabulary import Role

KEEPERS = (Role.MANAGER, Role.ADMIN)


def start_calibration(session: Session, *, actor: Actor, study_id: int, user_id: int, reason: str) -> None:
    """From now on the reviewer sees nothing of the model's about a scan before the own grade of it.

    Raises
    ------
    NotAllowedError
        The actor does not manage the whole study.
    NotFoundError
        That person is no quality-control technician of the study.
    UsageError
        The reason is missing.
    IllegalMoveError
        The person is in calibration mode already.
    """
    _require_keeper(actor, study_id)
    if not reason.strip():
        raise UsageError("Calibration mode needs a reason.", remedy="Write it in a few words.")
    if user_id not in {reviewer.id for reviewer in reviewers_of_study(session, study_id)}:
        raise NotFoundError("That person is no QC technician of this study.", remedy="Choose one from the list.")
    if user_id in {each.user_id for each in read_calibrated(session, study_id)}:
        raise IllegalMoveError("That person is in calibration mode already.", remedy="End it first.")
    calibration_id = begin_calibration(
        session, study_id=study_id, user_id=user_id, started_by_id=reviewer_id_of(actor), reason=reason.strip(),
        at=now(),
    )  # fmt: skip
    record_event(
        session, actor=actor, action="calibration.started", entity="reviewer_calibration", entity_id=calibration_id,
        study_id=study_id, after={"user_id": user_id}, reason=reason.strip(),
    )  # fmt: skip


def stop_calibration(session: Session, *, actor: Actor, study_id: int, calibration_id: int) -> None:
    """The reviewer sees the model's grade at once again; NotAllowedError, or IllegalMoveError where it has ended."""
    _require_keeper(actor, study_id)
    if not end_calibration(session, calibration_id, at=now()):
        raise IllegalMoveError("This calibration has ended already.", remedy="Look at the page again.")
    record_event(
        session, actor=actor, action="calibration.ended", entity="reviewer_calibration", entity_id=calibration_id,
        study_id=study_id,
    )  # fmt: skip


def _require_keeper(actor: Actor, study_id: int) -> None:
    is_keeper = any(
        grant.role in KEEPERS and grant.site_id is None and grant.covers(study_id, None) for grant in actor.grants
    )
    if not is_keeper:
        raise NotAllowedError(
            "Only a manager of the whole study calibrates its reviewers.", remedy="Ask a manager of the study."
        )
