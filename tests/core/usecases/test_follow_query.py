"""A thread of questions: who may say what when, what is new to whom, and that no other site sees a word of it."""

from itertools import product

import pytest
from desk import Desk
from lane import ABSTAINED, GRADABLE, UNGRADABLE, make_scene
from sqlalchemy import insert, select

from core.clock import now
from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.store.query_thread import Thread, ThreadState, mark_seen, read_thread
from core.store.scan_filter import ScanFilter
from core.store.worklist import WorklistTab, read_worklist
from core.usecases.answer_query import answer_query
from core.usecases.follow_query import MOVES, refuse_illegal_act, remark, reopen_query, resolve_query
from core.usecases.review_scan import query_site
from core.vocabulary import QueryAct, QuerySide, Role, ScanState

QUESTION, ANSWER = "Was this the left eye?", "Yes: the label was wrong."


@pytest.fixture
def technician(desk: Desk) -> str:
    return desk.hire(Role.SITE_TECHNICIAN)


@pytest.fixture
def asked(desk: Desk, reviewer: str) -> int:
    """A scan that the site was asked about."""
    scan_id = desk.score(ABSTAINED + GRADABLE)
    ask(desk, reviewer, scan_id)
    return scan_id


def ask(desk: Desk, token: str, scan_id: int, question: str = QUESTION) -> None:
    with desk.as_person(token) as (session, actor):
        query_site(session, actor=actor, scan_id=scan_id, seen_version=desk.version(scan_id), question=question)


def thread_of(desk: Desk, token: str, scan_id: int) -> Thread:
    with desk.as_person(token) as (session, actor):
        return read_thread(session, scan_id, reader_id=actor.user_id)


def say(desk: Desk, token: str, scan_id: int, text: str) -> None:
    with desk.as_person(token) as (session, actor):
        remark(session, actor=actor, scan_id=scan_id, text=text)


def reply(desk: Desk, token: str, scan_id: int, text: str = ANSWER) -> None:
    with desk.as_person(token) as (session, actor):
        answer_query(session, actor=actor, scan_id=scan_id, answer=text)


def resolve(desk: Desk, token: str, scan_id: int, note: str = "") -> None:
    with desk.as_person(token) as (session, actor):
        resolve_query(session, actor=actor, scan_id=scan_id, note=note)


def test_several_questions_and_answers_make_one_thread(desk: Desk, reviewer: str, technician: str, asked: int) -> None:
    reply(desk, technician, asked)
    say(desk, technician, asked, "I have told my colleague, too.")
    ask(desk, reviewer, asked, "And the visit?")
    reply(desk, technician, asked, "Visit 2.")
    thread = thread_of(desk, reviewer, asked)
    assert [(message.side, message.act, message.text) for message in thread.messages] == [
        (QuerySide.CENTRE, QueryAct.QUESTION, QUESTION),
        (QuerySide.SITE, QueryAct.ANSWER, ANSWER),
        (QuerySide.SITE, QueryAct.REMARK, "I have told my colleague, too."),
        (QuerySide.CENTRE, QueryAct.QUESTION, "And the visit?"),
        (QuerySide.SITE, QueryAct.ANSWER, "Visit 2."),
    ]
    assert thread.state is ThreadState.ANSWERED


def test_the_asker_resolves_and_asks_again(desk: Desk, reviewer: str, technician: str, asked: int) -> None:
    reply(desk, technician, asked)
    with pytest.raises(NotAllowedError, match="asked, so"):
        resolve(desk, desk.hire(Role.QC_TECHNICIAN), asked)
    resolve(desk, reviewer, asked, "Thank you.")
    assert thread_of(desk, technician, asked).state is ThreadState.RESOLVED
    with pytest.raises(IllegalMoveError, match="Re-open it first"):
        say(desk, technician, asked, "One more thing.")
    with desk.as_person(reviewer) as (session, actor):
        reopen_query(session, actor=actor, scan_id=asked, seen_version=desk.version(asked), question="Which label?")
    thread = thread_of(desk, technician, asked)
    assert (thread.state, thread.messages[-1].act) == (ThreadState.ASKED, QueryAct.REOPENED)
    assert desk.scan(asked).state == ScanState.QUERIED


def test_a_question_that_is_taken_back_brings_the_scan_back(desk: Desk, reviewer: str, asked: int) -> None:
    resolve(desk, reviewer, asked, "Found it myself.")
    assert desk.scan(asked).state == ScanState.UNDER_REVIEW
    assert thread_of(desk, reviewer, asked).state is ThreadState.RESOLVED


def test_an_adjudicator_resolves_where_the_asker_cannot(desk: Desk, asked: int) -> None:
    resolve(desk, desk.hire(Role.ADJUDICATOR), asked)
    assert desk.scan(asked).state == ScanState.UNDER_REVIEW


def test_a_site_resolves_nothing_and_an_empty_remark_is_none(desk: Desk, technician: str, asked: int) -> None:
    with pytest.raises(NotAllowedError):
        resolve(desk, technician, asked)
    with pytest.raises(UsageError, match="remark is empty"):
        say(desk, technician, asked, "  ")
    with pytest.raises(NotFoundError):
        say(desk, technician, 999_999, "?")
    other = desk.score(UNGRADABLE)
    with pytest.raises(IllegalMoveError, match="nobody has asked"):
        say(desk, technician, other, "Why?")


def test_every_act_that_the_table_does_not_name_is_refused_with_the_reason() -> None:
    for act, state in product(QueryAct, ThreadState):
        if state in MOVES[act]:
            refuse_illegal_act(state, act)
        else:
            with pytest.raises(IllegalMoveError) as refusal:
                refuse_illegal_act(state, act)
            assert refusal.value.remedy


def test_what_a_person_has_had_before_them_is_not_new(desk: Desk, reviewer: str, technician: str, asked: int) -> None:
    assert thread_of(desk, technician, asked).n_new == 1
    assert thread_of(desk, reviewer, asked).n_new == 0, "the own question is no news"
    with desk.as_person(technician) as (session, actor):
        thread = read_thread(session, asked, reader_id=actor.user_id)
        mark_seen(session, thread, reader_id=actor.user_id or 0, site_id=desk.scene.site.id)
    assert thread_of(desk, technician, asked).n_new == 0
    reply(desk, technician, asked)
    assert thread_of(desk, reviewer, asked).n_new == 1
    with desk.as_person(reviewer) as (session, actor):
        page = read_worklist(
            session, ScanFilter(), WorklistTab.TO_DECIDE, today=now().date(), page=0, reader_id=actor.user_id
        )
    assert [(item.scan_id, item.n_new_messages) for item in page.items] == [(asked, 1)]


def test_another_site_sees_no_thread_and_writes_into_none(desk: Desk, reviewer: str, asked: int) -> None:
    with session_scope(desk.owner) as session:
        elsewhere = make_scene(session, desk.scene.blobs).site
    stranger = desk.hire(Role.SITE_TECHNICIAN, elsewhere)
    assert thread_of(desk, stranger, asked).messages == ()
    with pytest.raises(NotFoundError):
        say(desk, stranger, asked, "What?")
    with pytest.raises(NotAllowedError, match="row-level security"), desk.as_person(stranger) as (session, actor):
        session.execute(
            insert(tables.QueryMessage).values(
                site_id=desk.scene.site.id, scan_id=asked, author_id=actor.user_id, side="site", act="remark", text="x"
            )
        )


def test_a_grader_sees_nothing_of_a_thread(desk: Desk, asked: int) -> None:
    assert thread_of(desk, desk.hire(Role.GRADER), asked).messages == ()


def test_a_site_cannot_speak_for_the_reading_centre(desk: Desk, technician: str, asked: int) -> None:
    with pytest.raises(NotAllowedError, match="row-level security"), desk.as_person(technician) as (session, actor):
        session.execute(
            insert(tables.QueryMessage).values(
                site_id=desk.scene.site.id, scan_id=asked, author_id=actor.user_id, side="centre", act="question",
                text="x",
            )
        )  # fmt: skip


def test_who_has_read_what_is_nobody_else_s(desk: Desk, reviewer: str, technician: str, asked: int) -> None:
    with desk.as_person(technician) as (session, actor):
        thread = read_thread(session, asked, reader_id=actor.user_id)
        mark_seen(session, thread, reader_id=actor.user_id or 0, site_id=desk.scene.site.id)
    with desk.as_person(reviewer) as (session, _):
        assert session.scalars(select(tables.QuerySeen.scan_id)).all() == []


def test_each_word_is_in_the_audit_trail(desk: Desk, reviewer: str, technician: str, asked: int) -> None:
    say(desk, technician, asked, "I am looking.")
    resolve(desk, reviewer, asked)
    with session_scope(desk.owner) as session:
        actions = session.scalars(
            select(tables.AuditEvent.action).where(tables.AuditEvent.action.like("query.%")).order_by("id")
        ).all()
    assert actions == ["query.remark", "query.resolved"]
