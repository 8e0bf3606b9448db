"""The page Models: what is in force, cards beside published figures, signed activations, scans scored again."""

import json
from collections.abc import Callable

import pytest
from builders import make_member
from clinics import Clinics
from lane import GRADABLE, ObedientScorer, identity_of
from model_world import LANE, PASSWORD, write_model
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from core.database import tables
from core.database.session import Database, session_scope
from core.passwords import hash_password
from core.scoring.registry import weights_path
from core.usecases.register_model import register_model
from core.usecases.rescore_scans import SideLine, rescore_scans
from core.vocabulary import ModelOrigin, Role
from dashboard.installation import Installation

PageOf = Callable[..., AppTest]
MODELS = "pages/models.py"


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(data["html"] for data in given if "html" in data)


def field(page: AppTest, label: str):
    return next(each for each in [*page.selectbox, *page.text_input] if each.label == label)


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label.startswith(label)).click().run()
    assert not page.exception
    return page


@pytest.fixture
def admin(owner_database: Database, clinics: Clinics) -> str:
    with session_scope(owner_database) as session:
        study = session.scalars(select(tables.Study).join(tables.Site).where(tables.Site.id == clinics.site_id)).one()
        user, token = make_member(session, Role.ADMIN, study=study)
        user.password_hash = hash_password(PASSWORD)
    return token


@pytest.fixture
def registered(owner_database: Database, installation: Installation, tmp_path) -> tuple[int, dict[str, str]]:
    """The bundled model as a worker registers it, and one that the operator added."""
    weights = weights_path(LANE)
    bundled = json.loads(weights.with_suffix(".json").read_text("utf-8"))
    register_model(
        owner_database, installation.blobs, identity=identity_of(bundled), card=bundled, weights=weights,
        origin=ModelOrigin.INSTALLATION,
    )  # fmt: skip
    path, card = write_model(tmp_path)
    version_id, _ = register_model(
        owner_database, installation.blobs, identity=identity_of(card), card=card, weights=path
    )
    return version_id, card


def test_a_manager_reads_what_is_in_force_and_the_cards_beside_published_figures(
    page_of: PageOf, clinics: Clinics, registered: tuple[int, dict[str, str]]
) -> None:
    page = page_of(clinics.manager, MODELS)
    assert "the installation&#x27;s own: nothing is activated" in shown(page)
    assert not [button for button in page.button if button.label.startswith("Sign")]
    page = page_of(clinics.manager, MODELS, view="cards")
    assert "challenger 9.0" in shown(page)
    field(page, "Card of").select_index(1).run()
    markup = shown(page)
    bundled = json.loads(weights_path(LANE).with_suffix(".json").read_text("utf-8"))
    assert bundled["known_failures"][0] in markup
    assert "Swin-Transformer-Large" in markup
    accuracy = next(each for each in bundled["metrics"] if each["name"] == "grade accuracy")
    assert f"{accuracy['value']:.3g}" in markup
    assert bundled["weights_sha256"] in markup


def test_an_administrator_signs_an_activation_and_ends_it(
    page_of: PageOf, admin: str, registered: tuple[int, dict[str, str]]
) -> None:
    page = page_of(admin, MODELS)
    field(page, "Model").select_index(0).run()
    field(page, "Reason (required)").input("Compared on our own scans.")
    field(page, "Your password").input("not it")
    page = press(page, "Sign and activate")
    assert "The password is wrong" in page.error[0].value
    field(page, "Your password").input(PASSWORD)
    page = press(page, "Sign and activate")
    assert "challenger 9.0 is active: OCTA, every device." in page.success[0].value
    assert "Compared on our own scans." in shown(page)
    form = [each for each in page.text_input if each.label == "Reason (required)"]
    form[-1].input("It drifts.")
    [each for each in page.text_input if each.label == "Your password"][-1].input(PASSWORD)
    page = press(page, "Sign and end")
    assert "The activation of challenger 9.0 has ended." in page.success[0].value
    assert "It drifts." in shown(page)


def test_scans_are_scored_again_compared_and_adopted(
    page_of: PageOf, admin: str, registered: tuple[int, dict[str, str]], installation: Installation,
    worker_database: Database,
) -> None:  # fmt: skip
    version_id, card = registered
    page = page_of(admin, MODELS, view="again")
    assert "Nothing was scored again" in shown(page)
    field(page, "Reason (required)").input("To compare before we switch.")
    page = press(page, "Score ")
    assert "with challenger 9.0, while no other scan waits" in page.success[0].value
    scorer = ObedientScorer(own_identity=identity_of(card), always=GRADABLE)
    line = SideLine(
        worker_database, installation.blobs, LANE, lambda id_: scorer if id_ == version_id else None,
        installation.settings, should_pause=lambda: False,
    )  # fmt: skip
    n_scans = rescore_scans(line)
    page = page_of(admin, MODELS, view="again")
    markup = shown(page)
    assert f"{n_scans} of {n_scans} scored" in markup
    assert "of verdicts would change" in markup
    page = press(page, "Preview")
    assert "If these scores counted" in shown(page)
    field(page, "Your password").input(PASSWORD)
    next(each for each in page.text_input if each.label == "Reason (required)").input("It agrees with our readers.")
    page = press(page, "Sign and let them count")
    assert "count within seconds" in page.success[0].value
