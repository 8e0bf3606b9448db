"""The demo study goes through the users' intake, its story happens on its own days, and loading it again is harmless.

A part of the described study with tiny images and an obedient scorer; everything else is real.
"""

from collections.abc import Callable, Iterator, Sequence  # noqa: I001 - names in rows: the module stays a screenful shorter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from databases import fresh_settings
from lane import ABSTAINED, ObedientScorer
from sqlalchemy import func, select

from core.broker import NullBell
from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.database.tables import (
    Acquisition, Annotation, AuditEvent, Batch, BatchFile, ExpectedScan, Grading, GradingAssignment, QueryMessage,
    ReacquisitionRequest, ReacquisitionStep, Review, Scan, Site, SiteGrant, Study, User, Visit,
)  # fmt: skip
from core.errors import ServerError
from core.phantom.demo_roster import THIRD_GRADER
from core.phantom.demo_study import demo_study
from core.phantom.demo_values import DemoAcquisition, DemoRequest, DemoScan, DemoStudy
from core.policy.protocol import Protocol
from core.scoring.contract import OPEN_LANES, ScanFailure, ScanInput
from core.settings import Settings
from core.storage import open_blob_store
from core.store import administration
from core.store.scan_history import read_history
from core.usecases import load_demo_study as module
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.check_rates import verify_rates
from core.usecases.demo_calendar import CALLED_OFF, MOVED, MOVED_BY, WHY_CALLED_OFF, planned_days
from core.usecases.demo_lanes import SHARES
from core.usecases.demo_people import FOLLOW_UP, DemoLogin
from core.usecases.demo_workflow import LEFT_OPEN
from core.usecases.load_demo_study import DemoLoad, load_demo_study
from core.values import ScanScores
from core.vocabulary import (
    CoipsGrade, FileState, GradingState, QueryAct, RequestState, ReviewDecision, Role, ScanKind, ScanState,
)  # fmt: skip


def part_of(ends_on: date) -> DemoStudy:
    """A dozen captures of the study: two requests of every outcome, what was graded twice, and the tiny site."""
    whole = demo_study(ends_on)
    by_outcome: dict[RequestState, list[DemoRequest]] = {}
    for request in whole.requests:
        by_outcome.setdefault(request.state, []).append(request)
    requests = [request for group in by_outcome.values() for request in group[:2]]
    graded = [grading.scan.acquisition for grading in whole.gradings[:4]]
    tiny_site = [each for each in whole.first_pass if each.site == whole.planted.tiny_site]
    recent = [each for each in whole.first_pass if is_asked_about(each, ends_on)][:2]
    kept = {each.key for each in (*(request.acquisition for request in requests), *graded, *tiny_site, *recent)}
    early = sorted((visit for visit in whole.visits if visit.code == "V1"), key=lambda visit: visit.planned_on)[:8]
    return replace(
        whole,
        visits=tuple(visit for visit in whole.visits if visit.is_missed or visit in early),
        acquisitions=tuple(each for each in whole.acquisitions if each.key in kept or each.replaces in kept),
        requests=tuple(each for each in whole.requests if each.acquisition.key in kept),
        gradings=tuple(each for each in whole.gradings if each.scan.acquisition.key in kept),
    )


def is_asked_about(acquisition: DemoAcquisition, ends_on: date) -> bool:
    """Whether it is good, so recent that nobody has decided it, and the scorer is told to abstain."""
    days_ago = (ends_on - acquisition.acquired_at.date()).days
    return not acquisition.is_poor and acquisition.seed % 5 == 0 and 2 <= days_ago < LEFT_OPEN.days - 1


class DemoScorer(ObedientScorer):
    """Obeys the tiny images; finds the real samples gradable."""

    def score(self, scans: Sequence[ScanInput]) -> list[ScanScores | ScanFailure]:
        known = {*CoipsGrade, *(grade + ABSTAINED for grade in CoipsGrade)}
        orders = [
            scan if scan.image[0, 0] in known else replace(scan, image=np.ones((64, 64), np.uint8)) for scan in scans
        ]
        return super().score(orders)


def order_for(scan: DemoScan) -> int:
    """What the scorer shall say: mostly the truth; sometimes it abstains, sometimes it lets a poor scan pass."""
    truth = int(scan.acquisition.foreseen)
    turn = scan.acquisition.seed % 5
    if turn == 0:
        return truth + ABSTAINED
    return int(CoipsGrade.GRADABLE) if turn == 1 else truth


def tiny(scan: DemoScan) -> SimpleNamespace:
    """An image that no other scan shares; its first pixel is the order to the scorer."""
    rng = np.random.default_rng([scan.acquisition.seed, len(scan.slab)])
    image = np.full((64, 64), 90, np.uint8) + rng.integers(0, 3, (64, 64), dtype=np.uint8)
    image[0, 0] = order_for(scan)
    return SimpleNamespace(image=image)


def small_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "demo_study", part_of)
    monkeypatch.setattr(module, "render", tiny)


@contextmanager
def open_load(settings: Settings) -> Iterator[DemoLoad]:
    """Where the demo goes; every pause is a worker's turn."""
    blobs = open_blob_store(settings)
    with ExitStack() as stack:
        owner = stack.enter_context(open_database(settings, DatabaseRole.OWNER))
        worker = stack.enter_context(open_database(settings, DatabaseRole.WORKER))
        line = Line(database=worker, blobs=blobs, scorer=DemoScorer(), settings=settings)

        def work() -> None:
            assess_scans(line)

        yield DemoLoad(owner, blobs, NullBell(), settings, progress=lambda *_: None, pause=work)


@pytest.fixture
def load(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoLoad]:
    small_study(monkeypatch)
    with open_load(settings) as load:
        yield load


@dataclass(frozen=True)
class Loaded:
    """The study after it was loaded once; the tests that share it only read, or load it again."""

    load: DemoLoad
    logins: tuple[DemoLogin, ...]
    study: DemoStudy
    owner: Database


@pytest.fixture(scope="module")
def loaded(servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with ExitStack() as stack:
        small_study(stack.enter_context(pytest.MonkeyPatch.context()))
        settings = stack.enter_context(fresh_settings(servers, database_template, tmp_path_factory.mktemp("demo")))
        load = stack.enter_context(open_load(settings))
        logins = load_demo_study(load)
        with session_scope(load.database) as session:
            loaded_at = session.scalars(select(Study.created_at).where(Study.code == "DEMO")).one()
        yield Loaded(load, logins, part_of(loaded_at.date() - timedelta(days=1)), load.database)


@pytest.fixture
def study(loaded: Loaded) -> DemoStudy:
    return loaded.study


@pytest.fixture
def owner(loaded: Loaded) -> Database:
    return loaded.owner


def counts(database: Database) -> dict[str, int]:
    tables = (
        Study, Site, User, SiteGrant, Batch, BatchFile, Acquisition, Scan, Review, ReacquisitionRequest, ReacquisitionStep,
    )  # fmt: skip
    with session_scope(database) as session:
        return {table.__tablename__: session.scalars(select(func.count()).select_from(table)).one() for table in tables}


def test_every_described_scan_is_there_and_decided_or_open(study: DemoStudy, owner: Database):
    with session_scope(owner) as session:
        n_scans = session.scalar(
            select(func.count(Scan.id)).join(Site).join(Study, Study.id == Site.study_id).where(Study.code == "DEMO")
        )
        n_held = session.scalar(select(func.count()).where(BatchFile.state == FileState.HELD.value))
        unscored = session.scalar(
            select(func.count(Scan.id)).where(
                Scan.kind == ScanKind.OCTA_ENFACE,
                Scan.state.in_([ScanState.QUEUED.value, ScanState.SCORING.value]),
            )
        )
        others = dict(
            session.execute(
                select(Scan.kind, func.count()).where(Scan.kind != ScanKind.OCTA_ENFACE).group_by(Scan.kind)
            ).all()
        )
    assert n_scans + n_held == len(study.scans)
    assert unscored == 0
    assert others == {kind: SHARES[kind].count for kind in OPEN_LANES if kind in SHARES}


def test_the_story_of_every_request_is_told_on_its_own_days(study: DemoStudy, owner: Database):
    with session_scope(owner) as session:
        rows = session.execute(
            select(Acquisition.acquired_at, ReacquisitionRequest.state, ReacquisitionRequest.created_at)
            .join(ReacquisitionRequest, ReacquisitionRequest.acquisition_id == Acquisition.id)
        ).all()  # fmt: skip
        steps = session.scalars(select(ReacquisitionStep.created_at)).all()
    told = {row.acquired_at: (row.state, row.created_at) for row in rows}
    described = {each.acquisition.acquired_at: each for each in study.requests}
    assert told.keys() == described.keys()
    for moment, request in described.items():
        state, asked_at = told[moment]
        assert asked_at == request.steps[0].happened_at
        if request.replacement is None:
            assert state == request.state
        else:
            # The scorer's grade of a replacement may differ from its truth, so it closes, or waits for a person.
            assert state in {RequestState.REGRADED, RequestState.CLOSED, RequestState.RECEIVED}
    assert all(moment.date() <= study.ends_on for moment in steps)
    assert {RequestState.CLOSED, RequestState.NOT_POSSIBLE} <= {RequestState(state) for state, _ in told.values()}


def test_a_good_replacement_that_is_accepted_closes_its_request(study: DemoStudy, owner: Database):
    with session_scope(owner) as session:
        closed = session.scalars(
            select(ReacquisitionRequest).where(ReacquisitionRequest.state == RequestState.CLOSED.value)
        ).all()
        assert closed
        for request in closed:
            states = session.scalars(select(Scan.state).where(Scan.acquisition_id == request.replacement_id)).all()
            assert set(states) == {ScanState.ACCEPTED.value}
            assert request.closed_at is not None
            assert request.closed_at.date() <= study.ends_on


def test_a_poor_capture_that_the_model_let_pass_was_overridden_by_a_person(study: DemoStudy, owner: Database):
    with session_scope(owner) as session:
        overrides = session.scalars(
            select(Review).where(
                Review.decision == ReviewDecision.OVERRIDE.value, Review.ordinal == CoipsGrade.UNGRADABLE
            )
        ).all()
    assert overrides
    assert study.requests


def test_every_scan_was_captured_received_scored_and_only_then_decided(study: DemoStudy, owner: Database):
    with session_scope(owner) as session:
        scan_ids = session.scalars(
            select(Scan.id).join(Site).join(Study, Study.id == Site.study_id).where(Study.code == study.code)
        ).all()
        histories = [read_history(session, scan_id) for scan_id in scan_ids]
    assert histories
    for history in histories:
        assert [entry.text.split()[0] for entry in history[:3]] == ["captured", "received", "scored"]
        moments = [entry.happened_at for entry in history[:4]]
        assert moments == sorted(set(moments))
        assert all(entry.happened_at.date() <= study.ends_on for entry in history)


def test_a_replacement_is_received_when_its_batch_is(study: DemoStudy, owner: Database):
    assert study.requests
    with session_scope(owner) as session:
        pairs = session.execute(
            select(ReacquisitionStep.created_at, Batch.submitted_at)
            .join(ReacquisitionRequest, ReacquisitionRequest.id == ReacquisitionStep.request_id)
            .join(Scan, Scan.acquisition_id == ReacquisitionRequest.replacement_id)
            .join(Batch, Batch.id == Scan.batch_id)
            .where(ReacquisitionStep.state == RequestState.RECEIVED.value)
        ).all()
    assert pairs
    assert all(received_at == sent_at for received_at, sent_at in pairs)


def test_the_graders_gave_their_masked_grades_and_one_drawn_scan_is_to_settle(study: DemoStudy, owner: Database):
    with session_scope(owner) as session:
        graders = dict(
            session.execute(
                select(User.name, func.count(Review.id)).join(Review, Review.reviewer_id == User.id)
                .where(Review.is_masked).group_by(User.name)
            ).all()
        )  # fmt: skip
        drawn = session.scalars(select(Grading)).all()
        n_parts = session.scalars(select(func.count(GradingAssignment.id))).one()
    assert set(graders) == {*(grading.grader for grading in study.gradings), THIRD_GRADER}
    assert len(study.gradings) < sum(graders.values()) <= len(study.gradings) + n_parts
    assert [grading.state for grading in drawn][:1] == [GradingState.TO_ADJUDICATE]


def test_what_is_flagged_and_good_is_accepted_unless_it_is_recent(study: DemoStudy, owner: Database):
    truth = {each.acquired_at: each for each in study.acquisitions}
    with session_scope(owner) as session:
        flagged = session.execute(
            select(Acquisition.acquired_at).join(Scan).where(Scan.state == ScanState.UNDER_REVIEW.value)
        ).scalars()
        for moment in flagged:
            described = truth.get(moment)
            is_recent = moment.date() > study.ends_on - LEFT_OPEN - timedelta(days=1)
            assert described is None or described.is_poor or is_recent


def test_sites_have_answered_what_they_were_asked_but_for_the_latest_question(study: DemoStudy, owner: Database):
    assert sum(is_asked_about(each, study.ends_on) for each in study.first_pass) == 2
    with session_scope(owner) as session:
        asked = session.execute(
            select(Scan.id, Scan.state)
            .join(QueryMessage)
            .where(QueryMessage.act == QueryAct.QUESTION)
            .order_by(QueryMessage.created_at)
        ).all()
        answered = set(session.scalars(select(QueryMessage.scan_id).where(QueryMessage.act == QueryAct.ANSWER)))
    *earlier, (open_id, state) = asked
    assert state == ScanState.QUERIED
    assert open_id not in answered
    assert {scan_id for scan_id, _ in earlier} == answered
    assert earlier


def test_the_counts_agree_with_the_rows(study: DemoStudy, owner: Database):
    assert study
    assert not verify_rates(owner)


def test_the_amendment_and_the_update_are_marked_on_the_trends(study: DemoStudy, owner: Database):
    with session_scope(owner) as session:
        demo = administration.find_study(session, "DEMO")
        assert demo is not None
        newest, first = administration.list_protocol_versions(session, demo.id)
        kinds = set(session.scalars(select(Annotation.kind).where(Annotation.study_id == demo.id)))
    assert kinds == {event.kind for event in study.events}
    assert Protocol.model_validate(first.document).expected == ()
    assert len(Protocol.model_validate(newest.document).expected) == 3


def test_the_follow_up_visits_are_planned_one_moved_and_one_called_off(study: DemoStudy, owner: Database):
    days = planned_days(study)
    assert len(days) > CALLED_OFF
    with session_scope(owner) as session:
        found = session.scalars(select(Visit).where(Visit.code == FOLLOW_UP).order_by(Visit.id)).all()
        slots = session.scalars(select(func.count(ExpectedScan.id)).join(Visit).where(Visit.code == FOLLOW_UP)).one()
        moved = session.scalars(select(AuditEvent).where(AuditEvent.action == "visit.moved")).one()
    planned = [day for _, day in days.values()]
    planned[MOVED] += MOVED_BY
    assert [visit.planned_on for visit in found] == planned
    assert [visit.called_off_reason for visit in found if visit.called_off_at] == [WHY_CALLED_OFF]
    assert slots == 2 * len(days), "one capture of each eye"
    assert moved.before is not None


def test_the_samples_are_a_study_of_their_own(study: DemoStudy, owner: Database):
    assert study
    with session_scope(owner) as session:
        rows = session.execute(
            select(Acquisition.field_width_mm, Scan.state).join(Scan).join(Site, Site.id == Scan.site_id)
            .join(Study).where(Study.code == "SAMPLES")
        ).all()  # fmt: skip
        windows = session.scalars(
            select(Visit.window_ends_on).join(Site, Site.id == Visit.site_id).join(Study).where(Study.code == "SAMPLES")
        ).all()
    assert set(windows) == {None}, "nobody can take a published image again"
    assert len(rows) == 6
    assert sorted(row.field_width_mm is None for row in rows) == [False] * 3 + [True] * 3


def test_loading_it_twice_changes_nothing(loaded: Loaded):
    before = counts(loaded.owner)
    second = load_demo_study(loaded.load)
    assert counts(loaded.owner) == before
    assert all(login.password for login in loaded.logins)
    assert [replace(login, password=None) for login in loaded.logins] == list(second)
    assert {login.role for login in loaded.logins} == set(Role)


def test_a_load_that_was_cut_short_goes_on(load: DemoLoad):
    def interrupted(what: str, done: int, total: int) -> None:
        if what == "Sending scans" and done == total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_demo_study(replace(load, progress=interrupted))
    load_demo_study(load)
    with session_scope(load.database) as session:
        demo = administration.find_study(session, "DEMO")
        assert demo is not None
        sent = session.scalar(select(func.count(Scan.id)).join(Site).where(Site.study_id == demo.id))
        described = part_of(demo.created_at.date() - timedelta(days=1))
    assert sent == len(described.scans)


def test_without_a_worker_it_says_so(load: DemoLoad, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PATIENCE", timedelta(0))
    idle: Callable[[], None] = lambda: None  # noqa: E731 - a pause in which nothing happens
    with pytest.raises(ServerError, match="no worker scores them"):
        load_demo_study(replace(load, pause=idle))


def test_only_one_lane_is_asked(study: DemoStudy):
    assert {row["kind"] for row in (scan.manifest_row("DEMO") for scan in study.scans)} == {ScanKind.OCTA_ENFACE.value}
