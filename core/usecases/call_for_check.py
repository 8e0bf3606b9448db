"""A consensus of graders that finds an accepted scan ungradable sends it to a person, who decides about it."""

from sqlalchemy.orm import Session

from core.store.accepted_check import NewCheck, accepted_assessment, add_checks
from core.store.access import Actor
from core.store.audit import record_event
from core.vocabulary import CheckCause, CoipsGrade


def call_for_check(session: Session, *, actor: Actor, study_id: int, site_id: int, scan_id: int, ordinal: int) -> None:
    """Put the scan on the list of accepted scans to check, where the consensus speaks against its acceptance.

    The consensus itself decides nothing about the scan (docs/adr/0031).
    """
    if ordinal >= CoipsGrade.GRADABLE:
        return
    assessment_id = accepted_assessment(session, scan_id)
    if assessment_id is None:
        return
    if add_checks(session, [NewCheck(site_id, scan_id, assessment_id, CheckCause.CONSENSUS)]):
        record_event(
            session, actor=actor, action="check.called_for", entity="scan", entity_id=scan_id, study_id=study_id,
            after={"cause": CheckCause.CONSENSUS},
        )  # fmt: skip
