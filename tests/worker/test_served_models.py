"""What serves a lane: its own model, registered once, and active ones; one that is lost keeps nobody waiting."""

from pathlib import Path

from builders import make_user
from lane import ObedientScorer, identity_of
from model_world import LANE, write_model
from worker_process import Site

from core.clock import now
from core.database.session import session_scope
from core.store.model_activation import add_activation
from core.store.model_choice import ModelChoice
from core.store.model_version import list_model_versions
from core.usecases.register_model import read_card_document, register_model
from core.vocabulary import ModelOrigin, ScanKind
from worker.scorer_cache import LoadedModel
from worker.served_models import ServedModels


def test_own_and_active_models_serve_in_turn_and_a_lost_one_is_told_of(site: Site, tmp_path: Path) -> None:
    own, _ = write_model(tmp_path / "own", "own", "1.0")
    loads: list[str] = []

    def load(_lane: ScanKind, weights: Path | None) -> LoadedModel:
        path = weights or own
        card = read_card_document(path)
        loads.append(card["name"])
        return LoadedModel(ObedientScorer(own_identity=identity_of(card)), card, weights=path)

    blobs = site.scene.blobs
    ids = {}
    for name in ("good", "lost"):
        weights, card = write_model(tmp_path, name)
        ids[name], _ = register_model(site.worker, blobs, identity=identity_of(card), card=card, weights=weights)
    with session_scope(site.owner) as session:
        person = make_user(session)
        for name, device in (("good", ""), ("lost", "Topcon Triton")):
            add_activation(
                session, study_id=site.scene.study.id, kind=LANE, device_model=device, version_id=ids[name],
                reason="better", meaning="approved for use", activated_by_id=person.id,
            )  # fmt: skip
    served = ServedModels(site.worker, blobs, load, tmp_path / "fetched")
    lost = next(sha256 for sha256 in blobs.stored_before(now()) if blobs.get(sha256) == b"lost 9.0")
    blobs.remove(lost, stored_before=now())

    turns = [[choice for choice, _ in served.serving(LANE)] for _ in range(2)]
    with session_scope(site.owner) as session:
        stored = {row.name: row for row in list_model_versions(session)}
    assert (stored["own"].origin, stored["own"].is_stored) == (ModelOrigin.INSTALLATION, True)
    wanted = {ModelChoice(stored["own"].id, is_default=True), ModelChoice(ids["good"], is_default=False)}
    assert [set(turn) for turn in turns] == [wanted, wanted]
    assert turns[0][0] != turns[1][0], "another one comes first each time"
    assert set(served.faults()) == {ids["lost"]}
    assert "missing from the blob store" in served.faults()[ids["lost"]]
    assert sorted(loads) == ["good", "own"], "each is loaded once"
    assert {model.scorer.identity.name for _, model in served.loaded()} == {"good", "own"}
