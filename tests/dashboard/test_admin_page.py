"""The Admin page as an administrator uses it: every list drawn, every form submitted, over the real database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import make_member, make_user
from calibrations import make_calibration
from deep_link import led_to
from scored_scans import make_scored_capture
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

import dashboard.session
from core.broker import open_bell
from core.database.session import Database, session_scope
from core.database.tables import ModelVersion, Site
from core.policy.protocol import ExpectedScanType, Protocol
from core.settings import Settings
from core.storage import open_blob_store
from core.store import administration as store
from core.store.access import PROGRAM, list_grants
from core.usecases.administer_clients import CallerFound, find_caller
from core.usecases.administer_study import add_device, add_site, add_study, add_technician, publish_protocol
from core.vocabulary import ApiScope, Laterality, Role, Slab
from dashboard.installation import Installation, install

APP = Path(dashboard.session.__file__).with_name("app.py")


@pytest.fixture
def study_id(owner_database: Database) -> int:
    expected = ExpectedScanType(scan_type="octa-enface 3x3", required_slabs=(Slab.SUPERFICIAL,))
    with session_scope(owner_database) as session:
        study_id = add_study(session, actor=PROGRAM, code="ST", name="Study", protocol=Protocol(expected=(expected,)))
        site_id = add_site(session, actor=PROGRAM, study_id=study_id, code="S1", name="Clinic")
        add_device(
            session, actor=PROGRAM, site_id=site_id, code="S1-A", manufacturer="Optovue", model="AngioVue", serial="1"
        )
        add_technician(session, actor=PROGRAM, site_id=site_id, code="T00")
        make_user(session, name="meier", display_name="Anna Meier")
    return study_id


@pytest.fixture
def page(
    settings: Settings,
    owner_database: Database,
    dashboard_database: Database,
    study_id: int,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AppTest]:
    with session_scope(owner_database) as session:
        token = make_member(session, Role.ADMIN)[1]
    install(Installation(settings, dashboard_database, open_blob_store(settings), open_bell(settings)))
    monkeypatch.setattr(dashboard.session, "session_token", lambda: token)
    return led_to(AppTest.from_file(APP, default_timeout=30), "pages/admin.py")


def at(page: AppTest, part: str) -> AppTest:
    page.query_params["part"] = part
    page.run()
    assert not page.exception
    return page


def submit(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def fill(page: AppTest, **texts: str) -> None:
    for label, text in texts.items():
        next(each for each in page.text_input if each.label == label.replace("_", " ")).input(text)


def test_a_study_is_added_and_listed(page: AppTest, owner_database: Database):
    fill(at(page, "Studies"), Code="NEW", Name="New study")
    submit(page, "Add study")
    assert "Study NEW is there" in page.success[0].value
    with session_scope(owner_database) as session:
        assert store.find_study(session, "NEW") is not None


def test_a_refused_form_says_why_and_keeps_what_was_typed(page: AppTest):
    fill(at(page, "Studies"), Code="ST", Name="Again")
    submit(page, "Add study")
    assert "study code ST is already taken" in page.error[0].value
    assert [each.value for each in page.text_input if each.label == "Code"] == ["ST"]


@pytest.mark.parametrize(
    ("part", "button", "texts", "said"),
    [
        pytest.param("Sites", "Add site", {"Code": "S2", "Name": "Second"}, "Site S2 is there", id="site"),
        pytest.param(
            "Devices", "Add device", {"Code": "S1-B", "Serial_number": "2"}, "Device S1-B is there", id="device"
        ),
        pytest.param("Devices", "Note update", {"New_version": "3.0"}, "runs 3.0", id="software"),
        pytest.param("Technicians", "Add technician", {"Code": "T01"}, "Technician T01 is there", id="technician"),
        pytest.param("Sites", "Deactivate", {}, "S1 is deactivated", id="site out of use"),
        pytest.param("Devices", "Deactivate", {}, "S1-A is deactivated", id="device out of use"),
        pytest.param("Technicians", "Deactivate", {}, "T00 is deactivated", id="technician out of use"),
        pytest.param("Protocol", "Publish", {"What_changes_and_why": "Nothing"}, "Nothing differs", id="same protocol"),
        pytest.param("Users", "Add user", {"Login": "b.frei", "Name": "Bea Frei"}, "shown once", id="user"),
        pytest.param("Users", "New password", {}, "New password of", id="password"),
        pytest.param("Roles", "Give role", {}, "is site technician at all sites of ST", id="role"),
    ],
)
def test_each_form_does_what_it_says(page: AppTest, part: str, button: str, texts: dict[str, str], said: str):
    fill(at(page, part), **texts)
    submit(page, button)
    assert said in "".join(each.value for each in (*page.success, *page.error))


@pytest.mark.parametrize(
    ("part", "label", "said"),
    [
        ("Studies", "Name", "ST is changed"),
        ("Sites", "Name", "S1 is changed"),
        ("Devices", "Serial number", "S1-A is changed"),
        ("Technicians", "Name", "T00 is changed"),
    ],
)
def test_what_was_set_up_is_corrected_in_a_form_that_starts_from_what_is_stored(
    page: AppTest, part: str, label: str, said: str
):
    at(page, part)
    stored = [each for each in page.text_input if each.label == label][-1]
    stored.input(f"{stored.value} corrected")
    submit(page, "Save")
    assert said in page.success[0].value
    assert "corrected" in panels(page)
    submit(page, "Save")
    assert "Nothing differs" in page.error[0].value


def test_a_changed_threshold_becomes_the_next_version(page: AppTest, owner_database: Database, study_id: int):
    at(page, "Protocol")
    next(each for each in page.number_input if each.label == "Visit window (days)").set_value(14)
    fill(page, What_changes_and_why="Amendment 2")
    submit(page, "Publish")
    with session_scope(owner_database) as session:
        newest = store.list_protocol_versions(session, study_id)[0]
    before, after = Protocol.default(), Protocol.model_validate(newest.document)
    assert (newest.number, after.visit_window_days, after.artifact_borders) == (2, 14, before.artifact_borders)


def test_a_scan_type_expected_on_two_lines_has_fields_of_its_own_on_each(
    page: AppTest, owner_database: Database, study_id: int
):
    first = ExpectedScanType(scan_type="octa-enface 3x3", required_slabs=(Slab.DEEP,), visits=("V1",))
    later = first.model_copy(update={"visits": ("FU",)})
    with session_scope(owner_database) as session:
        publish_protocol(
            session, actor=PROGRAM, study_id=study_id, protocol=Protocol(expected=(first, later)), note="Amendment 1"
        )
    at(page, "Protocol")
    eyes = next(each for each in page.multiselect if each.label == "Eyes of OCTA 3 × 3 mm (2)")
    eyes.set_value([Laterality.OS])
    fill(page, What_changes_and_why="Amendment 2")
    submit(page, "Publish")
    assert not page.error, page.error[0].value
    with session_scope(owner_database) as session:
        document = store.list_protocol_versions(session, study_id)[0].document
    changed = later.model_copy(update={"lateralities": (Laterality.OS,)})
    assert Protocol.model_validate(document).expected == (first, changed)
    assert "Expected scan OCTA 3 × 3 mm (2)" in panels(page)


def test_the_protocol_says_what_its_level_promises_with_the_model_in_use(
    page: AppTest, owner_database: Database, study_id: int, settings: Settings
):
    assert "No scan was scored yet" in panels(at(page, "Protocol"))
    with session_scope(owner_database) as session:
        site = session.scalars(select(Site).where(Site.study_id == study_id)).one()
        make_scored_capture(session, open_blob_store(settings), site)
        session.scalars(select(ModelVersion)).one().card = {"calibration": make_calibration().model_dump(mode="json")}
    assert "at most 1.0\u202f% of all scans accepted although ungradable" in panels(at(page, "Protocol"))


def panels(page: AppTest) -> str:
    return "".join(json.loads(part.proto.json)["html"] for part in page.get("bidi_component"))


def test_a_role_is_given_and_taken_back(page: AppTest, owner_database: Database):
    submit(at(page, "Roles"), "Give role")
    with session_scope(owner_database) as session:
        n_live = sum(each.revoked_at is None for each in list_grants(session))
    role = next(
        each for each in page.selectbox if each.label == "Role" and "site technician" in each.options[-1].lower()
    )
    role.select_index(len(role.options) - 1)
    submit(page, "Take back")
    with session_scope(owner_database) as session:
        assert sum(each.revoked_at is None for each in list_grants(session)) == n_live - 1


def test_nobody_but_an_administrator_sees_the_page(
    page: AppTest, owner_database: Database, monkeypatch: pytest.MonkeyPatch, study_id: int
):
    with session_scope(owner_database) as session:
        study = session.get_one(store.Study, study_id)
        token = make_member(session, Role.MANAGER, study=study)[1]
    monkeypatch.setattr(dashboard.session, "session_token", lambda: token)
    page.run()
    assert not page.button


def test_a_client_of_the_api_is_made_with_its_token_shown_once_and_ended(page: AppTest, dashboard_database: Database):
    at(page, "API clients")
    fill(page, Name="Image archive")
    next(each for each in page.multiselect if each.label == "Roles").set_value([Role.MANAGER])
    next(each for each in page.multiselect if each.label == "Scopes").set_value([ApiScope.READ_RATES])
    submit(page, "Add client")
    said = page.success[0].value
    token = said.split("`")[1]
    found = find_caller(dashboard_database, token)
    assert isinstance(found, CallerFound)
    assert found.client.scopes == {ApiScope.READ_RATES}
    page.run()
    assert token not in str(page.success), "once"
    submit(page, "Make token")
    submit(page, "End it")
    assert find_caller(dashboard_database, token) == "revoked"


def test_a_client_that_may_do_nothing_is_refused_in_words(page: AppTest):
    at(page, "API clients")
    fill(page, Name="Image archive")
    submit(page, "Add client")
    assert "Choose at least one scope" in page.error[0].value
