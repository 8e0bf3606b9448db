"""Scoring again puts another model's word beside what counts; adopting it lets it count, never over a person's decision."""

from pathlib import Path

import pytest
from desk import Desk
from lane import BREAKS_THE_MODEL, GRADABLE, UNGRADABLE
from model_world import LANE, PASSWORD, ModelDesk
from sqlalchemy import select, update

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, ScoringError, UsageError
from core.store.rescoring import list_failures
from core.store.rescoring_queue import claim_rescoring, is_anything_ready
from core.store.scan_history import read_history
from core.usecases.adopt_scores import adopt_scores, carry_out_adoptions, foresee_adoption
from core.usecases.check_rates import verify_rates
from core.usecases.order_rescoring import stop_rescoring
from core.usecases.rescore_scans import SideLine, rescore_scans
from core.vocabulary import AdoptionOutcome, ReEvaluationState, RescoredState, Role, Slab, Verdict


@pytest.fixture
def models(desk: Desk, tmp_path: Path) -> ModelDesk:
    return ModelDesk(desk, tmp_path)


def adopt(models: ModelDesk, order: int, **changes: object) -> None:
    values = {"token": models.admin, "password": PASSWORD, "reason": "It agrees with our readers."} | changes
    adopt_scores(models.desk.dashboard, rescoring_id=order, **values)  # type: ignore[arg-type]


def test_scores_of_another_model_stand_beside_what_counts_until_they_are_adopted(
    models: ModelDesk, reviewer: str
) -> None:
    desk, version = models.desk, models.register()
    planted, good = [desk.score(UNGRADABLE) for _ in range(3)], desk.score(GRADABLE)
    overridden, requested = desk.score(UNGRADABLE), desk.score(UNGRADABLE)
    desk.override(reviewer, overridden, GRADABLE)
    desk.request(reviewer, requested)
    everything = [*planted, good, overridden, requested]
    stood = {scan_id: (desk.stands(scan_id), desk.scan(scan_id).assessment_id) for scan_id in everything}

    order = models.order(version)
    assert models.rescore(version, GRADABLE) == 6
    counts = models.counts(order)
    assert (dict(counts.states), counts.total, counts.n_ended) == ({RescoredState.SCORED: 6}, 6, 6)
    assert models.orders()[0].state is ReEvaluationState.DONE
    assert {scan_id: (desk.stands(scan_id), desk.scan(scan_id).assessment_id) for scan_id in everything} == stood
    with session_scope(desk.owner) as session:
        said = session.scalars(
            select(tables.Assessment.verdict).where(tables.Assessment.model_version_id == version)
        ).all()
    assert said == [Verdict.ACCEPT] * 6

    foreseen = {AdoptionOutcome.CHANGED: 3, AdoptionOutcome.SAME: 1, AdoptionOutcome.DECIDED: 1,
                AdoptionOutcome.REQUESTED: 1}  # fmt: skip
    with desk.as_person(models.admin) as (session, actor):
        assert foresee_adoption(session, actor=actor, rescoring_id=order) == foreseen
    adopt(models, order)
    assert carry_out_adoptions(desk.worker) == 6
    assert [desk.stands(scan_id) for scan_id in planted] == [("accepted", Verdict.ACCEPT, None)] * 3
    for scan_id in (overridden, requested):
        assert (desk.stands(scan_id), desk.scan(scan_id).assessment_id) == stood[scan_id]
    assert dict(models.counts(order).outcomes) == foreseen
    assert models.orders()[0].adoption_ended_at is not None
    assert verify_rates(desk.owner) == []
    with session_scope(desk.owner) as session:
        events = session.execute(
            select(tables.AuditEvent.before, tables.AuditEvent.after, tables.AuditEvent.reason).where(
                tables.AuditEvent.action == "scan.rescored"
            )
        ).all()
        texts = [entry.text for entry in read_history(session, planted[0])]
    assert [event.reason for event in events] == ["It agrees with our readers."] * 3
    assert events[0].before == {"verdict": "reacquire"}
    assert texts[-2:] == [
        "scored again by challenger 9.0, beside what counts", f"let the score by challenger 9.0 count (order {order})",
    ]  # fmt: skip
    with pytest.raises(IllegalMoveError, match="count already"):
        adopt(models, order)


def test_only_scans_for_which_another_version_counts_are_taken_and_nothing_is_scored_twice(models: ModelDesk) -> None:
    version = models.register()
    for _ in range(2):
        models.desk.score(GRADABLE)
    first = models.order(version)
    models.rescore(version, GRADABLE)
    second = models.order(version)
    assert dict(models.counts(second).states) == {RescoredState.SCORED: 2}
    assert models.rescore(version, GRADABLE) == 0
    adopt(models, first)
    carry_out_adoptions(models.desk.worker)
    with pytest.raises(UsageError, match="No scan"):
        models.order(version)


def test_a_deep_slab_inherits_the_grade_that_the_same_model_gave(models: ModelDesk) -> None:
    desk, version = models.desk, models.register()
    superficial = desk.score(UNGRADABLE)
    with session_scope(desk.owner) as session:
        capture = session.get_one(tables.Acquisition, desk.scan(superficial).acquisition_id)
    deep = desk.score(GRADABLE, acquisition=capture, slab=Slab.DEEP)
    models.order(version)
    models.rescore(version, GRADABLE)
    with session_scope(desk.owner) as session:
        rows = session.scalars(
            select(tables.Assessment).where(tables.Assessment.scan_id == deep).order_by(tables.Assessment.id)
        ).all()
    assert [(row.inherited_ordinal, row.inherited_from_id) for row in rows] == [
        (UNGRADABLE, superficial), (GRADABLE, superficial),
    ]  # fmt: skip


def test_a_stopped_order_scores_no_more_and_a_late_batch_writes_nothing(models: ModelDesk) -> None:
    desk, version = models.desk, models.register()
    desk.score(GRADABLE)
    order = models.order(version)
    with session_scope(desk.worker) as session:
        claim = claim_rescoring(
            session, lane=LANE, version_ids=[version], limit=4, lease=desk.settings.worker_lease, max_attempts=3
        )
    assert claim
    with desk.as_person(models.admin) as (session, actor):
        stop_rescoring(session, actor=actor, rescoring_id=order, reason="The wrong model.")
    assert models.rescore(version, GRADABLE) == 0
    assert (models.orders()[0].state, dict(models.counts(order).states)) == (
        ReEvaluationState.STOPPED, {RescoredState.SCORING: 1},
    )  # fmt: skip


def test_a_scan_that_breaks_the_model_is_given_up_alone_and_the_others_are_scored(models: ModelDesk) -> None:
    desk, version = models.desk, models.register()
    good = [desk.score(GRADABLE) for _ in range(2)]
    order = models.order(version)
    with session_scope(desk.owner) as session:
        session.execute(
            update(tables.Scan).where(tables.Scan.id == good[0]).values(image_sha256=_poison(session, desk))
        )
    scorer = models.scorer(version, GRADABLE)
    scorer.always = None
    line = SideLine(desk.worker, desk.scene.blobs, LANE, lambda _: scorer, desk.settings, should_pause=lambda: False)
    for _ in range(3):
        with pytest.raises(ScoringError, match="the model is broken"):
            rescore_scans(line)
    assert rescore_scans(line) == 1
    assert dict(models.counts(order).states) == {RescoredState.FAILED: 1, RescoredState.SCORED: 1}
    with desk.as_person(models.admin) as (session, _):
        assert list_failures(session, order) == ((good[0], "Its worker was lost 3 times."),)
    with session_scope(desk.worker) as session:
        assert not is_anything_ready(session, LANE)


def _poison(session, desk: Desk) -> str:
    from builders import make_blob
    from lane import picture

    from core.intake.canonical import encode_image

    data = encode_image(picture(BREAKS_THE_MODEL))
    desk.scene.blobs.put(data)
    return make_blob(session, data).sha256


def test_what_was_judged_anew_since_is_left_alone(models: ModelDesk) -> None:
    desk, version = models.desk, models.register()
    scan_id = desk.score(UNGRADABLE)
    order = models.order(version)
    models.rescore(version, GRADABLE)
    with session_scope(desk.owner) as session:
        from builders import make_protocol_version

        newer = make_protocol_version(session, desk.scene.study, number=2)
        session.execute(
            update(tables.Assessment)
            .where(tables.Assessment.id == desk.scan(scan_id).assessment_id)
            .values(protocol_version_id=newer.id)
        )
    adopt(models, order)
    carry_out_adoptions(desk.worker)
    assert dict(models.counts(order).outcomes) == {AdoptionOutcome.OUTDATED: 1}
    assert desk.stands(scan_id)[1] == Verdict.REACQUIRE


def test_orders_are_given_by_administrators_with_a_reason_and_one_at_a_time(
    models: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, version = models.desk, models.register()
    desk.score(GRADABLE)
    with pytest.raises(UsageError, match="Why"):
        models.order(version, reason=" ")
    models_of_manager = ModelDesk(desk, models.folder)
    models_of_manager.admin = desk.hire(Role.MANAGER)
    with pytest.raises(NotAllowedError, match="administrator"):
        models_of_manager.order(version)
    order = models.order(version)
    with pytest.raises(IllegalMoveError, match="already"):
        models.order(version)
    with pytest.raises(IllegalMoveError, match="still being scored"):
        adopt(models, order)
    models.rescore(version, GRADABLE)
    with pytest.raises(NotAllowedError, match="password is wrong"):
        adopt(models, order, password="no")
