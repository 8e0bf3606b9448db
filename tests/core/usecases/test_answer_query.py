"""The reading centre asks, the site answers, and the scan comes back; nobody else answers, and nothing is decided."""

import pytest
from builders import make_batch, make_member
from desk import Desk
from lane import ABSTAINED, GRADABLE, UNGRADABLE, Scene
from sqlalchemy import select, update

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, StaleRecordError, UsageError
from core.store.scan_filter import ScanFilter
from core.store.scan_history import read_history
from core.store.worklist import WorklistTab, read_worklist
from core.usecases.answer_query import answer_query
from core.usecases.check_rates import verify_rates
from core.usecases.review_scan import query_site
from core.vocabulary import ReviewDecision, Role, ScanState

QUESTION, ANSWER = "Was this the left eye?", "Yes, the label was wrong."


def ask(desk: Desk, token: str, scan_id: int, question: str = QUESTION, *, seen_version: int | None = None) -> None:
    with desk.as_person(token) as (session, actor):
        seen = desk.version(scan_id) if seen_version is None else seen_version
        query_site(session, actor=actor, scan_id=scan_id, seen_version=seen, question=question)


def answer(desk: Desk, token: str, scan_id: int, text: str = ANSWER) -> None:
    with desk.as_person(token) as (session, actor):
        answer_query(session, actor=actor, scan_id=scan_id, answer=text)


def test_a_question_goes_to_the_site_and_its_answer_brings_the_scan_back(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    _, verdict, grade = desk.stands(scan_id)
    technician = desk.hire(Role.SITE_TECHNICIAN)
    ask(desk, reviewer, scan_id)
    assert desk.stands(scan_id) == (ScanState.QUERIED, verdict, grade)
    with desk.as_person(technician) as (session, _):
        page = read_worklist(session, ScanFilter(), WorklistTab.QUERIED, today=now().date(), page=0)
        assert [(item.scan_id, item.question) for item in page.items] == [(scan_id, QUESTION)]
    answer(desk, technician, scan_id)
    assert desk.stands(scan_id) == (ScanState.UNDER_REVIEW, verdict, grade)
    with desk.as_person(reviewer) as (session, _):
        told = [(each.decision, each.note) for each in read_history(session, scan_id) if each.decision]
    assert told == [(ReviewDecision.QUERY, QUESTION), (ReviewDecision.ANSWER, ANSWER)]
    assert verify_rates(desk.worker) == []


def test_whoever_uploaded_the_scan_may_answer_about_it(desk: Desk, reviewer: str) -> None:
    with session_scope(desk.owner) as session:
        user, token = make_member(session, Role.SITE_TECHNICIAN, site=desk.scene.site)
        batch = make_batch(session, desk.scene.site, uploaded_by_id=user.id)
    own = Desk(desk.owner, desk.worker, desk.dashboard, desk.settings,
               Scene(desk.scene.study, desk.scene.site, desk.scene.device, batch, desk.scene.blobs))  # fmt: skip
    scan_id = own.score(UNGRADABLE)
    ask(desk, reviewer, scan_id)
    answer(desk, token, scan_id)
    assert desk.scan(scan_id).state == ScanState.UNDER_REVIEW


def test_a_question_without_words_or_to_a_changed_scan_is_refused(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    with pytest.raises(UsageError, match="question is empty"):
        ask(desk, reviewer, scan_id, " ")
    with pytest.raises(StaleRecordError):
        ask(desk, reviewer, scan_id, seen_version=desk.version(scan_id) - 1)
    ask(desk, reviewer, scan_id)
    with pytest.raises(IllegalMoveError, match="it is queried"):
        ask(desk, reviewer, scan_id)


def test_an_answer_needs_words_and_an_open_question(desk: Desk, reviewer: str) -> None:
    scan_id, technician = desk.score(UNGRADABLE), desk.hire(Role.SITE_TECHNICIAN)
    with pytest.raises(IllegalMoveError, match="No question"):
        answer(desk, technician, scan_id)
    ask(desk, reviewer, scan_id)
    with pytest.raises(UsageError, match="answer is empty"):
        answer(desk, technician, scan_id, " ")


@pytest.mark.parametrize("role", [Role.SITE_TECHNICIAN, Role.GRADER, Role.MANAGER, Role.ADMIN])
def test_only_reviewers_ask(desk: Desk, role: Role) -> None:
    scan_id = desk.score(UNGRADABLE)
    with pytest.raises((NotAllowedError, NotFoundError)):
        ask(desk, desk.hire(role), scan_id)


@pytest.mark.parametrize("role", [Role.GRADER, Role.MANAGER, Role.ADMIN])
def test_only_the_site_and_quality_control_answer(desk: Desk, reviewer: str, role: Role) -> None:
    scan_id = desk.score(UNGRADABLE)
    ask(desk, reviewer, scan_id)
    with pytest.raises((NotAllowedError, NotFoundError)):
        answer(desk, desk.hire(role), scan_id)


def test_a_site_cannot_put_a_scan_back_that_it_has_not_answered(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(UNGRADABLE)
    ask(desk, reviewer, scan_id)
    with (
        pytest.raises(NotAllowedError, match="row-level security"),
        desk.as_person(desk.hire(Role.SITE_TECHNICIAN)) as (session, _),
    ):
        session.execute(update(tables.Scan).where(tables.Scan.id == scan_id).values(state=ScanState.UNDER_REVIEW))


def test_the_reading_centre_may_decide_without_the_answer(desk: Desk, reviewer: str) -> None:
    scan_id = desk.score(ABSTAINED + GRADABLE)
    ask(desk, reviewer, scan_id)
    desk.accept(reviewer, scan_id)
    assert desk.scan(scan_id).state == ScanState.ACCEPTED
    with session_scope(desk.owner) as session:
        given = {row.decision: row.ordinal for row in session.scalars(select(tables.Review))}
    assert given[ReviewDecision.QUERY] is None
