"""What a person may do with a reacquisition request, as buttons: written at the click, refused with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.tracker import Owner, list_owners
from core.usecases.assign_request import assign_request
from core.usecases.link_replacement import link_replacement
from core.usecases.reacquire import (
    MOVES,
    SITE_ROLES,
    acknowledge_request,
    mark_not_possible,
    schedule_request,
)
from core.usecases.unlink_replacement import LINKED, UNLINKERS, unlink_replacement
from core.vocabulary import RequestState, Role
from core.wording import REQUEST_NAMES
from dashboard.administration.steps import fresh_key, perform
from dashboard.session import open_session

Later = Sequence[tuple[int, str]]
"""Captures that could be the replacement, by id, each in words."""
ASSIGNERS = (*SITE_ROLES, Role.ADJUDICATOR)


@dataclass(frozen=True, slots=True)
class Movable:
    """A request as its buttons need it."""

    id: int
    version: int
    state: RequestState
    study_id: int
    site_id: int
    owner_id: int | None
    name: str
    """What it asks for, for those who hear the page: ``S01-002 V1 OD``."""


def draw_moves(
    request: Movable, actor: Actor, *, today: date, where: str, is_small: bool = False, later: Later = ()
) -> None:
    """The buttons of one request for one person; ``where`` tells several of them on a page apart.

    ``later``: captures of the same expected scan that answer no request and are newer.
    """
    place = {"study_id": request.study_id, "site_id": request.site_id}
    moves = MOVES[request.state]
    is_site = actor.has_role(*SITE_ROLES, **place)
    key = f"{where}.{request.id}"
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"octaudit-moves-{key.replace('.', '-')}"
    ):
        if is_site:
            _draw_site_moves(request, moves, key, today)
        if actor.has_role(*ASSIGNERS, **place) and moves:
            _draw_owner(request, key, is_small=is_small)
        if later and RequestState.RECEIVED in moves and actor.has_role(*UNLINKERS, **place):
            _draw_link(request, later, key)
        if request.state in LINKED and actor.has_role(*UNLINKERS, **place):
            _draw_unlink(request, key)


def _draw_site_moves(request: Movable, moves: frozenset[RequestState], key: str, today: date) -> None:
    if RequestState.RECEIVED in moves:
        st.page_link(
            "pages/upload.py", label="Upload replacement", icon=":material/upload:", width="content",
            query_params={"request": str(request.id)}, help=f"For request {request.id}: {request.name}",
        )  # fmt: skip
    if RequestState.ACKNOWLEDGED in moves and st.button(
        "Acknowledge", icon=":material/done:", key=fresh_key(f"{key}.acknowledge"),
        help=f"Your site has seen the request for {request.name}",
    ):  # fmt: skip
        perform(lambda session, actor: _acknowledge(session, actor, request))
    if RequestState.SCHEDULED in moves:
        with st.popover("Schedule", icon=":material/event:", key=fresh_key(f"{key}.schedule")):
            day = st.date_input(
                "Appointment", value=today, min_value=today, format="YYYY-MM-DD", key=fresh_key(f"{key}.day")
            )
            note = st.text_input("Note (optional)", max_chars=200, key=fresh_key(f"{key}.note"))
            if st.button("Save the day", type="primary", key=fresh_key(f"{key}.save")) and isinstance(day, date):
                perform(lambda session, actor: _schedule(session, actor, request, day, note))
    if RequestState.NOT_POSSIBLE in moves:
        with st.popover("Not possible", icon=":material/block:", key=fresh_key(f"{key}.not-possible")):
            reason = st.text_area("Why? (required)", max_chars=1000, height=90, key=fresh_key(f"{key}.reason"))
            if st.button("Close the request", type="primary", key=fresh_key(f"{key}.give-up")):
                perform(lambda session, actor: _give_up(session, actor, request, reason))


def _draw_owner(request: Movable, key: str, *, is_small: bool) -> None:
    with st.popover("Owner" if is_small else "Change the owner", icon=":material/person:", key=fresh_key(f"{key}.own")):
        with open_session() as session:
            owners = list_owners(session, request.site_id)
        others = [owner for owner in owners if owner.technician_id != request.owner_id]
        if not others:
            st.caption("No other technician is active at this site. An administrator adds them under Admin.")
            return
        chosen = st.selectbox("Who sees to it", others, format_func=_owner_words, key=fresh_key(f"{key}.owner"))
        reason = st.text_input("Reason (optional)", max_chars=200, key=fresh_key(f"{key}.why"))
        if st.button("Give it to this person", type="primary", key=fresh_key(f"{key}.assign")):
            perform(lambda session, actor: _assign(session, actor, request, chosen, reason))


def _draw_unlink(request: Movable, key: str) -> None:
    with st.popover("Not the replacement", icon=":material/link_off:", key=fresh_key(f"{key}.unlink")):
        st.caption(
            "Takes the capture off this request, which then waits again. The capture stays and counts as a first one."
        )
        reason = st.text_area("Why is it no replacement? (required)", height=90, key=fresh_key(f"{key}.unlink-why"))
        if st.button("Take it off", type="primary", key=fresh_key(f"{key}.unlink-do")):
            perform(lambda session, actor: _unlink(session, actor, request, reason))


def _draw_link(request: Movable, later: Later, key: str) -> None:
    with st.popover("Link a capture", icon=":material/link:", key=fresh_key(f"{key}.link")):
        st.caption("For a newer capture of the same eye and scan type that came without naming the request.")
        chosen = st.selectbox("Which one", later, format_func=lambda each: each[1], key=fresh_key(f"{key}.link-which"))
        reason = st.text_area("Why is it the replacement? (required)", height=90, key=fresh_key(f"{key}.link-why"))
        if st.button("Link it", type="primary", key=fresh_key(f"{key}.link-do")):
            perform(lambda session, actor: _link(session, actor, request, chosen[0], reason))


def _owner_words(owner: Owner) -> str:
    return f"{owner.code} · {owner.name}" if owner.name and owner.name != owner.code else owner.code


def _acknowledge(session: Session, actor: Actor, request: Movable) -> str:
    acknowledge_request(session, actor=actor, request_id=request.id)
    return f"Acknowledged: {request.name}."


def _schedule(session: Session, actor: Actor, request: Movable, day: date, note: str) -> str:
    schedule_request(session, actor=actor, request_id=request.id, planned_on=day, note=note.strip())
    return f"{request.name}: scheduled for {day:%d %b %Y}."


def _give_up(session: Session, actor: Actor, request: Movable, reason: str) -> str:
    mark_not_possible(session, actor=actor, request_id=request.id, reason=reason)
    return f"{request.name}: closed as not possible."


def _assign(session: Session, actor: Actor, request: Movable, owner: Owner, reason: str) -> str:
    code = assign_request(
        session, actor=actor, request_id=request.id, technician_id=owner.technician_id, seen_version=request.version,
        reason=reason,
    )  # fmt: skip
    return f"{request.name}: {code} sees to it."


def _link(session: Session, actor: Actor, request: Movable, acquisition_id: int, reason: str) -> str:
    link_replacement(session, actor=actor, request_id=request.id, acquisition_id=acquisition_id, reason=reason)
    return f"{request.name}: the capture answers the request."


def _unlink(session: Session, actor: Actor, request: Movable, reason: str) -> str:
    state = unlink_replacement(session, actor=actor, request_id=request.id, reason=reason)
    return f"{request.name}: the capture was taken off; the request is {REQUEST_NAMES[state].lower()} again."
