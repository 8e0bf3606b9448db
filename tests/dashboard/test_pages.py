"""Every page, launched as each kind of person over a small database, and what its buttons write."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from builders import make_scan
from calibrations import make_calibration
from clinics import Clinics
from sqlalchemy import select, text
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

import dashboard.installation
import dashboard.session
from core.database import tables
from core.database.session import Database, session_scope
from core.scoring.acceptance import accept_rule
from core.vocabulary import RequestState, ScanState, Slab
from dashboard.components.markup import percent

PageOf = Callable[..., AppTest]
OVERVIEW, WORKLIST = "pages/overview.py", "pages/worklist.py"
SCAN, EXAMPLES = "pages/scan.py", "pages/examples.py"


def shown(page: AppTest) -> str:
    """What every panel and viewer on the page was given."""
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(json.dumps(data, ensure_ascii=False) for data in given)


def button(page: AppTest, label: str):
    return next(found for found in page.button if found.label == label)


def field(page: AppTest, label: str):
    return next(found for found in [*page.text_area, *page.text_input, *page.selectbox] if found.label == label)


class Hand:
    """Sends what a browser would send from the review form: it stands where Streamlit hands over to the browser."""

    def __init__(self) -> None:
        self.data: dict[str, Any] | None = None
        self.sent: object = None

    def __call__(self, *, data: dict[str, Any], **_: object) -> SimpleNamespace:
        self.data = data
        sent, self.sent = self.sent, None
        return SimpleNamespace(decided=sent)

    def decide(self, page: AppTest, what: str, **fields: object) -> None:
        assert self.data is not None, "a form is drawn"
        draft = self.data["draft"] | fields
        self.sent = {"do": what, "scan": self.data["scan"], "version": self.data["version"], "draft": draft}
        page.run()


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    monkeypatch.setattr("dashboard.components.review_form.show._component", lambda: hand)
    return hand


def labels(page: AppTest) -> set[str]:
    return {found.label for found in page.button}


def test_the_overview_counts_captures_and_names_the_sites(page_of: PageOf, clinics: Clinics):
    page = page_of(clinics.manager, OVERVIEW)
    markup = shown(page)
    for words in (
        "Gradable at the first pass",
        "Gradable in the end",
        "First captures received",
        "1 of 3 first captures",
        "S01",
        "S02",
        "S01-A",
    ):
        assert words in markup, words
    assert "too few to judge" in markup
    assert page.title[0].value == "Overview"


def test_the_overview_of_a_technician_knows_one_site(page_of: PageOf, clinics: Clinics):
    markup = shown(page_of(clinics.technician, OVERVIEW))
    assert "S01" in markup
    assert "S02" not in markup


def test_filters_live_in_the_url_and_narrow_the_page(page_of: PageOf, clinics: Clinics):
    page = page_of(clinics.manager, OVERVIEW, site=clinics.other_site_id)
    assert "S01-A" not in shown(page)
    site = next(box for box in page.selectbox if box.label == "Site")
    site.select(str(clinics.site_id)).run()
    assert page.query_params["site"] == str(clinics.site_id)
    assert "S01-A" in shown(page)
    button(page, "Clear").click().run()
    assert "site" not in page.query_params


def test_a_filter_survives_the_way_to_another_page(page_of: PageOf, clinics: Clinics):
    page = page_of(clinics.manager, OVERVIEW, site=clinics.other_site_id)
    page.switch_page(WORKLIST).run()
    markup = shown(page)
    assert f"/scan?id={clinics.other_id}" in markup
    assert f"/scan?id={clinics.flagged_id}" not in markup


@pytest.mark.parametrize(
    "query", [{"site": "x"}, {"site": str(2**80)}, {"eye": "OU"}, {"period": "9y"}, {"page": "-1"}]
)
def test_a_url_that_makes_no_sense_is_taken_for_no_filter(page_of: PageOf, clinics: Clinics, query: dict[str, str]):
    assert f"/scan?id={clinics.flagged_id}" in shown(page_of(clinics.manager, WORKLIST, **query))


def test_an_empty_selection_says_what_to_do(page_of: PageOf, clinics: Clinics, owner_database: Database):
    page = page_of(clinics.manager, EXAMPLES, reason="octaudit:not-octa")
    assert "Choose others or clear the filters" in shown(page)
    assert "Nothing is stuck" in shown(page_of(clinics.manager, WORKLIST, tab="stuck"))


def test_the_worklist_shows_reason_remedy_and_eye(page_of: PageOf, clinics: Clinics):
    markup = shown(page_of(clinics.reviewer, WORKLIST))
    for words in ("The eye moved", "What to do:", "right eye", "Take again", "Model abstained"):
        assert words in markup, words
    assert f"/scan?id={clinics.accepted_id}" not in markup


def test_the_examples_show_image_masks_and_heat_map(page_of: PageOf, clinics: Clinics):
    markup = shown(page_of(clinics.manager, EXAMPLES, grade="0"))
    for part in ("tile.png", "tile/artifacts.png", "tile/cam.png"):
        assert f"/scans/{clinics.flagged_id}/{part}" in markup
    assert f"/scans/{clinics.accepted_id}/" not in markup


def test_the_scan_page_tells_grade_metrics_model_and_history(page_of: PageOf, clinics: Clinics):
    markup = shown(page_of(clinics.reviewer, SCAN, id=clinics.accepted_id))
    for words in (
        "Outstanding (2)", "0.312", "mm²", "not computable: no deep-supervision head", "phantom-reader 0.1",
        "scored by phantom-reader" , f"/scans/{clinics.accepted_id}/image.png", "Optovue AngioVue",
    ):  # fmt: skip
        assert words.lower() in markup.lower(), words


def test_a_question_reaches_the_site_and_its_answer_the_reading_centre(page_of: PageOf, clinics: Clinics, hand: Hand):
    page = page_of(clinics.reviewer, SCAN, id=clinics.flagged_id)
    hand.decide(page, "query", question="Was this the left eye?")
    assert page.success[0].value.startswith("The question was sent to the site.")
    assert "Was this the left eye?" in shown(page_of(clinics.technician, WORKLIST, tab="queried"))
    page = page_of(clinics.technician, SCAN, id=clinics.flagged_id)
    assert "Was this the left eye?" in shown(page)
    field(page, "Answer (required)").input("Yes: the label was wrong.")
    button(page, "Send the answer").click().run()
    assert page.success[0].value == "The answer was sent."
    markup = shown(page_of(clinics.reviewer, SCAN, id=clinics.flagged_id))
    assert "Yes: the label was wrong." in markup
    assert "Waiting for a decision" in markup


def test_a_grader_sees_the_model_s_grade_after_the_own_one(page_of: PageOf, clinics: Clinics, owner_database: Database):
    page = page_of(clinics.grader, SCAN, id=clinics.accepted_id)
    markup = shown(page)
    assert f"/scans/{clinics.accepted_id}/image.png" in markup
    assert not [words for words in ("Outstanding", "phantom-reader", "Accepted") if words in markup]
    button(page, "Save my grade").click().run()
    assert page.error[0].value.startswith("Choose a grade")
    page.radio(key="masked.grade").set_value(1)
    button(page, "Save my grade").click().run()
    assert page.success[0].value == "Your grade is written."
    assert "Outstanding (2)" in shown(page)
    with session_scope(owner_database) as session:
        assert session.scalars(select(tables.Review.ordinal)).one() == 1


@pytest.mark.parametrize("path", [OVERVIEW, WORKLIST, EXAMPLES])
def test_no_page_tells_a_grader_what_they_have_not_graded(page_of: PageOf, clinics: Clinics, path: str):
    page = page_of(clinics.grader, path)
    markup = shown(page)
    for scan_id in (clinics.accepted_id, clinics.flagged_id, clinics.abstained_id):
        assert f"id={scan_id}" not in markup
        assert f"/scans/{scan_id}/" not in markup
    assert path != OVERVIEW or "Rates are not shown to graders" in markup
    assert path != WORKLIST or "stand on the page Grading" in page.caption[0].value


def test_metrics_of_an_ungradable_scan_are_withheld_until_a_person_says_otherwise(page_of: PageOf, clinics: Clinics):
    assert "not computable: the scan is ungradable" in shown(page_of(clinics.reviewer, SCAN, id=clinics.flagged_id))


def test_a_scan_of_another_site_is_no_scan(page_of: PageOf, clinics: Clinics):
    for id_ in (clinics.other_id, 999_999, 2**80, "x"):
        page = page_of(clinics.technician, SCAN, id=id_)
        assert "No such scan" in shown(page)


def test_a_technician_decides_nothing(page_of: PageOf, clinics: Clinics, hand: Hand):
    page_of(clinics.technician, SCAN, id=clinics.flagged_id)
    assert hand.data is None, "no form is drawn"


def scan_row(database: Database, scan_id: int) -> tables.Scan:
    with session_scope(database) as session:
        return session.get_one(tables.Scan, scan_id)


def test_accepting_is_written_at_once(page_of: PageOf, clinics: Clinics, owner_database: Database, hand: Hand):
    page = page_of(clinics.reviewer, SCAN, id=clinics.abstained_id)
    assert hand.data is not None
    assert hand.data["canAccept"]
    hand.decide(page, "accept")
    assert page.success[0].value.startswith("Accepted.")
    assert scan_row(owner_database, clinics.abstained_id).state == ScanState.ACCEPTED
    assert "all letters passed" in shown(page)


def test_an_override_needs_grade_and_reason(page_of: PageOf, clinics: Clinics, owner_database: Database, hand: Hand):
    page = page_of(clinics.reviewer, SCAN, id=clinics.flagged_id)
    assert hand.data is not None
    assert not hand.data["canAccept"], "accepting would contradict the grade"
    hand.decide(page, "override")
    assert "Choose a grade" in page.error[0].value
    hand.decide(page, "override", ordinal=1)
    assert "needs a reason" in page.error[0].value
    assert hand.data["draft"]["ordinal"] == 1, "what was refused is kept"
    hand.decide(page, "override", ordinal=1, reason="Motion outside the fovea.")
    assert page.success
    row = scan_row(owner_database, clinics.flagged_id)
    assert (row.state, row.human_ordinal) == (ScanState.ACCEPTED, 1)
    markup = shown(page)
    assert "0.312" in markup, "the FAZ's metrics are released at once"
    assert "failed: M motion" in markup


def test_the_form_begins_with_what_the_model_flagged(page_of: PageOf, clinics: Clinics, hand: Hand):
    page_of(clinics.reviewer, SCAN, id=clinics.flagged_id)
    assert hand.data is not None
    assert hand.data["formName"] == "OSCAR-MP"
    assert [each["letter"] for each in hand.data["criteria"] if each["flagged"]] == ["M"]
    assert [code for code, is_passed in hand.data["draft"]["marks"].items() if not is_passed] == ["oscar-mp:M"]


def test_a_draft_comes_back_and_a_changed_scan_is_said(
    page_of: PageOf, clinics: Clinics, owner_database: Database, hand: Hand
):
    page = page_of(clinics.reviewer, SCAN, id=clinics.abstained_id)
    hand.decide(page, "override", reason="Half a thou")
    page_of(clinics.reviewer, SCAN, id=clinics.abstained_id)
    assert hand.data is not None
    assert hand.data["draft"]["reason"] == "Half a thou"
    assert hand.data["note"].endswith("is back.")
    with session_scope(owner_database) as session:
        session.execute(text("update scan set version = version + 1 where id = :id"), {"id": clinics.abstained_id})
    page_of(clinics.reviewer, SCAN, id=clinics.abstained_id)
    assert "has changed since" in hand.data["note"]


@pytest.mark.parametrize(
    "sent", ["accept", {"do": "delete"}, {"do": "accept", "scan": 1, "version": 1, "draft": {"marks": {"Z": 1}}}, {}]
)
def test_what_a_browser_sends_that_is_no_decision_is_ignored(
    page_of: PageOf, clinics: Clinics, owner_database: Database, hand: Hand, sent: object
):
    page = page_of(clinics.reviewer, SCAN, id=clinics.abstained_id)
    hand.sent = sent
    page.run()
    assert not page.exception
    assert scan_row(owner_database, clinics.abstained_id).state == ScanState.UNDER_REVIEW


def test_the_check_list_and_the_device_s_index_stand_beside_the_grade(page_of: PageOf, clinics: Clinics):
    markup = shown(page_of(clinics.reviewer, SCAN, id=clinics.accepted_id))
    for words in ("Protocol asks", "OCTA 3 × 3 mm", "not asked", "Device index"):
        assert words in markup, words


def test_asking_for_a_new_scan_and_the_site_s_answer(
    page_of: PageOf, clinics: Clinics, owner_database: Database, hand: Hand
):
    page = page_of(clinics.reviewer, SCAN, id=clinics.flagged_id)
    hand.decide(page, "request_reacquisition")
    assert page.success
    site = page_of(clinics.technician, SCAN, id=clinics.flagged_id)
    assert "A new scan is asked for" in shown(site)
    button(site, "Acknowledge").click().run()
    button(site, "Close the request").click().run()
    assert "Why is it not possible?" in site.error[0].value
    field(site, "Why? (required)").input("The patient left the study.").run()
    button(site, "Close the request").click().run()
    with session_scope(owner_database) as session:
        states = session.scalars(text("select state from reacquisition_step order by number")).all()
    assert states == [RequestState.REQUESTED, RequestState.ACKNOWLEDGED, RequestState.NOT_POSSIBLE]


def test_a_colleague_s_decision_in_between_is_not_overwritten(
    page_of: PageOf, clinics: Clinics, owner_database: Database, hand: Hand
):
    page = page_of(clinics.reviewer, SCAN, id=clinics.abstained_id)
    with session_scope(owner_database) as session:
        session.execute(text("update scan set version = version + 1 where id = :id"), {"id": clinics.abstained_id})
    hand.decide(page, "accept")
    assert "changed since you opened it" in page.error[0].value
    assert scan_row(owner_database, clinics.abstained_id).state == ScanState.UNDER_REVIEW


def test_a_session_revoked_while_the_page_is_open_ends_at_the_next_step(
    page_of: PageOf, clinics: Clinics, owner_database: Database, hand: Hand
):
    page = page_of(clinics.reviewer, SCAN, id=clinics.abstained_id)
    with session_scope(owner_database) as session:
        session.execute(text("update session set revoked_at = now()"))
    hand.decide(page, "accept")
    assert page.title[0].value == "Your session has ended"
    assert not page.get("bidi_component")
    assert scan_row(owner_database, clinics.abstained_id).state == ScanState.UNDER_REVIEW


def test_a_deep_link_as_the_first_page_of_a_process_runs_the_app_too(clinics: Clinics, page_of: PageOf):
    installed = dashboard.installation.installation()
    PagesManager.uses_pages_directory = None
    dashboard.installation.install(installed)
    assert PagesManager.uses_pages_directory is False


def test_without_a_cookie_no_page_is_drawn(clinics: Clinics, monkeypatch: pytest.MonkeyPatch, page_of: PageOf):
    page = page_of(clinics.manager)
    monkeypatch.setattr(dashboard.session, "session_token", lambda: None)
    page.run()
    assert page.title[0].value == "Your session has ended"


def share_the_flagged_image(database: Database, clinics: Clinics) -> int:
    """The other site sends the very image of the flagged scan; returns the id of its scan."""
    with session_scope(database) as session:
        other = session.get_one(tables.Scan, clinics.other_id)
        blob = session.get_one(tables.Blob, session.get_one(tables.Scan, clinics.flagged_id).image_sha256)
        acquisition = session.get_one(tables.Acquisition, other.acquisition_id)
        batch = session.get_one(tables.Batch, other.batch_id)
        return make_scan(session, acquisition=acquisition, batch=batch, blob=blob, slab=Slab.DEEP.value).id


def test_an_image_that_another_site_sent_too_is_named_to_the_reading_centre(
    page_of: PageOf, clinics: Clinics, owner_database: Database
):
    assert "The same image" not in shown(page_of(clinics.reviewer, SCAN, id=clinics.flagged_id))
    assert "Sent by" not in shown(page_of(clinics.manager, OVERVIEW))
    sent_id = share_the_flagged_image(owner_database, clinics)
    markup = shown(page_of(clinics.reviewer, SCAN, id=clinics.flagged_id))
    assert "The same image was also sent by site S02 Turin" in markup
    assert f"/scan?id={sent_id}" in markup
    overview = page_of(clinics.manager, OVERVIEW)
    assert "The same image from two sites" in [part.value for part in overview.subheader]
    for scan_id in (clinics.flagged_id, sent_id):
        assert f"Scan {scan_id}" in shown(overview)


def test_an_image_that_another_site_sent_too_is_nothing_to_either_site(
    page_of: PageOf, clinics: Clinics, owner_database: Database
):
    sent_id = share_the_flagged_image(owner_database, clinics)
    for token, scan_id in ((clinics.technician, clinics.flagged_id), (clinics.stranger, sent_id)):
        assert "same image" not in shown(page_of(token, SCAN, id=scan_id)).lower()
        assert "The same image from two sites" not in [part.value for part in page_of(token, OVERVIEW).subheader]


def test_the_scan_page_says_what_the_accept_level_promises_and_when_nothing(
    page_of: PageOf, clinics: Clinics, owner_database: Database
):
    markup = shown(page_of(clinics.manager, SCAN, id=clinics.abstained_id))
    assert "No accept guarantee" in markup
    assert "No guarantee is given" in markup
    calibration = make_calibration()
    with session_scope(owner_database) as session:
        model = session.scalars(select(tables.ModelVersion)).one()
        model.card = {"calibration": calibration.model_dump(mode="json")}
    markup = shown(page_of(clinics.manager, SCAN, id=clinics.abstained_id))
    assert "No accept guarantee" not in markup
    assert f"below {percent(accept_rule(calibration, 0.01).threshold, 1)}" in markup
    assert "The guarantee is marginal" in markup
