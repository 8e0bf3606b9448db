"""An activation is signed, holds for its study, lane and devices from the next claim on, and ends with a reason."""

from pathlib import Path

import pytest
from builders import make_device, make_member
from desk import Desk
from lane import GRADABLE, ObedientScorer, queue_scan
from model_world import PASSWORD, ModelDesk
from sqlalchemy import select, update

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, OctauditError, UsageError
from core.passwords import hash_password
from core.store.model_activation import read_activations
from core.store.model_choice import ModelChoice, active_versions
from core.usecases.activate_model import Place, end_activation
from core.usecases.register_model import retire_model
from core.vocabulary import Role, ScanKind


@pytest.fixture
def models(desk: Desk, tmp_path: Path) -> ModelDesk:
    return ModelDesk(desk, tmp_path)


def queue(models: ModelDesk, device: tables.Device | None = None) -> int:
    """A scan that waits, of a device."""
    from builders import make_acquisition

    with session_scope(models.desk.owner) as session:
        scene = models.desk.scene
        capture = make_acquisition(session, scene.site, device=device or scene.device)
        return queue_scan(session, scene, GRADABLE, acquisition=capture).id


def scored_by(models: ModelDesk, scan_id: int) -> str | None:
    with session_scope(models.desk.owner) as session:
        return session.scalar(
            select(tables.ModelVersion.name)
            .join(tables.Assessment, tables.Assessment.model_version_id == tables.ModelVersion.id)
            .where(tables.Assessment.scan_id == scan_id)
        )


def test_each_scan_goes_to_the_model_that_is_active_for_its_device(models: ModelDesk) -> None:
    special, general = models.register("special"), models.register("general")
    with session_scope(models.desk.owner) as session:
        other = make_device(session, models.desk.scene.site, manufacturer="Topcon", model="Triton")
    models.activate(special, place=Place(models.desk.scene.study.id, ScanKind.OCTA_ENFACE, models.device_model))
    own = ModelChoice(None, is_default=True)
    first, second = queue(models), queue(models, other)
    assert models.assess(ModelChoice(special, is_default=False), models.scorer(special, GRADABLE)).n_scored == 1
    assert models.assess(own, ObedientScorer()).n_scored == 1
    assert (scored_by(models, first), scored_by(models, second)) == ("special", "obedient")
    models.activate(general)
    third, fourth = queue(models), queue(models, other)
    assert models.assess(own, ObedientScorer()).n_scored == 0, "every device has a model now"
    for version_id in (special, general):
        models.assess(ModelChoice(version_id, is_default=False), models.scorer(version_id, GRADABLE))
    assert (scored_by(models, third), scored_by(models, fourth)) == ("special", "general")
    with session_scope(models.desk.worker) as session:
        assert active_versions(session, ScanKind.OCTA_ENFACE) == tuple(sorted((special, general)))
        assert active_versions(session, ScanKind.BSCAN) == ()


def test_the_installations_own_model_takes_its_scans_where_it_was_activated_by_name(models: ModelDesk) -> None:
    own = models.register("own")
    models.activate(own)
    queue(models)
    assert models.assess(ModelChoice(None, is_default=True), ObedientScorer()).n_scored == 0
    assert models.assess(ModelChoice(own, is_default=True), models.scorer(own, GRADABLE)).n_scored == 1


def test_the_next_activation_ends_the_former_and_an_end_gives_the_scans_back(models: ModelDesk) -> None:
    first, second = models.register("first"), models.register("second")
    models.activate(first)
    activation = models.activate(second, reason="It sees motion better.")
    study_id = models.desk.scene.study.id
    with models.desk.as_person(models.admin) as (session, _):
        held, former = read_activations(session, study_id)
    assert (held.model, held.is_open, held.meaning) == ("second 9.0", True, "approved for use")
    assert (former.model, former.end_reason) == ("first 9.0", "second 9.0 took its place: It sees motion better.")
    end_activation(
        models.desk.dashboard, token=models.admin, activation_id=activation, password=PASSWORD, reason="It drifts."
    )
    with models.desk.as_person(models.admin) as (session, _):
        assert [each.is_open for each in read_activations(session, study_id)] == [False, False]
    with session_scope(models.desk.owner) as session:
        events = session.execute(
            select(tables.AuditEvent.action, tables.AuditEvent.meaning, tables.AuditEvent.reason)
            .where(tables.AuditEvent.action.startswith("model."), tables.AuditEvent.study_id == study_id)
            .order_by(tables.AuditEvent.id)
        ).all()
    assert [event.action for event in events] == [
        "model.activate", "model.deactivate", "model.activate", "model.deactivate",
    ]  # fmt: skip
    assert [event.meaning for event in events if event.action == "model.activate"] == ["approved for use"] * 2
    assert events[-1].reason == "It drifts."
    queue(models)
    assert models.assess(ModelChoice(None, is_default=True), ObedientScorer()).n_scored == 1


def test_what_cannot_be_signed_changes_nothing(models: ModelDesk) -> None:
    desk = models.desk
    version = models.register()
    with session_scope(desk.owner) as session:
        manager, manager_token = make_member(session, Role.MANAGER, study=desk.scene.study)
        manager.password_hash = hash_password(PASSWORD)
        unstored = tables.ModelVersion(
            name="gone", version="1", weights_sha256="f" * 64, preprocessing="none", card={}, kind="octa-enface"
        )
        session.add(unstored)
        session.flush()
        gone = unstored.id
    study_id = desk.scene.study.id
    refused: list[tuple[type[OctauditError], str, dict[str, object]]] = [
        (NotAllowedError, "password is wrong", {"password": "not it"}),
        (NotAllowedError, "administrator", {"token": manager_token}),
        (UsageError, "no meaning", {"meaning": "fine"}),
        (UsageError, "Why", {"reason": "  "}),
        (UsageError, "scores octa-enface, not bscan", {"place": Place(study_id, ScanKind.BSCAN)}),
        (UsageError, "no device", {"place": Place(study_id, ScanKind.OCTA_ENFACE, "Nobody None")}),
        (IllegalMoveError, "not stored", {"version_id": gone}),
    ]
    for kind, words, changes in refused:
        with pytest.raises(kind, match=words):
            models.activate(**{"version_id": version} | changes)  # type: ignore[arg-type]
    with desk.as_person(models.admin) as (session, _):
        assert read_activations(session, study_id) == ()
    models.activate(version)
    with pytest.raises(IllegalMoveError, match="active there already"):
        models.activate(version)


def test_a_retired_model_cannot_be_chosen_and_an_active_one_not_be_retired(models: ModelDesk) -> None:
    version = models.register()
    with session_scope(models.desk.owner) as session:
        _, everywhere = make_member(session, Role.ADMIN)
    with models.desk.as_person(models.admin) as (session, actor), pytest.raises(NotAllowedError, match="all studies"):
        retire_model(session, actor=actor, version_id=version, reason="old")
    with models.desk.as_person(everywhere) as (session, actor):
        retire_model(session, actor=actor, version_id=version, reason="It was trained on too few scans.")
    with pytest.raises(IllegalMoveError, match="retired"):
        models.activate(version)
    with session_scope(models.desk.owner) as session:
        session.execute(update(tables.ModelVersion).values(retired_at=None, retired_reason=""))
    models.activate(version)
    with models.desk.as_person(everywhere) as (session, actor), pytest.raises(IllegalMoveError, match="is active"):
        retire_model(session, actor=actor, version_id=version, reason="old")
