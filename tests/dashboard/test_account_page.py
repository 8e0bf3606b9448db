"""The person's own sessions: listed with what they were opened with, ended one by one or all at once."""

import json
from collections.abc import Callable

from builders import login_token
from clinics import Clinics
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from core.database import tables
from core.database.session import Database, session_scope

PageOf = Callable[..., AppTest]
ACCOUNT = "pages/account.py"


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    parts = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(json.dumps(part, ensure_ascii=False) for part in parts)


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    return page


def live(owner_database: Database) -> int:
    with session_scope(owner_database) as session:
        return session.scalar(text("select count(*) from session where revoked_at is null and client <> ''")) or 0


def with_another(owner_database: Database) -> None:
    """The reviewer's own session and one more, told apart by what opened them."""
    with session_scope(owner_database) as session:
        person = session.scalar(text("select g.user_id from site_grant g where g.role = 'qc_technician' limit 1"))
        login_token(session, session.get_one(tables.User, person))
        session.execute(text("update session set client = 'Firefox on Windows' where user_id = :id"), {"id": person})


def test_another_session_is_ended_and_this_one_goes_on(
    page_of: PageOf, clinics: Clinics, owner_database: Database
) -> None:
    with_another(owner_database)
    page = page_of(clinics.reviewer, ACCOUNT)
    markup = shown(page)
    assert markup.count("Firefox on Windows") == 2
    assert "this one" in markup
    press(page, "End it")
    assert page.success[0].value == "The session has ended."
    assert shown(page).count("Firefox on Windows") == 1
    assert live(owner_database) == 1


def test_signing_out_everywhere_ends_this_page_too(page_of: PageOf, clinics: Clinics, owner_database: Database) -> None:
    with_another(owner_database)
    page = press(page_of(clinics.reviewer, ACCOUNT), "Sign out everywhere")
    assert page.title[0].value == "Your session has ended"
    assert live(owner_database) == 0


def test_an_administrator_signs_somebody_out(page_of: PageOf, clinics: Clinics, owner_database: Database) -> None:
    from builders import make_member

    from core.vocabulary import Role

    with session_scope(owner_database) as session:
        admin = make_member(session, Role.ADMIN)[1]
    page = page_of(admin, "pages/admin.py", part="Users")
    box = next(box for box in page.selectbox if box.label == "User")
    name = box.options[0].split(" · ")[0]
    press(page, "Sign out everywhere")
    assert page.success[0].value.endswith(f"of {name} ended.")
