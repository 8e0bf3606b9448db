"""The form that ends an action: done with the evidence, dropped with a reason, or lifted."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.action import ActionRow
from core.usecases.act_on_unit import MOVES, drop_action, finish_action
from core.vocabulary import ActionKind, ActionState
from dashboard.administration.steps import fresh_key, perform
from dashboard.components.action_table import KIND_NAMES, end_words

_WORDS = {
    (ActionKind.ISSUE, ActionState.DONE): "How it was solved (required)",
    (ActionKind.RETRAINING, ActionState.DONE): "Evidence that it took place (required)",
    (ActionKind.SUSPENSION, ActionState.DONE): "Why the certificate holds again (required)",
}
_LONGEST = 60


def draw_closing(actions: Sequence[ActionRow], name: str) -> None:
    """Choose one of the open actions, say how it ended, and why."""
    action = actions[0]
    if len(actions) > 1:
        action = st.selectbox("Which one", actions, key=fresh_key(f"{name}.which"), format_func=_named)
    ends = [each for each in ActionState if each in MOVES[action.kind][ActionState.OPEN]]
    state = ends[0]
    if len(ends) > 1:
        state = st.segmented_control(
            "End", ends, default=ends[0], required=True, key=fresh_key(f"{name}.end.{action.id}"),
            format_func=lambda each: each.value.capitalize(),
        )  # fmt: skip
    with st.form(fresh_key(f"{name}.{action.id}.{state}"), border=False):
        note = st.text_area(_WORDS.get((action.kind, state), "Reason (required)"), max_chars=1000, height=90)
        if st.form_submit_button("Lift" if action.kind is ActionKind.SUSPENSION else "Close", type="primary"):
            perform(lambda session, actor: _close(session, actor, action, state, note))


def _close(session: Session, actor: Actor, action: ActionRow, state: ActionState, note: str) -> str:
    if state is ActionState.DONE:
        finish_action(session, actor=actor, action_id=action.id, evidence=note)
    else:
        drop_action(session, actor=actor, action_id=action.id, reason=note)
    return f"{KIND_NAMES[action.kind]}, {action.unit_label}: {end_words(action.kind, state)}."


def _named(action: ActionRow) -> str:
    text = action.text if len(action.text) <= _LONGEST else f"{action.text[: _LONGEST - 1]}…"
    return f"{action.unit_label} · {KIND_NAMES[action.kind].lower()}: {text}"
