"""Programs and people read models and orders; a program with the scope orders scoring again, and signs nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api_clients import make_client
from builders import make_member
from clinics import Clinics
from lane import GRADABLE, ObedientScorer, identity_of
from model_world import LANE, write_model
from starlette.testclient import TestClient

from core.database import tables
from core.database.session import Database, session_scope
from core.usecases.register_model import register_model
from core.usecases.rescore_scans import SideLine, rescore_scans
from core.vocabulary import ApiScope, Role
from dashboard.installation import Installation

Client = Callable[[str], TestClient]


@pytest.fixture
def admin(owner_database: Database, clinics: Clinics) -> str:
    with session_scope(owner_database) as session:
        return make_member(session, Role.ADMIN, study=session.get_one(tables.Study, clinics.study_id))[1]


@dataclass(frozen=True)
class Challenger:
    """A registered model that finds every scan gradable."""

    installation: Installation
    worker: Database
    version_id: int
    card: dict[str, Any]

    def rescore(self) -> int:
        scorer = ObedientScorer(own_identity=identity_of(self.card), always=GRADABLE)
        blobs, settings = self.installation.blobs, self.installation.settings
        return rescore_scans(SideLine(self.worker, blobs, LANE, lambda _: scorer, settings, should_pause=lambda: False))


@pytest.fixture
def challenger(installation: Installation, worker_database: Database, tmp_path: Path) -> Challenger:
    weights, card = write_model(tmp_path)
    version_id, _ = register_model(
        worker_database, installation.blobs, identity=identity_of(card), card=card, weights=weights
    )
    return Challenger(installation, worker_database, version_id, card)


def test_a_program_orders_scoring_again_and_reads_the_comparison(
    program: Client, person: Client, admin: str, clinics: Clinics, challenger: Challenger
) -> None:
    installation, version_id, card = challenger.installation, challenger.version_id, challenger.card
    reader = person(admin)
    (model,) = [each for each in reader.get("/models").json()["items"] if each["id"] == version_id]
    assert (model["name"], model["origin"], model["is_stored"], model["n_active"]) == ("challenger", "added", True, 0)
    assert reader.get(f"/models/{version_id}").json()["card"] == card
    assert reader.get("/models/999999").status_code == 404
    assert reader.get(f"/studies/{clinics.study_id}/model-activations").json() == {"items": []}

    token = make_client(
        installation.database, admin, study_id=clinics.study_id, roles=[Role.ADMIN],
        scopes=[ApiScope.WRITE_MODELS, ApiScope.READ_RATES],
    ).token  # fmt: skip
    sender = program(token)
    orders = f"/studies/{clinics.study_id}/rescorings"
    body = {"kind": LANE.value, "version_id": version_id, "reason": "Nightly comparison."}
    assert sender.post(orders, json=body | {"reason": " "}).status_code == 400
    added = sender.post(orders, json=body).json()
    assert challenger.rescore() == added["n_scans"] > 0
    (done,) = sender.get(orders).json()["items"]
    assert (done["state"], done["adopted_at"], sum(done["scans"].values())) == ("done", None, added["n_scans"])
    found = sender.get(f"/rescorings/{added['id']}/comparison").json()
    assert {each["challenger"] for each in found["comparisons"]} == {"challenger 9.0"}
    assert sum(each["n_scans"] for each in found["comparisons"]) == done["scans"]["scored"]
    assert sender.post(f"/rescorings/{added['id']}/stop", json={"reason": "late"}).status_code == 409
