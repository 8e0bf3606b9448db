"""What the demo study's graders did with the scans drawn for them: some settled, one to settle, the rest left open."""

import hashlib
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.demo import DemoDraw, read_draws
from core.store.grading import wait_for_handing_out
from core.usecases.demo_people import DemoPlaces
from core.usecases.grade_masked import grade_masked
from core.usecases.hand_out_gradings import tend_site
from core.vocabulary import CoipsGrade

N_GRADED = 16
"""Drawn scans that all their graders have graded."""
SLIPS = 0.12
"""How often a grader is one step beside the others."""


@dataclass(frozen=True, slots=True)
class _Grade:
    """One grade that is to be given."""

    scan_id: int
    grader: Actor
    ordinal: int


def grade_drawn(session: Session, places: DemoPlaces) -> None:
    """Hand the drawn scans out and grade the first ones; what was graded at an earlier loading stays as it is."""
    wait_for_handing_out(session)
    for site_id in places.site_ids.values():
        tend_site(session, site_id)
    graders = {actor.user_id: actor for actor in places.graders.values()}
    for number, draw in enumerate(read_draws(session, places.study_id, limit=N_GRADED)):
        for grade in _grades(draw, graders, is_disputed=number == 0):
            grade_masked(session, actor=grade.grader, scan_id=grade.scan_id, ordinal=grade.ordinal)
    for site_id in places.site_ids.values():
        tend_site(session, site_id)


def _grades(draw: DemoDraw, graders: dict[int | None, Actor], *, is_disputed: bool) -> list[_Grade]:
    """The grades that are still to be given to one scan; of a disputed one the last grader differs for sure."""
    truth = draw.given[0] if draw.given else draw.model_ordinal
    grades = []
    for grader_id in draw.open_to:
        differs = is_disputed and grader_id == max(draw.open_to)
        slips = differs or _position(draw.scan_id, grader_id) < SLIPS
        ordinal = _beside(truth) if slips else truth
        if grader_id in graders:
            grades.append(_Grade(draw.scan_id, graders[grader_id], ordinal))
    return grades


def _beside(ordinal: int) -> int:
    """The neighbouring grade towards the middle."""
    return CoipsGrade.GRADABLE if ordinal != CoipsGrade.GRADABLE else CoipsGrade.OUTSTANDING


def _position(*parts: int) -> float:
    """A number in [0, 1) that is the same at every loading."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32
