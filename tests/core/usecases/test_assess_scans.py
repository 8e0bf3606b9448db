"""Scans go through the line once, in batches, and whatever goes wrong with one stays with that one."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import make_acquisition, make_protocol_version
from calibrations import make_calibration
from lane import (
    ABSTAINED,
    BREAKS_THE_MODEL,
    CANNOT_BE_STORED,
    FAILS_FOR_GOOD,
    FAILS_FOR_NOW,
    GRADABLE,
    OUTSTANDING,
    UNGRADABLE,
    ObedientScorer,
    Scene,
    make_scene,
    queue_scan,
)
from sqlalchemy import func, select, text, update

from core.database.session import Database, session_scope
from core.database.tables import Acquisition, Assessment, AssessmentArtifact, AssessmentReason, AuditEvent, Scan
from core.errors import ScoringError
from core.policy.protocol import ExpectedScanType, Protocol
from core.scoring.acceptance import accept_rule
from core.scoring.card import CalibrationScan
from core.scoring.pictures import decode_mask
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.check_rates import verify_rates
from core.usecases.record_assessments import Tally
from core.vocabulary import ReasonCode, ScanState, Slab, Verdict


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    return open_blob_store(settings)


def line_of(database: Database, blobs: BlobStore, settings: Settings, **changes: object) -> Line:
    parts = {"database": database, "blobs": blobs, "scorer": ObedientScorer(), "settings": settings}
    return Line(**parts | changes)  # type: ignore[arg-type]


@pytest.fixture
def line(worker_database: Database, blobs: BlobStore, settings: Settings) -> Line:
    return line_of(worker_database, blobs, settings)


@pytest.fixture
def scene(owner_database: Database, blobs: BlobStore) -> Scene:
    with session_scope(owner_database) as session:
        return make_scene(session, blobs)


def put(database: Database, scene: Scene, *orders: int) -> list[int]:
    with session_scope(database) as session:
        return [queue_scan(session, scene, order).id for order in orders]


def scan_of(database: Database, scan_id: int) -> Scan:
    with session_scope(database) as session:
        return session.get_one(Scan, scan_id)


def states(database: Database) -> list[str]:
    with session_scope(database) as session:
        return list(session.scalars(select(Scan.state).order_by(Scan.id)))


def make_ready(database: Database) -> None:
    """Let every back-off be over."""
    with session_scope(database) as session:
        session.execute(update(Scan).values(not_before_at=None))


def test_a_good_scan_is_accepted_and_a_bad_one_lands_in_the_worklist(
    owner_database: Database, scene: Scene, line: Line
) -> None:
    good, bad, unsure = put(owner_database, scene, GRADABLE, UNGRADABLE, ABSTAINED + GRADABLE)
    assert assess_scans(line) == Tally(n_scored=3)
    assert states(owner_database) == [ScanState.ACCEPTED, ScanState.UNDER_REVIEW, ScanState.UNDER_REVIEW]
    assert scan_of(owner_database, good).final_verdict == Verdict.ACCEPT
    assert scan_of(owner_database, bad).final_verdict == Verdict.REACQUIRE
    assert scan_of(owner_database, unsure).final_verdict == Verdict.REVIEW


def test_an_assessment_holds_measures_reasons_and_pictures(
    owner_database: Database, scene: Scene, line: Line, blobs: BlobStore
) -> None:
    put(owner_database, scene, UNGRADABLE)
    assess_scans(line)
    with session_scope(owner_database) as session:
        stored = session.scalars(select(Assessment)).one()
        motion = session.scalars(select(AssessmentArtifact)).one()
        reason = session.scalars(select(AssessmentReason)).one()
    assert stored.faz_area_mm2 == pytest.approx(0.3)
    assert stored.q_level_agreement is None
    assert stored.not_computable == {
        "large_vessel_area_density_percent": "the model has no large-vessel head",
        "q_level_agreement": "no deep-supervision head",
    }
    assert stored.cam_sha256 is not None
    assert blobs.exists(stored.cam_sha256)
    assert motion.mask_sha256 is not None
    assert decode_mask(blobs.get(motion.mask_sha256)).sum() == 64
    assert reason.code == ReasonCode.MP_MOTION
    assert reason.remedy


def test_scans_are_scored_in_batches_of_the_size_that_is_set(
    owner_database: Database, scene: Scene, worker_database: Database, blobs: BlobStore, settings: Settings
) -> None:
    scorer = ObedientScorer()
    small = settings.model_copy(update={"worker_batch_size": 4})
    put(owner_database, scene, *[GRADABLE] * 10)
    assert assess_scans(line_of(worker_database, blobs, small, scorer=scorer)).n_scored == 10
    assert [len(batch) for batch in scorer.batches] == [4, 4, 2]


def test_a_failing_scan_does_not_stop_the_others(owner_database: Database, scene: Scene, line: Line) -> None:
    put(owner_database, scene, GRADABLE, FAILS_FOR_GOOD, CANNOT_BE_STORED, OUTSTANDING)
    assert assess_scans(line) == Tally(n_scored=2, n_failed=2)
    assert states(owner_database) == [ScanState.ACCEPTED, ScanState.FAILED, ScanState.QUEUED, ScanState.ACCEPTED]


def test_a_soft_failure_is_retried_after_a_growing_pause_and_then_given_up(
    owner_database: Database, scene: Scene, line: Line
) -> None:
    (scan_id,) = put(owner_database, scene, FAILS_FOR_NOW)
    pauses = []
    for _ in range(4):
        assert assess_scans(line) == Tally(n_failed=1)
        assert assess_scans(line) == Tally()
        scan = scan_of(owner_database, scan_id)
        assert (scan.state, scan.failure) == (ScanState.QUEUED, "told to fail")
        with session_scope(owner_database) as session:
            pauses.append(session.scalar(select(Scan.not_before_at - func.now())).total_seconds())
        make_ready(owner_database)
    assert assess_scans(line) == Tally(n_failed=1)
    assert scan_of(owner_database, scan_id).state == ScanState.FAILED
    assert pauses == pytest.approx([30, 120, 480, 1920], abs=5)


def test_a_model_that_breaks_on_a_batch_blames_the_right_scan_in_the_end(
    owner_database: Database, scene: Scene, line: Line
) -> None:
    put(owner_database, scene, GRADABLE, BREAKS_THE_MODEL, OUTSTANDING)
    with pytest.raises(ScoringError, match="the model is broken"):
        assess_scans(line)
    for _ in range(4):
        make_ready(owner_database)
        with pytest.raises(ScoringError):
            assess_scans(line)
    make_ready(owner_database)
    assess_scans(line)
    assert states(owner_database) == [ScanState.ACCEPTED, ScanState.FAILED, ScanState.ACCEPTED]


def test_a_batch_that_was_taken_away_is_not_written(
    owner_database: Database, scene: Scene, worker_database: Database, blobs: BlobStore, settings: Settings
) -> None:
    put(owner_database, scene, GRADABLE, GRADABLE)

    class Overtaken(ObedientScorer):
        def score(self, scans):  # type: ignore[no-untyped-def]
            with session_scope(owner_database) as session:
                session.execute(update(Scan).values(leased_by="another", lease_expires_at=func.now() + timedelta(1)))
            return super().score(scans)

    assert assess_scans(line_of(worker_database, blobs, settings, scorer=Overtaken())) == Tally(n_lost=2)
    assert states(owner_database) == [ScanState.SCORING, ScanState.SCORING]
    with session_scope(owner_database) as session:
        assert session.scalar(select(func.count()).select_from(Assessment)) == 0


def test_a_worker_that_is_asked_to_stop_finishes_what_it_has_and_takes_no_more(
    owner_database: Database, scene: Scene, worker_database: Database, blobs: BlobStore, settings: Settings
) -> None:
    put(owner_database, scene, *[GRADABLE] * 8)
    scorer = ObedientScorer()
    small = settings.model_copy(update={"worker_batch_size": 2})
    line = line_of(worker_database, blobs, small, scorer=scorer, should_stop=lambda: bool(scorer.batches))
    n_scored = assess_scans(line).n_scored
    assert n_scored in {2, 4}  # the second batch may be on its way when the first is asked about
    with session_scope(owner_database) as session:
        left = session.execute(select(Scan.state, Scan.attempts).where(Scan.state != ScanState.ACCEPTED)).all()
    assert left == [(ScanState.QUEUED, 0)] * (8 - n_scored)


def test_suspects_are_scored_alone_with_nothing_else_claimed(
    owner_database: Database, scene: Scene, worker_database: Database, blobs: BlobStore, settings: Settings
) -> None:
    put(owner_database, scene, *[GRADABLE] * 5)
    with session_scope(owner_database) as session:
        session.execute(update(Scan).where(Scan.id % 2 == 0).values(attempts=1))
    claimed_beside: list[int] = []

    class Watching(ObedientScorer):
        def score(self, scans):  # type: ignore[no-untyped-def]
            with session_scope(owner_database) as session:
                held = select(func.count()).where(Scan.state == ScanState.SCORING)
                is_suspect = session.get_one(Scan, int(scans[0].key)).attempts > 1
                if is_suspect:
                    claimed_beside.append(session.scalar(held) or 0)
            return super().score(scans)

    assert assess_scans(line_of(worker_database, blobs, settings, scorer=Watching())).n_scored == 5
    assert set(claimed_beside) == {1}


def test_a_deep_slab_inherits_from_the_superficial_one_in_whatever_order_they_are_scored(
    owner_database: Database, scene: Scene, line: Line
) -> None:
    with session_scope(owner_database) as session:
        together = make_acquisition(session, scene.site, device=scene.device)
        queue_scan(session, scene, GRADABLE, acquisition=together, slab=Slab.DEEP)
        queue_scan(session, scene, UNGRADABLE, acquisition=together)
        late = make_acquisition(session, scene.site, device=scene.device)
        queue_scan(session, scene, GRADABLE, acquisition=late, slab=Slab.DEEP)
    assess_scans(line)
    with session_scope(owner_database) as session:
        deep_before = session.scalars(select(Scan).where(Scan.acquisition_id == late.id)).one()
        assert deep_before.state == ScanState.ACCEPTED
        queue_scan(session, scene, UNGRADABLE, acquisition=late)
    assess_scans(line)
    with session_scope(owner_database) as session:
        rows = session.execute(
            select(Scan.state, Scan.final_verdict, Assessment.inherited_ordinal, AssessmentReason.code)
            .join(Assessment, Assessment.id == Scan.assessment_id)
            .join(AssessmentReason, AssessmentReason.assessment_id == Assessment.id)
            .where(Scan.slab == Slab.DEEP, AssessmentReason.rank == 0)
            .order_by(Scan.id)
        ).all()
        events = session.scalars(select(AuditEvent.action)).all()
    assert rows[0] == rows[1]
    assert rows[0] == (ScanState.UNDER_REVIEW, Verdict.REVIEW, UNGRADABLE, ReasonCode.SLAB_DISAGREEMENT)
    assert events == ["scan.judged_again"]
    assert verify_rates(line.database) == []


def test_a_person_s_decision_about_a_deep_slab_is_not_overturned_by_a_late_superficial_one(
    owner_database: Database, scene: Scene, line: Line
) -> None:
    with session_scope(owner_database) as session:
        capture = make_acquisition(session, scene.site, device=scene.device)
        deep = queue_scan(session, scene, GRADABLE, acquisition=capture, slab=Slab.DEEP)
    assess_scans(line)
    with session_scope(owner_database) as session:
        session.execute(update(Scan).values(human_ordinal=2))
        queue_scan(session, scene, UNGRADABLE, acquisition=capture)
    assess_scans(line)
    assert scan_of(owner_database, deep.id).state == ScanState.ACCEPTED


def test_a_protocol_s_region_decides_what_counts(
    owner_database: Database, blobs: BlobStore, worker_database: Database, settings: Settings
) -> None:
    with session_scope(owner_database) as session:
        scene = make_scene(session, blobs, Protocol(region_diameter_mm=1.0))
        queue_scan(session, scene, UNGRADABLE)
    assess_scans(line_of(worker_database, blobs, settings))
    with session_scope(owner_database) as session:
        assert session.scalars(select(AssessmentArtifact.area_fraction)).one() == 1.0


def test_a_study_without_a_protocol_fails_its_scans_with_the_cure(
    owner_database: Database, scene: Scene, line: Line
) -> None:
    (scan_id,) = put(owner_database, scene, GRADABLE)
    with session_scope(owner_database) as session:
        session.execute(text("alter table protocol_version disable trigger stays_as_written"))
        session.execute(text("delete from protocol_version"))
    assert assess_scans(line) == Tally(n_failed=1)
    assert "Publish one" in (scan_of(owner_database, scan_id).failure or "")


def test_the_required_slabs_decide_when_a_capture_is_gradable(
    owner_database: Database, blobs: BlobStore, worker_database: Database, settings: Settings
) -> None:
    both = ExpectedScanType(scan_type="octa-enface 3x3", required_slabs=(Slab.SUPERFICIAL, Slab.DEEP))
    with session_scope(owner_database) as session:
        scene = make_scene(session, blobs, Protocol(expected=(both,)))
        capture = make_acquisition(session, scene.site, device=scene.device)
        queue_scan(session, scene, GRADABLE, acquisition=capture)
    line = line_of(worker_database, blobs, settings)
    assess_scans(line)
    with session_scope(owner_database) as session:
        assert not session.get_one(Acquisition, capture.id).is_counted_decided
        queue_scan(session, scene, OUTSTANDING, acquisition=capture, slab=Slab.DEEP)
    assess_scans(line)
    with session_scope(owner_database) as session:
        counted = session.get_one(Acquisition, capture.id)
        assert counted.is_counted_decided
        assert counted.is_counted_gradable
    assert verify_rates(worker_database) == []


def protocol_at(level: float, **changes: object) -> Protocol:
    return Protocol(conformal_level=level, **changes)  # type: ignore[arg-type]


def test_the_protocol_s_level_decides_what_is_accepted_and_a_new_level_judges_no_old_scan_again(
    owner_database: Database, blobs: BlobStore, worker_database: Database, settings: Settings
) -> None:
    scans = tuple(
        CalibrationScan(group=str(n), p_ungradable=0.05 if n < 10 else 0.01, ordinal=1, is_ungradable=n < 10)
        for n in range(199)
    )
    calibration = make_calibration(scans=scans)
    strict, lax = accept_rule(calibration, 0.01).threshold, accept_rule(calibration, 0.2).threshold
    assert strict < 0.1 < lax, "the obedient scorer says P(ungradable) = 0.1 of a gradable scan"
    scorer = ObedientScorer(own_calibration=calibration)
    with session_scope(owner_database) as session:
        scene = make_scene(session, blobs, protocol_at(0.01))
        first = queue_scan(session, scene, GRADABLE)
        assess = line_of(worker_database, blobs, settings, scorer=scorer)
    assess_scans(assess)
    with session_scope(owner_database) as session:
        moment = session.get_one(Acquisition, first.acquisition_id).acquired_at
        document = protocol_at(0.2).model_dump(mode="json")
        make_protocol_version(session, scene.study, number=2, document=document, effective_at=moment + timedelta(1))
        later = make_acquisition(session, scene.site, device=scene.device, acquired_at=moment + timedelta(2))
        second = queue_scan(session, scene, GRADABLE, acquisition=later)
    assess_scans(assess)
    assert scan_of(owner_database, first.id).final_verdict == Verdict.REVIEW
    assert scan_of(owner_database, second.id).final_verdict == Verdict.ACCEPT
    assert reason_codes(owner_database, first.id) == [ReasonCode.ABSTAINED]


def test_a_device_and_a_slab_that_the_calibration_does_not_show_go_to_a_person(
    owner_database: Database, blobs: BlobStore, worker_database: Database, settings: Settings
) -> None:
    calibration = make_calibration(devices=("Topcon Triton",), slabs=(Slab.DEEP,))
    with session_scope(owner_database) as session:
        scene = make_scene(session, blobs, protocol_at(0.2))
        unseen = queue_scan(session, scene, GRADABLE)
        name = f"{scene.device.manufacturer} {scene.device.model}"
        vouching = make_scene(session, blobs, protocol_at(0.2, known_devices=(name,)))
        vouched = queue_scan(session, vouching, GRADABLE, slab=Slab.DEEP)
    line = line_of(worker_database, blobs, settings, scorer=ObedientScorer(own_calibration=calibration))
    assess_scans(line)
    assert scan_of(owner_database, unseen.id).final_verdict == Verdict.REVIEW
    assert reason_codes(owner_database, unseen.id) == [ReasonCode.UNSEEN_DEVICE, ReasonCode.UNSEEN_SLAB]
    assert scan_of(owner_database, vouched.id).final_verdict == Verdict.ACCEPT


def reason_codes(database: Database, scan_id: int) -> list[str]:
    with session_scope(database) as session:
        return list(
            session.scalars(
                select(AssessmentReason.code)
                .join(Assessment, Assessment.id == AssessmentReason.assessment_id)
                .where(Assessment.scan_id == scan_id)
                .order_by(AssessmentReason.rank)
            )
        )


def test_a_picture_that_is_no_octa_image_is_reviewed_and_counts_in_no_rate(
    owner_database: Database, scene: Scene, worker_database: Database, blobs: BlobStore, settings: Settings
) -> None:
    class Doubting(ObedientScorer):
        def score(self, scans):  # type: ignore[no-untyped-def]
            return [replace(found, is_of_kind=False) for found in super().score(scans)]

    (stranger,) = put(owner_database, scene, OUTSTANDING)
    assess_scans(line_of(worker_database, blobs, settings, scorer=Doubting()))
    assert scan_of(owner_database, stranger).final_verdict == Verdict.REVIEW
    assert reason_codes(owner_database, stranger) == [ReasonCode.NOT_OCTA]
    with session_scope(owner_database) as session:
        assert session.scalars(select(Assessment.is_abstained)).all() == [True]
        assert not session.scalars(select(Acquisition.is_counted_decided)).one()
