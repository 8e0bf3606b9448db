"""Judging stored scores by another protocol version does what was foreseen, leaves people's decisions and counts right."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from builders import MONDAY, make_acquisition, make_member, make_protocol_version
from calibrations import make_calibration
from desk import Desk
from lane import GRADABLE, UNGRADABLE, ObedientScorer, queue_scan
from sqlalchemy import func, select

from core.database import tables
from core.database.session import session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.policy.protocol import Borders, ExpectedScanType, Protocol
from core.scoring.acceptance import accept_rule
from core.scoring.card import Calibration
from core.store.rate import all_counts, recount_slots
from core.store.re_evaluation import Reach, count_outcomes, list_scans, read_re_evaluations
from core.store.scan_history import read_history
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.check_rates import verify_rates
from core.usecases.re_evaluate import (
    Forecast,
    RateChange,
    carry_out_re_evaluations,
    foresee_re_evaluation,
    order_re_evaluation,
    stop_re_evaluation,
)
from core.usecases.review_scan import query_site
from core.vocabulary import Laterality, Outcome, RateMeasure, ReEvaluationState, Role, Slab, Verdict

P_UNGRADABLE = 0.1
"""What the obedient model says of a scan that it finds gradable."""
LENIENT = Borders(mild_from=0.3, severe_above=0.4, source="test")
"""The planted motion covers a quarter of the field: severe by default, nothing here."""


class Bureau:
    """A study with scored scans, its administrator, and versions that are added to it."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.numbers = desk, 1
        with session_scope(desk.owner) as session:
            self.admin = make_member(session, Role.ADMIN, study=desk.scene.study)[1]

    def version(self, protocol: Protocol) -> int:
        self.numbers += 1
        with session_scope(self.desk.owner) as session:
            version = make_protocol_version(
                session, self.desk.scene.study, number=self.numbers, document=protocol.model_dump(mode="json"),
                effective_at=MONDAY + timedelta(days=3650),
            )  # fmt: skip
            return version.id

    def reach(self, **changes: object) -> Reach:
        return replace(Reach(self.desk.scene.study.id), **changes)

    def foresee(self, version_id: int, reach: Reach | None = None, token: str | None = None) -> Forecast:
        with self.desk.as_person(token or self.admin) as (session, actor):
            return foresee_re_evaluation(
                session, actor=actor, version_id=version_id, reach=reach or self.reach(),
                blobs=self.desk.scene.blobs,
            )  # fmt: skip

    def order(self, forecast: Forecast, reason: str = "Amendment 2 widens the borders.") -> int:
        with self.desk.as_person(self.admin) as (session, actor):
            return order_re_evaluation(session, actor=actor, forecast=forecast, reason=reason)

    def carry_out(self) -> int:
        return carry_out_re_evaluations(self.desk.worker, self.desk.scene.blobs)

    def run(self, protocol: Protocol) -> tuple[int, Forecast]:
        forecast = self.foresee(self.version(protocol))
        order = self.order(forecast)
        self.carry_out()
        return order, forecast

    def counts(self) -> dict[str, int]:
        counted = all_counts()
        with session_scope(self.desk.owner) as session:
            rows = session.execute(select(counted.c.measure, func.sum(counted.c.n)).group_by(counted.c.measure))
            return {measure: int(n) for measure, n in rows}

    def outcomes(self, order: int) -> dict[Outcome, int]:
        with self.desk.as_person(self.admin) as (session, _):
            return dict(count_outcomes(session, [order])[order])

    def score(self, order: int, calibration: Calibration | None, **changes: object) -> int:
        """As the desk does, by a model whose card holds these calibration scans."""
        with session_scope(self.desk.owner) as session:
            scan_id = queue_scan(session, self.desk.scene, order, **changes).id  # type: ignore[arg-type]
        scorer = ObedientScorer(own_calibration=calibration)
        card = {"calibration": calibration.model_dump(mode="json")} if calibration else {}
        assess_scans(Line(self.desk.worker, self.desk.scene.blobs, scorer, self.desk.settings, card=card))
        return scan_id


@pytest.fixture
def bureau(desk: Desk) -> Bureau:
    return Bureau(desk)


def test_exactly_the_planted_scans_change_and_what_people_decided_stays(bureau: Bureau, reviewer: str) -> None:
    desk = bureau.desk
    good, planted = desk.score(GRADABLE), [desk.score(UNGRADABLE) for _ in range(3)]
    overridden, requested, asked = (desk.score(UNGRADABLE) for _ in range(3))
    desk.override(reviewer, overridden, GRADABLE)
    desk.request(reviewer, requested)
    stood = {scan_id: desk.stands(scan_id) for scan_id in (overridden, requested)}
    versions = {scan_id: desk.version(scan_id) for scan_id in (overridden, requested)}
    protocol = Protocol(artifact_borders=LENIENT)

    forecast = bureau.foresee(bureau.version(protocol))
    assert forecast.n_by_outcome == {
        Outcome.CHANGED: 4, Outcome.SAME: 1, Outcome.DECIDED: 1, Outcome.REQUESTED: 1,
    }  # fmt: skip
    assert forecast.moves == {(Verdict.REACQUIRE, Verdict.REVIEW): 4}
    assert forecast.examples[Verdict.REACQUIRE, Verdict.REVIEW] == sorted([*planted, asked])
    assert forecast.left == {Outcome.DECIDED: [overridden], Outcome.REQUESTED: [requested]}
    assert all(desk.stands(scan_id)[1] == Verdict.REACQUIRE for scan_id in planted)  # nothing is written so far

    order = bureau.order(forecast)
    assert bureau.carry_out() == 7
    for scan_id in (*planted, asked):
        assert desk.stands(scan_id) == ("under_review", Verdict.REVIEW, None)
    assert desk.stands(good) == ("accepted", Verdict.ACCEPT, None)
    assert {scan_id: desk.stands(scan_id) for scan_id in stood} == stood
    assert {scan_id: desk.version(scan_id) for scan_id in versions} == versions
    assert bureau.outcomes(order) == forecast.n_by_outcome
    with desk.as_person(bureau.admin) as (session, _):
        assert [each.scan_id for each in list_scans(session, order, Outcome.DECIDED)] == [overridden]
        done = read_re_evaluations(session, desk.scene.study.id)[0]
    assert (done.state, done.version_number, done.foreseen["changed"]) == (ReEvaluationState.DONE, 2, 4)
    assert verify_rates(desk.owner) == []


def test_a_question_to_the_site_keeps_a_scan_as_it_is(bureau: Bureau, reviewer: str) -> None:
    asked = bureau.desk.score(UNGRADABLE)
    with bureau.desk.as_person(reviewer) as (session, actor):
        query_site(session, actor=actor, scan_id=asked, seen_version=bureau.desk.version(asked), question="Which eye?")
    assert bureau.foresee(bureau.version(Protocol(artifact_borders=LENIENT))).left == {Outcome.DECIDED: [asked]}


def test_the_earlier_assessment_stays_and_the_history_tells_of_the_later(bureau: Bureau) -> None:
    scan_id = bureau.desk.score(UNGRADABLE)
    before = bureau.desk.scan(scan_id).assessment_id
    order, _ = bureau.run(Protocol(artifact_borders=LENIENT))
    with session_scope(bureau.desk.owner) as session:
        first, second = session.scalars(
            select(tables.Assessment).where(tables.Assessment.scan_id == scan_id).order_by(tables.Assessment.id)
        )
        assert (first.id, first.verdict, second.verdict) == (before, Verdict.REACQUIRE, Verdict.REVIEW)
        same = ("scored_at", "probabilities", "faz_mask_sha256", "cam_sha256", "faz_area_mm2", "not_computable", "cov")
        assert [getattr(first, name) for name in same] == [getattr(second, name) for name in same]
        texts = [entry.text for entry in read_history(session, scan_id)]
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "scan.re_evaluated")).one()
    assert [text for text in texts if "judged again" in text] == [
        f"judged again by protocol version 2 (re-evaluation {order}): reacquire became review"
    ]
    assert sum("scored by" in text for text in texts) == 1
    assert event.reason == "Amendment 2 widens the borders."
    assert event.before == {"verdict": "reacquire"}


def test_another_accept_level_moves_the_rates_as_foreseen(bureau: Bureau) -> None:
    calibration = make_calibration(separation=-1.0)
    assert accept_rule(calibration, Protocol().conformal_level).threshold < P_UNGRADABLE  # the model abstains
    assert accept_rule(calibration, 0.2).threshold > P_UNGRADABLE
    for order in (GRADABLE, GRADABLE, GRADABLE, UNGRADABLE):
        bureau.score(order, calibration)
    assert bureau.counts()["decided"] == 1
    forecast = bureau.foresee(bureau.version(Protocol(conformal_level=0.2)))
    assert (forecast.n_grades_begin, forecast.n_grades_cease) == (3, 0)
    assert forecast.rates == RateChange((1, 4), (0, 3), (4, 4), (0, 3))
    bureau.order(forecast)
    bureau.carry_out()
    counts = bureau.counts()
    assert [counts[name] for name in ("decided", "gradable", "final_received", "final_gradable")] == [4, 3, 4, 3]
    assert verify_rates(bureau.desk.owner) == []


def test_a_version_that_requires_another_slab_leaves_captures_undecided(bureau: Bureau) -> None:
    bureau.desk.score(GRADABLE)
    both = ExpectedScanType(
        scan_type="octa-enface 3x3", lateralities=(Laterality.OD,), required_slabs=(Slab.SUPERFICIAL, Slab.DEEP)
    )
    assert bureau.counts()["decided"] == 1
    _, forecast = bureau.run(Protocol(expected=(both,)))
    assert forecast.rates.decided == (1, 0)
    assert bureau.counts()["decided"] == 0
    assert verify_rates(bureau.desk.owner) == []


def test_another_region_is_measured_from_the_stored_masks(bureau: Bureau) -> None:
    scan_id = bureau.desk.score(UNGRADABLE)
    _, forecast = bureau.run(Protocol(region_diameter_mm=1.0))
    assert forecast.n_by_outcome == {Outcome.SAME: 1}
    with session_scope(bureau.desk.owner) as session:
        assessment = bureau.desk.scan(scan_id).assessment_id
        artifact = session.get_one(tables.AssessmentArtifact, (assessment, "motion"))
    assert artifact.area_fraction == 1.0  # the mask is the middle half of the field, 1.5 mm: all of the circle


def test_a_scan_whose_mask_is_lost_is_left_alone_and_named(bureau: Bureau) -> None:
    scan_id = bureau.desk.score(UNGRADABLE)
    with session_scope(bureau.desk.owner) as session:
        artifact = session.get_one(tables.AssessmentArtifact, (bureau.desk.scan(scan_id).assessment_id, "motion"))
        path = bureau.desk.settings.home / "blobs"
        sha256 = artifact.mask_sha256
    assert sha256 is not None
    next(path.rglob(f"{sha256}*")).unlink()
    forecast = bureau.foresee(bureau.version(Protocol(region_diameter_mm=1.0)))
    assert forecast.left == {Outcome.UNREADABLE: [scan_id]}


def test_judging_back_gives_the_first_judgement_again(bureau: Bureau) -> None:
    scan_id = bureau.desk.score(UNGRADABLE)
    first = bureau.desk.scan(scan_id).assessment_id
    bureau.run(Protocol(artifact_borders=LENIENT))
    with session_scope(bureau.desk.owner) as session:
        original = session.scalars(select(tables.ProtocolVersion.id).where(tables.ProtocolVersion.number == 1)).one()
    bureau.order(bureau.foresee(original), reason="The amendment was withdrawn.")
    bureau.carry_out()
    assert bureau.desk.scan(scan_id).assessment_id == first
    assert bureau.desk.stands(scan_id) == ("under_review", Verdict.REACQUIRE, None)
    assert verify_rates(bureau.desk.owner) == []


def test_a_run_that_was_cut_short_goes_on_where_it_stopped(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    scans = [bureau.desk.score(UNGRADABLE) for _ in range(3)]
    order = bureau.order(bureau.foresee(bureau.version(Protocol(artifact_borders=LENIENT))))
    monkeypatch.setattr("core.usecases.re_evaluate.VISITS_AT_ONCE", 1)
    monkeypatch.setattr("core.usecases.re_evaluate.recount_slots", _failing_after(1))
    with pytest.raises(ConnectionError):
        bureau.carry_out()
    monkeypatch.undo()
    assert [bureau.desk.stands(scan_id)[1] for scan_id in scans] == [Verdict.REVIEW, *[Verdict.REACQUIRE] * 2]
    assert bureau.carry_out() == 2
    assert [bureau.desk.stands(scan_id)[1] for scan_id in scans] == [Verdict.REVIEW] * 3
    assert bureau.outcomes(order) == {Outcome.CHANGED: 3}
    assert verify_rates(bureau.desk.owner) == []


def _failing_after(n: int) -> Callable[..., None]:
    """recount_slots, until the database is gone."""
    calls: list[int] = []

    def recount(*args: object) -> None:
        calls.append(1)
        if len(calls) > n:
            raise ConnectionError("the database is gone")
        recount_slots(*args)  # type: ignore[arg-type]

    return recount


def test_only_the_site_and_days_that_were_chosen_are_judged(bureau: Bureau) -> None:
    early = bureau.desk.score(UNGRADABLE)
    with session_scope(bureau.desk.owner) as session:
        scene = bureau.desk.scene
        capture = make_acquisition(session, scene.site, device=scene.device, acquired_at=MONDAY + timedelta(days=30))
    late = bureau.desk.score(UNGRADABLE, acquisition=capture)
    version = bureau.version(Protocol(artifact_borders=LENIENT))
    since = date(2026, 3, 20)
    assert bureau.foresee(version, bureau.reach(since=since)).examples == {(Verdict.REACQUIRE, Verdict.REVIEW): [late]}
    assert bureau.foresee(version, bureau.reach(until=since)).examples == {(Verdict.REACQUIRE, Verdict.REVIEW): [early]}
    assert bureau.foresee(version, bureau.reach(site_id=bureau.desk.scene.site.id)).n_judged == 2
    assert bureau.foresee(version, bureau.reach(site_id=10**9)).n_judged == 0


def test_an_order_that_is_stopped_is_not_carried_out(bureau: Bureau) -> None:
    scan_id = bureau.desk.score(UNGRADABLE)
    order = bureau.order(bureau.foresee(bureau.version(Protocol(artifact_borders=LENIENT))))
    with bureau.desk.as_person(bureau.admin) as (session, actor):
        with pytest.raises(UsageError, match="Why is it stopped"):
            stop_re_evaluation(session, actor=actor, re_evaluation_id=order, reason=" ")
        stop_re_evaluation(session, actor=actor, re_evaluation_id=order, reason="Wrong version.")
    assert bureau.carry_out() == 0
    assert bureau.desk.stands(scan_id)[1] == Verdict.REACQUIRE
    with (
        bureau.desk.as_person(bureau.admin) as (session, actor),
        pytest.raises(IllegalMoveError, match="has ended already"),
    ):
        stop_re_evaluation(session, actor=actor, re_evaluation_id=order, reason="Again.")


def test_an_order_needs_a_reason_a_scan_and_no_other_open_one(bureau: Bureau) -> None:
    version = bureau.version(Protocol(artifact_borders=LENIENT))
    with pytest.raises(UsageError, match="No scan would be judged again"):
        bureau.order(bureau.foresee(version))
    bureau.desk.score(UNGRADABLE)
    forecast = bureau.foresee(version)
    with pytest.raises(UsageError, match="Why are the scans judged again"):
        bureau.order(forecast, reason=" ")
    bureau.order(forecast)
    with pytest.raises(IllegalMoveError, match="is not done yet"):
        bureau.order(forecast)


@pytest.mark.parametrize("role", [Role.MANAGER, Role.QC_TECHNICIAN, Role.SITE_TECHNICIAN])
def test_only_an_administrator_of_the_study_foresees_and_orders(bureau: Bureau, role: Role) -> None:
    version = bureau.version(Protocol(artifact_borders=LENIENT))
    with pytest.raises(NotAllowedError):
        bureau.foresee(version, token=bureau.desk.hire(role))


def test_a_version_of_another_study_is_refused(bureau: Bureau) -> None:
    with pytest.raises(NotFoundError, match="no such protocol version"):
        bureau.foresee(10**9)


def test_publishing_a_version_judges_nothing_again(bureau: Bureau) -> None:
    scan_id = bureau.desk.score(UNGRADABLE)
    bureau.version(Protocol(artifact_borders=LENIENT))
    assert bureau.carry_out() == 0
    assert bureau.desk.stands(scan_id) == ("under_review", Verdict.REACQUIRE, None)
    assert bureau.counts()[RateMeasure.DECIDED] == 1
