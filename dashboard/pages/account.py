"""Account: the person's own sessions, where they were opened, and the way out of each of them. Load, choose, draw."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.identity import LinkedIdentity, linked_identities
from core.store.login_session import read_live_sessions
from core.usecases.end_sessions import end_session, revoke_sessions
from core.usecases.log_in_by_identity import unlink_identity
from dashboard.administration.steps import draw_outcome, perform
from dashboard.components.panel import panel
from dashboard.components.session_table import session_table
from dashboard.installation import installation
from dashboard.session import current_user, open_session


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("Account")
    draw_outcome()
    assert actor.user_id is not None
    with open_session() as session:
        lines = read_live_sessions(session, actor.user_id)
        identities = linked_identities(session, actor.user_id)
    st.subheader("Where you are signed in")
    panel(session_table(lines), key="sessions")
    others = {
        line.id: f"{line.client or 'unknown'}, since {line.opened_at:%d %b %Y, %H:%M} UTC"
        for line in lines
        if not line.is_own
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if others:
            chosen = st.selectbox("Another session", list(others), format_func=others.__getitem__, width=420)
            if st.button("End it", icon=":material/logout:"):
                perform(lambda session, _: _end(session, chosen))
        if st.button("Sign out everywhere", icon=":material/logout:", help="Ends this session, too."):
            perform(_end_all)
    st.caption("Not yours? End it, and choose another password.")
    st.html('<p><a href="/password" target="_self">Change your password</a></p>')
    if installation().settings.oidc_issuer is not None:
        _draw_identities(identities)


def _draw_identities(identities: Sequence[LinkedIdentity]) -> None:
    st.subheader(installation().settings.oidc_label)
    if not identities:
        st.html('<p><a href="/login/oidc?link=1" target="_self">Link it to this account</a></p>')
        return
    for identity in identities:
        st.text(f"Linked since {identity.linked_at:%Y-%m-%d} UTC: {identity.subject}")
        if st.button("Take the link away", key=f"unlink.{identity.id}", icon=":material/link_off:"):
            perform(partial(_unlink, identity.id))


def _unlink(identity_id: int, session: Session, _: Actor) -> str:
    unlink_identity(session, identity_id=identity_id)
    return "The link is taken away; your password still opens the account."


def _end(session: Session, session_id: int) -> str:
    end_session(session, session_id=session_id)
    return "The session has ended."


def _end_all(session: Session, actor: Actor) -> str:
    assert actor.user_id is not None
    revoke_sessions(session, user_id=actor.user_id)
    return "You are signed out everywhere."


main()
