"""A desk whose study has an administrator who can sign, and registered models that grade every scan alike.

Import `from model_world import ModelDesk`. Everything runs with the rights of the role that would do it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from builders import make_member
from desk import Desk
from lane import IDENTITY, ObedientScorer, identity_of

from core.database.session import session_scope
from core.passwords import hash_password
from core.store.model_choice import ModelChoice
from core.store.re_evaluation import Reach
from core.store.rescoring import RescoringCounts, RescoringRow, count_scans, read_rescorings
from core.usecases.activate_model import MEANINGS, Place, activate_model
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.order_rescoring import RescoringOrder, order_rescoring
from core.usecases.record_assessments import Tally
from core.usecases.register_model import register_model
from core.usecases.rescore_scans import SideLine, rescore_scans
from core.vocabulary import Role, ScanKind

PASSWORD = "four quiet words here"
LANE = ScanKind.OCTA_ENFACE


def write_model(folder: Path, name: str = "challenger", version: str = "9.0") -> tuple[Path, dict[str, Any]]:
    """Weights that no network reads, and the card beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{name}.safetensors"
    weights.write_bytes(f"{name} {version}".encode())
    identity = replace(IDENTITY, name=name, version=version)
    card = {
        "name": name, "version": version, "kind": LANE.value, "preprocessing": identity.preprocessing,
        "weights_sha256": "beef" + f"{abs(hash((name, version))):060x}"[-60:],
    }  # fmt: skip
    weights.with_suffix(".json").write_text(json.dumps(card))
    return weights, card


class ModelDesk:
    """The desk, its administrator's token, and the means to register, activate and score again."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        with session_scope(desk.owner) as session:
            user, self.admin = make_member(session, Role.ADMIN, study=desk.scene.study)
            user.password_hash = hash_password(PASSWORD)
        self.cards: dict[int, Mapping[str, Any]] = {}

    @property
    def place(self) -> Place:
        return Place(self.desk.scene.study.id, LANE)

    @property
    def device_model(self) -> str:
        return f"{self.desk.scene.device.manufacturer} {self.desk.scene.device.model}"

    def register(self, name: str = "challenger", version: str = "9.0") -> int:
        weights, card = write_model(self.folder, name, version)
        version_id, _ = register_model(
            self.desk.owner, self.desk.scene.blobs, identity=identity_of(card), card=card, weights=weights
        )
        self.cards[version_id] = card
        return version_id

    def activate(self, version_id: int, **changes: object) -> int:
        values = {
            "token": self.admin, "place": self.place, "password": PASSWORD, "meaning": MEANINGS[0],
            "reason": "It agrees better with our readers.",
        }  # fmt: skip
        return activate_model(self.desk.dashboard, version_id=version_id, **values | changes)  # type: ignore[arg-type]

    def scorer(self, version_id: int, always: int) -> ObedientScorer:
        return ObedientScorer(own_identity=identity_of(self.cards[version_id]), always=always)

    def assess(self, choice: ModelChoice, scorer: ObedientScorer, card: Mapping[str, Any] | None = None) -> Tally:
        desk = self.desk
        return assess_scans(Line(desk.worker, desk.scene.blobs, scorer, desk.settings, card=card or {}, choice=choice))

    def order(self, version_id: int, reason: str = "To compare before we switch.", **changes: object) -> int:
        reach = replace(Reach(self.desk.scene.study.id), **changes)  # type: ignore[arg-type]
        with self.desk.as_person(self.admin) as (session, actor):
            added, _ = order_rescoring(
                session, actor=actor, order=RescoringOrder(LANE, reach, version_id), reason=reason
            )
        return added

    def rescore(self, version_id: int, always: int) -> int:
        scorer = self.scorer(version_id, always)
        return rescore_scans(
            SideLine(
                self.desk.worker, self.desk.scene.blobs, LANE, lambda id_: scorer if id_ == version_id else None,
                self.desk.settings, should_pause=lambda: False,
            )
        )  # fmt: skip

    def orders(self) -> tuple[RescoringRow, ...]:
        with self.desk.as_person(self.admin) as (session, _):
            return read_rescorings(session, self.desk.scene.study.id)

    def counts(self, order: int) -> RescoringCounts:
        with self.desk.as_person(self.admin) as (session, _):
            return count_scans(session, [order])[order]
