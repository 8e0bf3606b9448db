"""Doing what a form of the Admin page asks, in one transaction; the outcome is said once, at the page's next run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import streamlit as st
from sqlalchemy.orm import Session

import dashboard.session
from core.errors import OctauditError
from core.store.access import Actor
from dashboard.session import current_user, open_session

_OUTCOME = "admin.outcome"
_ROUND = "admin.round"

Row = TypeVar("Row")
Step = Callable[[Session, Actor], str]
"""Does one thing and returns the sentence that says so."""


def perform(step: Step) -> None:
    """Do a step and run the page anew; where it is refused, say why and keep what was typed."""

    def in_one_transaction(_: str) -> str:
        with open_session() as session:
            return step(session, current_user())

    perform_apart(in_one_transaction)


def perform_apart(act: Callable[[str], str]) -> None:
    """The same for what opens transactions of its own with the person's session token."""
    try:
        st.session_state[_OUTCOME] = act(dashboard.session.session_token() or "")
    except OctauditError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state[_ROUND] = _round() + 1  # new keys: the next forms are empty
    st.rerun()


def draw_outcome() -> None:
    """Say what the last step did, once."""
    outcome = st.session_state.pop(_OUTCOME, None)
    if outcome is not None:
        st.success(outcome, icon=":material/check_circle:")


@contextmanager
def popping_up(title: str, name: str, *, icon: str) -> Iterator[None]:
    """A button with a form behind it, which closes after a successful step; ``icon`` is a Material symbol's name."""
    with st.popover(title, icon=f":material/{icon}:", key=fresh_key(f"{name}.popover")):
        yield


@contextmanager
def adding(title: str, name: str, *, icon: str = "add") -> Iterator[None]:
    """A form below a list, folded away until it is wanted; ``icon`` is a Material symbol's name."""
    with (
        st.expander(title, icon=f":material/{icon}:", key=fresh_key(f"{name}.expander")),
        st.form(fresh_key(name), border=False),
    ):
        yield


@contextmanager
def adding_freely(title: str, name: str, *, icon: str, is_open: bool = False) -> Iterator[None]:
    """The same without a form, where one choice decides what the next one offers."""
    with st.expander(title, icon=f":material/{icon}:", expanded=is_open, key=fresh_key(f"{name}.expander")):
        yield


@contextmanager
def changing(title: str, name: str, rows: Sequence[Row], words: Callable[[Row], str]) -> Iterator[Row]:
    """A form below a list for one of its rows, filled in with what is stored; ``words`` names a row."""
    with st.expander(title, icon=":material/edit:", key=fresh_key(f"{name}.expander")):
        # Outside the form, so that another choice fills the form in anew.
        row = st.selectbox("Which one", rows, key=fresh_key(f"{name}.row"), format_func=words)
        with st.form(fresh_key(f"{name}.{rows.index(row)}"), border=False):
            yield row


def fresh_key(name: str) -> str:
    """A widget key that changes after each successful step, so that the widget starts empty."""
    return f"admin.{name}.{_round()}"


def _round() -> int:
    value: int = st.session_state.get(_ROUND, 0)
    return value
