"""Why scans fail where a person sees several studies: whose tip sheets and issues are meant is said, never guessed."""

import json
from collections.abc import Callable

import pytest
from builders import make_member, make_study
from demo_rows import TODAY, Demo
from stopped_clock import stop_clock
from streamlit.testing.v1 import AppTest

from core.broker import NullBell
from core.database import tables
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.storage import open_blob_store
from core.vocabulary import Role
from dashboard.installation import Installation, install

HINT = "Choose a study or a site for the tip sheets as PDF"


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join([*(str(data.get("html", "")) for data in given), *(each.value for each in page.caption)])


def test_of_several_studies_a_chosen_site_says_whose_tip_sheets_to_hand_out(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, app_page: Callable[..., AppTest]
) -> None:
    install(Installation(demo.settings, demo.database, open_blob_store(demo.settings), NullBell()))
    stop_clock(monkeypatch, TODAY)
    bad = demo.rows.site_ids[demo.rows.study.planted.bad_site]
    with open_database(demo.settings, DatabaseRole.OWNER) as owner:
        with session_scope(owner) as session:
            another_id = make_study(session, code="ANOTHER").id
            token = make_member(session, Role.ADMIN)[1]
        try:
            of_all = shown(app_page(token, "pages/why.py"))
            of_one = shown(app_page(token, "pages/why.py", site=bad))
        finally:  # the demo study serves other tests too
            with session_scope(owner) as session:
                session.delete(session.get_one(tables.Study, another_id))
    assert HINT in of_all
    assert "/tips/" not in of_all
    assert HINT not in of_one
    assert f"/tips/{demo.rows.study_id}/oscar-mp%3AM.pdf" in of_one
    assert "Open an issue with the site" in of_one
