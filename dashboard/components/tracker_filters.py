"""The tracker's own filters beside the common ones, held in the URL like them: state, owner, reason."""

import streamlit as st
from sqlalchemy.orm import Session

from core.store.reacquisition import ANSWERED, ENDED
from core.store.scan_filter import ScanFilter
from core.store.tracker import OPEN, OWED, TrackerFilter, list_owners
from core.vocabulary import ReasonCode, RequestState
from core.wording import REASON_NAMES, REQUEST_NAMES
from dashboard.filters import MAX_ID, url_filters

OVERDUE = "overdue"
GROUPS: dict[str, tuple[str, tuple[RequestState, ...]]] = {
    "open": ("All open", OPEN),
    "site": ("With the site", OWED),
    "centre": ("With the reading centre", ANSWERED),
    OVERDUE: ("Overdue", OWED),
    "ended": ("Ended", tuple(state for state in ENDED if state is not RequestState.WITHDRAWN)),
}
"""What the filter offers before the single states: name in the URL -> words and states."""
NAMES = ("state", "owner", "reason")
_REASONS = tuple(code for code in ReasonCode if code.startswith("oscar-"))


def draw_tracker_filters(session: Session, chosen: ScanFilter) -> TrackerFilter:
    """Draw state, owner (of one chosen site) and reason; return what is chosen."""
    states = {name: words for name, (words, _) in GROUPS.items()}
    states |= {state.value: REQUEST_NAMES[state] for state in RequestState if state is not RequestState.WITHDRAWN}
    owners = {}
    if chosen.site_id is not None:
        owners = {f"{owner.technician_id}": owner.code for owner in list_owners(session, chosen.site_id)}
    reasons = {code.value: REASON_NAMES[code] for code in _REASONS}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="octaudit-tracker-filters"):
        state = _select("State", "state", states, "All states")
        owner = _select("Owner", "owner", owners, "All owners") if owners else ""
        reason = _select("Reason", "reason", reasons, "All reasons")
    return TrackerFilter(
        states=_states(state),
        owner_id=int(owner) if owner else None,
        reason=ReasonCode(reason) if reason else None,
        only_overdue=state == OVERDUE,
    )


def asked_request() -> int | None:
    """The request in the URL that is shown in full."""
    text = st.query_params.get("request", "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= MAX_ID else None


def kept_query() -> dict[str, str]:
    """What a link to a request of the page keeps: every filter and the view."""
    own = {name: st.query_params[name] for name in (*NAMES, "view", "page") if name in st.query_params}
    return {**url_filters(), **own}


def _states(name: str) -> tuple[RequestState, ...]:
    if name in GROUPS:
        return GROUPS[name][1]
    return (RequestState(name),) if name else ()


def _select(label: str, name: str, words: dict[str, str], all_words: str) -> str:
    key = f"octaudit.tracker.{name}"
    asked = st.query_params.get(name, "")
    st.session_state[key] = asked if asked in words else ""
    st.selectbox(
        label, ["", *words], key=key, format_func=lambda value: words[value] if value else all_words,
        on_change=_write, args=(name, key), width=210,
    )  # fmt: skip
    chosen: str = st.session_state[key]
    return chosen


def _write(name: str, key: str) -> None:
    st.query_params.pop("page", None)
    if st.session_state[key]:
        st.query_params[name] = st.session_state[key]
    else:
        st.query_params.pop(name, None)
