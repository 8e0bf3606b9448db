"""How the last click went, kept over the rerun that follows and said once. Knows no use case."""

import streamlit as st

_OUTCOME = "octaudit.outcome"
_Outcome = tuple[bool, str]


def note_done(words: str) -> None:
    """It was written."""
    st.session_state[_OUTCOME] = (True, words)


def note_refused(words: str) -> None:
    """It was not, and why."""
    st.session_state[_OUTCOME] = (False, words)


def draw_outcome() -> None:
    """Say it, once; nothing where no click preceded."""
    outcome: _Outcome | None = st.session_state.pop(_OUTCOME, None)
    if outcome is None:
        return
    is_done, words = outcome
    if is_done:
        st.success(words, icon=":material/check_circle:")
    else:
        st.error(words, icon=":material/error:")
