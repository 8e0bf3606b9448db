"""The thread of questions about one scan: who said what when, what is new, and what the person may say. One include."""

from collections.abc import Callable

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.query_thread import Message, Thread, ThreadState, mark_seen, read_thread
from core.store.scan_view import ScanView
from core.usecases.answer_query import answer_query
from core.usecases.follow_query import remark, reopen_query, resolve_query
from core.usecases.reacquire import SITE_ROLES
from core.usecases.review_scan import REVIEWERS
from core.vocabulary import QueryAct, QuerySide, Role, ScanState
from dashboard.administration.steps import fresh_key, perform
from dashboard.components.markup import Html, chip, tag
from dashboard.components.panel import panel
from dashboard.session import open_session

Verb = Callable[..., None]
STATE_WORDS = {
    ThreadState.ASKED: ("Waiting for the site", "warn"),
    ThreadState.ANSWERED: ("Answered", "info"),
    ThreadState.RESOLVED: ("Resolved", "good"),
}
ACT_WORDS = {
    QueryAct.QUESTION: "asked",
    QueryAct.ANSWER: "answered",
    QueryAct.REMARK: "remarked",
    QueryAct.RESOLVED: "resolved the question",
    QueryAct.REOPENED: "asked again",
}
_DONE = {
    "answer": "The answer was sent.",
    "text": "The remark was sent.",
    "note": "The question is resolved.",
    "question": "The site was asked again.",
}
SIDE_WORDS = {QuerySide.CENTRE: "reading centre", QuerySide.SITE: "site"}


def draw_query_thread(view: ScanView, actor: Actor) -> None:
    """Show the scan's thread, mark it as read for this person, and offer what may follow; nothing without a thread."""
    with open_session() as session:
        thread = read_thread(session, view.scan_id, reader_id=actor.user_id)
        if actor.user_id is not None:
            mark_seen(session, thread, reader_id=actor.user_id, site_id=view.site_id)
    if not thread.messages:
        return
    st.subheader("Questions to the site")
    panel(thread_markup(thread, is_waiting=view.state is ScanState.QUERIED), key="thread")
    _draw_replies(view, thread, actor)


def thread_markup(thread: Thread, *, is_waiting: bool) -> Html:
    """The messages, oldest first; every text is shown as it was typed, never as markup."""
    words, tone = STATE_WORDS[thread.state]
    if thread.state is ThreadState.ASKED and not is_waiting:
        words, tone = "Decided without an answer", "calm"
    return tag(
        "section",
        tag("p", chip(words, tone)),
        tag("ol", *(_message(message) for message in thread.messages), class_="thread"),
        aria_label="Questions to the site",
    )


def _message(message: Message) -> Html:
    head = tag(
        "p",
        tag("b", message.author),
        f" ({SIDE_WORDS[message.side]}) {ACT_WORDS[message.act]} ",
        tag("time", f"{message.at:%d %b %Y, %H:%M} UTC", datetime=message.at.isoformat()),
        " " if message.is_new else None,
        chip("new", "warn") if message.is_new else None,
        class_="head",
    )
    text = tag("p", message.text, class_="text") if message.text else None
    return tag("li", head, text, class_=message.side.value)


def _draw_replies(view: ScanView, thread: Thread, actor: Actor) -> None:
    place = {"study_id": view.study_id, "site_id": view.site_id}
    is_site, is_centre = actor.has_role(*SITE_ROLES, **place), actor.has_role(*REVIEWERS, **place)
    with st.container(horizontal=True, gap="small", key="octaudit-thread"):
        if view.state is ScanState.QUERIED and is_site:
            _draw_form("Answer", "question_answer", "Send the answer", answer_query, view, "answer")
        if thread.state in {ThreadState.ASKED, ThreadState.ANSWERED} and (is_site or is_centre):
            _draw_form("Add a remark", "add_comment", "Send the remark", remark, view, "text")
        if thread.state in {ThreadState.ASKED, ThreadState.ANSWERED} and _may_resolve(thread, actor, place):
            _draw_form("Resolve", "done_all", "Resolve the question", resolve_query, view, "note", is_required=False)
        if thread.state is ThreadState.RESOLVED and is_centre:
            _draw_form("Re-open", "undo", "Ask again", reopen_query, view, "question", seen_version=view.version)


def _may_resolve(thread: Thread, actor: Actor, place: dict[str, int]) -> bool:
    """The asker, and an adjudicator where the asker cannot."""
    is_asker = thread.asker is not None and thread.asker.author_id == actor.user_id
    return actor.has_role(Role.ADJUDICATOR, **place) or (is_asker and actor.has_role(*REVIEWERS, **place))


def _draw_form(  # noqa: PLR0917 - one button with its form
    title: str, icon: str, send: str, verb: Verb, view: ScanView, field: str, *, is_required: bool = True, **bound: int
) -> None:
    with st.popover(title, icon=f":material/{icon}:", key=fresh_key(f"thread.{field}.popover")):
        label = f"{title} ({'required' if is_required else 'optional'})"
        words = st.text_area(label, max_chars=1000, height=90, key=fresh_key(f"thread.{field}"))
        if st.button(send, type="primary", key=fresh_key(f"thread.{field}.send")):

            def step(session: Session, actor: Actor) -> str:
                verb(session, actor=actor, scan_id=view.scan_id, **{field: words}, **bound)
                return _DONE[field]

            perform(step)
