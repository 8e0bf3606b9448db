"""Draws, as scans are scored, those that people grade masked and those accepted ones that a person checks.

In the transaction of the score: no scan can be scored and forgotten, and nothing walks over the scans to find those
that were not drawn yet. A scan is drawn once, whatever scores it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.policy.grading_plan import Draw, is_drawn
from core.store.accepted_check import NewCheck, add_checks
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.store.case import ScanCase
from core.store.grading import NewGrading, add_gradings, phantoms_among
from core.store.protocol import ProtocolInForce
from core.usecases.review_scan import GRADED_KIND
from core.vocabulary import CheckCause, Verdict


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """A scan that was just scored, with the assessment and its verdict."""

    case: ScanCase
    in_force: ProtocolInForce
    assessment_id: int
    verdict: Verdict


def draw_scans(session: Session, scored: Iterable[ScoredCase]) -> None:
    """Append what the protocol's grading plan draws of these scans; phantoms and other kinds of scans never are."""
    able = [each for each in scored if each.case.kind is GRADED_KIND]
    graded = [each for each in able if _is_drawn(each, Draw.GRADING, each.in_force.protocol.grading.graded_share)]
    checked = [
        each
        for each in able
        if each.verdict is Verdict.ACCEPT
        and _is_drawn(each, Draw.ACCEPTED_CHECK, each.in_force.protocol.grading.accepted_check_share)
    ]
    phantoms = phantoms_among(session, {each.case.scan_id for each in (*graded, *checked)})
    _grade(session, [each for each in graded if each.case.scan_id not in phantoms])
    _check(session, [each for each in checked if each.case.scan_id not in phantoms])


def _is_drawn(scored: ScoredCase, draw: Draw, share: float) -> bool:
    return is_drawn(draw, share, scored.case.study_id, scored.case.scan_id)


def _grade(session: Session, drawn: list[ScoredCase]) -> None:
    new = [
        NewGrading(
            each.case.site_id, each.case.scan_id, each.in_force.id, each.in_force.protocol.grading.n_graders
        )
        for each in drawn
    ]  # fmt: skip
    ids = add_gradings(session, new)
    for each in drawn:
        if each.case.scan_id in ids:
            note_grading(
                session, "grading.drawn", ids[each.case.scan_id], study_id=each.case.study_id,
                scan_id=each.case.scan_id, n_graders=each.in_force.protocol.grading.n_graders,
            )  # fmt: skip


def _check(session: Session, drawn: list[ScoredCase]) -> None:
    new = [
        NewCheck(each.case.site_id, each.case.scan_id, each.assessment_id, CheckCause.SAMPLE) for each in drawn
    ]  # fmt: skip
    added = set(add_checks(session, new))
    for each in drawn:
        if each.case.scan_id in added:
            record_event(
                session, actor=PROGRAM, action="check.drawn", entity="scan", entity_id=each.case.scan_id,
                study_id=each.case.study_id, after={"cause": CheckCause.SAMPLE},
            )  # fmt: skip


def note_grading(session: Session, action: str, grading_id: int, *, study_id: int, **after: object) -> None:
    """Leave an audit event of the program about a grading, with the study alone.

    A site's people read the events of their site; who grades what, and the consensus, are the reading centre's.
    """
    record_event(
        session, actor=PROGRAM, action=action, entity="grading", entity_id=grading_id, study_id=study_id, after=after
    )
