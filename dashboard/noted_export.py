"""What a page gives to take away: made when it is asked for, and noted in the audit trail before it is handed over."""

from collections.abc import Callable, Mapping

from sqlalchemy.orm import Session

import dashboard.session
from core.database.session import session_scope
from core.errors import NotAllowedError
from core.store.access import current_actor
from core.usecases.note_export import note_export
from dashboard.installation import installation


def noted(
    what: str,
    write: Callable[[Session], str],
    *,
    n_rows: Callable[[], int] | None = None,
    study_id: int | None = None,
    chosen: Mapping[str, str | int] | None = None,
) -> Callable[[], str]:
    """What st.download_button calls at the click: notes the export as the person's, then writes the file.

    Streamlit calls it in a thread without a page, so the session's token is taken now.
    ``n_rows`` is asked at the click.
    """
    token, opened = dashboard.session.session_token(), installation()

    def give() -> str:
        with session_scope(opened.database, token=token) as session:
            actor = current_actor(session)
            if actor is None:
                raise NotAllowedError("The session has ended.", remedy="Sign in again.")
            n = None if n_rows is None else n_rows()
            note_export(session, actor=actor, what=what, n_rows=n, study_id=study_id, chosen=chosen)
            return write(session)

    return give
