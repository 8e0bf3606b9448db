"""The pages Tracker and My feedback, launched as each kind of person: what is shown, and of whom nothing is."""

import json
from collections.abc import Callable

import pytest
from clinics import Clinics
from streamlit.testing.v1 import AppTest

from core.database.session import Database, session_scope
from core.store.access import current_actor
from core.usecases.review_scan import request_reacquisition
from core.vocabulary import ReasonCode

PageOf = Callable[..., AppTest]
TRACKER, FEEDBACK = "pages/tracker.py", "pages/feedback.py"


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(str(data.get("html", "")) for data in given)


def ask_again(database: Database, token: str, scan_id: int, **changes: object) -> int:
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
        assert actor is not None
        return request_reacquisition(session, actor=actor, scan_id=scan_id, seen_version=1, **changes)  # type: ignore[arg-type]


@pytest.fixture
def request_id(dashboard_database: Database, clinics: Clinics) -> int:
    return ask_again(dashboard_database, clinics.reviewer, clinics.flagged_id, text="<script>alert(1)</script> *now*")


@pytest.mark.parametrize("view", ["table", "board"])
def test_the_tracker_lists_requests_with_eye_reason_and_owner(
    page_of: PageOf, clinics: Clinics, request_id: int, view: str
) -> None:
    markup = shown(page_of(clinics.manager, TRACKER, view=view))
    for words in ("OD", "Requested", "1 open.", f"request={request_id}"):
        assert words in markup, words


def test_a_request_opens_with_its_words_as_they_were_typed(page_of: PageOf, clinics: Clinics, request_id: int) -> None:
    page = page_of(clinics.technician, TRACKER, request=request_id)
    markup = shown(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; *now*" in markup
    assert "<script>" not in markup
    assert "Round 1 of 1" in markup
    assert {"Acknowledge", "Save the day"} <= {button.label for button in page.button}


def test_who_only_looks_has_no_buttons(page_of: PageOf, clinics: Clinics, request_id: int) -> None:
    page = page_of(clinics.manager, TRACKER, request=request_id)
    assert not {"Acknowledge", "Save the day", "Take it off"} & {button.label for button in page.button}


def test_another_site_s_request_is_none(page_of: PageOf, clinics: Clinics, request_id: int) -> None:
    for number in (request_id, 999_999, 2**80, "x"):
        markup = shown(page_of(clinics.stranger, TRACKER, request=number))
        assert "S01" not in markup
    assert "No such request" in shown(page_of(clinics.stranger, TRACKER, request=request_id))


def test_the_filters_are_in_the_url(
    page_of: PageOf, clinics: Clinics, dashboard_database: Database, request_id: int
) -> None:
    other = ask_again(dashboard_database, clinics.reviewer, clinics.other_id, reason_code=ReasonCode.MP_SIGNAL)
    page = page_of(clinics.manager, TRACKER, reason="oscar-mp:S")
    assert f"request={other}" in shown(page)
    assert f"request={request_id}" not in shown(page)
    state = next(box for box in page.selectbox if box.label == "State")
    state.select("ended").run()
    assert page.query_params["state"] == "ended"
    assert "No request in this selection" in shown(page)


def test_feedback_without_enough_captures_says_so(page_of: PageOf, clinics: Clinics) -> None:
    page = page_of(clinics.technician, FEEDBACK)
    markup = shown(page)
    assert "Too few to judge." in markup
    assert not any("dashed line" in caption.value for caption in page.caption), "no median is drawn"
    assert "fewer than 5 sites" in markup
    assert "linked with no technician code" in markup
    assert "S02" not in markup
