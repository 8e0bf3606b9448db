"""The tracker's figures against requests whose course was written by hand."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from builders import (
    MONDAY,
    make_acquisition,
    make_expected_scan,
    make_member,
    make_scan,
    make_site,
    make_study,
    make_subject,
    make_technician,
    make_visit,
)
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.statistics.proportions import Proportion
from core.statistics.survival import TurnAround
from core.store.scan_filter import ScanFilter
from core.store.tracker import TrackerFilter, read_board, read_rounds, read_tracker
from core.usecases.follow_requests import RequestFigures, follow_requests
from core.values import NotComputable
from core.vocabulary import ReasonCode, RequestState, Role, ScanState

NOW = MONDAY + timedelta(days=60)
TODAY = NOW.date()
ALL = ScanFilter()


class Course:
    """A site of one study; ``ask`` adds a request that was made, answered and ended on given days after MONDAY."""

    def __init__(self, session: Session, site: tables.Site) -> None:
        self.session, self.site = session, site

    def ask(
        self, state: RequestState, *, made: int = 0, received: int | None = None, ended: int | None = None,
        due: int | None = 28, slot: tables.ExpectedScan | None = None, **changes: object,
    ) -> tables.ReacquisitionRequest:  # fmt: skip
        if slot is None:
            slot = make_expected_scan(self.session, make_visit(self.session, make_subject(self.session, self.site)))
        faulty = make_acquisition(self.session, self.site, slot=slot)
        scan = make_scan(self.session, self.site, acquisition=faulty, state=ScanState.REACQUISITION_REQUESTED.value)
        new = make_acquisition(self.session, self.site, slot=slot, replaces_id=faulty.id) if received else None
        row = tables.ReacquisitionRequest(
            **{
                "site_id": self.site.id, "acquisition_id": faulty.id, "scan_id": scan.id, "state": state.value,
                "reason_code": "oscar-mp:M", "text": "Motion", "remedy": "Again", "created_at": on(made),
                "received_at": on(received), "closed_at": on(ended), "due_on": None if due is None else on(due).date(),
                "replacement_id": new.id if new else None,
            }
            | changes
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        return row


def on(day: int | None) -> datetime | None:
    return None if day is None else MONDAY + timedelta(days=day)


@pytest.fixture
def story(owner_database: Database) -> dict[str, object]:
    """Two sites: the first with requests in every state, the second with one that another site must not see."""
    with session_scope(owner_database) as session:
        study = make_study(session)
        site, other = make_site(session, study), make_site(session, study)
        course = Course(session, site)
        owner = make_technician(session, site, code="T07")
        course.ask(RequestState.CLOSED, received=4, ended=6)
        course.ask(RequestState.CLOSED, received=10, ended=12)
        course.ask(RequestState.NOT_POSSIBLE, ended=20)
        late = course.ask(RequestState.REGRADED, received=40)
        overdue = course.ask(RequestState.ACKNOWLEDGED, owner_id=owner.id, reason_code="oscar-mp:S")
        soon = course.ask(RequestState.REQUESTED, made=50, due=70)
        without_day = course.ask(RequestState.SCHEDULED, made=50, due=None)
        course.ask(RequestState.WITHDRAWN, made=50)
        elsewhere = Course(session, other).ask(RequestState.REQUESTED, made=1)
        return {
            "site": site.id, "study": study.id, "owner": owner.id, "late": late.id, "overdue": overdue.id,
            "soon": soon.id, "without_day": without_day.id, "elsewhere": elsewhere.id,
            "technician": make_member(session, Role.SITE_TECHNICIAN, site=site)[1],
            "manager": make_member(session, Role.MANAGER, study=study)[1],
        }  # fmt: skip


def figures(database: Database, token: object, chosen: ScanFilter = ALL) -> RequestFigures:
    with session_scope(database, token=str(token)) as session:
        return follow_requests(session, chosen, now=NOW)


def counted(rate: Proportion | NotComputable) -> tuple[int, int]:
    assert isinstance(rate, Proportion)
    assert rate.low <= rate.value <= rate.high
    return rate.k, rate.n


def test_success_counts_what_has_ended_and_the_window_what_is_known(
    dashboard_database: Database, story: dict[str, object]
) -> None:
    found = figures(dashboard_database, story["technician"])
    assert (found.n_requests, found.n_cases, found.n_open) == (7, 7, 4), "what was taken back counts nowhere"
    assert counted(found.success) == (2, 3)
    # Kept: two closed ones. Not kept: the one that ended, the late one, the overdue one. Not known yet: the two others.
    assert counted(found.within_window) == (2, 5)


def test_rounds_of_one_expected_scan_are_one_case(dashboard_database: Database, owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        slot = make_expected_scan(session, make_visit(session, make_subject(session, site)))
        course = Course(session, site)
        course.ask(RequestState.CLOSED, received=4, ended=20, slot=slot)
        course.ask(RequestState.CLOSED, made=6, received=15, ended=20, slot=slot)
        token = make_member(session, Role.MANAGER, study=session.get_one(tables.Study, site.study_id))[1]
        slot_id = slot.id
    found = figures(dashboard_database, token)
    assert (found.n_requests, found.n_cases) == (2, 1)
    assert counted(found.success) == (1, 1)
    with session_scope(dashboard_database, token=token) as session:
        assert [(each.round_number, each.n_rounds) for each in read_rounds(session, slot_id)] == [(1, 2), (2, 2)]


def test_time_to_receipt_keeps_open_requests_in_the_curve(
    dashboard_database: Database, story: dict[str, object]
) -> None:
    curve = figures(dashboard_database, story["technician"]).to_receipt
    assert isinstance(curve, TurnAround)
    # 7 at risk at day 4 (1 comes); day 10: 2 censored so far? none before 10 but the two made on day 50 (lasted 10).
    assert curve.times.tolist()[:2] == [4.0, 10.0]
    assert curve.open_share.tolist()[:2] == pytest.approx([6 / 7, 6 / 7 * 5 / 6])
    assert (curve.low <= curve.open_share).all()
    assert (curve.open_share <= curve.high).all()
    assert curve.n_open == 4, "not received: the ended one, the overdue one and the two of day 50"


def test_the_period_is_that_of_the_request(dashboard_database: Database, story: dict[str, object]) -> None:
    chosen = ScanFilter(since=(MONDAY + timedelta(days=49)).date(), until=TODAY)
    assert figures(dashboard_database, story["manager"], chosen).n_requests == 2


def test_nothing_asked_is_said_so(dashboard_database: Database, story: dict[str, object]) -> None:
    found = figures(dashboard_database, story["manager"], ScanFilter(since=date(2030, 1, 7)))
    assert [isinstance(each, NotComputable) for each in (found.success, found.within_window, found.to_receipt)] == [
        True, True, True,
    ]  # fmt: skip


def listed(
    database: Database, token: object, wanted: TrackerFilter | None = None, chosen: ScanFilter = ALL
) -> list[int]:
    with session_scope(database, token=str(token)) as session:
        page = read_tracker(session, chosen, wanted or TrackerFilter(), today=TODAY, page=0, page_size=25)
    assert page.total == len(page.items)
    return [item.id for item in page.items]


def test_the_table_lists_what_is_owed_first_and_the_ended_last(
    dashboard_database: Database, story: dict[str, object]
) -> None:
    ids = listed(dashboard_database, story["technician"])
    assert ids[:4] == [story["overdue"], story["soon"], story["without_day"], story["late"]]
    assert len(ids) == 7


def test_a_site_sees_its_own_requests_alone(dashboard_database: Database, story: dict[str, object]) -> None:
    assert story["elsewhere"] not in listed(dashboard_database, story["technician"])
    assert story["elsewhere"] in listed(dashboard_database, story["manager"])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (TrackerFilter(states=(RequestState.REGRADED,)), ["late"]),
        (TrackerFilter(only_overdue=True), ["overdue"]),
        (TrackerFilter(reason=ReasonCode.MP_SIGNAL), ["overdue"]),
    ],
)
def test_the_filters_narrow_the_table(
    dashboard_database: Database, story: dict[str, object], wanted: TrackerFilter, expected: list[str]
) -> None:
    assert listed(dashboard_database, story["technician"], wanted) == [story[name] for name in expected]


def test_one_owner_s_requests_and_pages_without_overlap(dashboard_database: Database, story: dict[str, object]) -> None:
    owned = TrackerFilter(owner_id=int(str(story["owner"])))
    assert listed(dashboard_database, story["technician"], owned) == [story["overdue"]]
    with session_scope(dashboard_database, token=str(story["technician"])) as session:
        pages = [read_tracker(session, ALL, TrackerFilter(), today=TODAY, page=n, page_size=3).items for n in range(3)]
        found = read_tracker(session, ALL, TrackerFilter(), today=TODAY, page=0, page_size=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert len({item.id for page in pages for item in page}) == 7
    assert (found.n_overdue, found.by_state[RequestState.CLOSED]) == (1, 2)


def test_what_is_open_is_listed_whatever_the_period(dashboard_database: Database, story: dict[str, object]) -> None:
    recent = ScanFilter(since=TODAY - timedelta(days=7), until=TODAY + timedelta(days=1))
    ids = listed(dashboard_database, story["technician"], chosen=recent)
    assert ids == [story["overdue"], story["soon"], story["without_day"], story["late"]]


def test_the_board_has_a_lane_per_state(dashboard_database: Database, story: dict[str, object]) -> None:
    lanes = (RequestState.CLOSED, RequestState.REQUESTED, RequestState.RECEIVED)
    with session_scope(dashboard_database, token=str(story["technician"])) as session:
        found = read_board(session, ALL, TrackerFilter(), today=TODAY, states=lanes, n=1)
    assert [len(found[lane]) for lane in lanes] == [1, 1, 0]


def test_questions_are_counted_by_scan_and_site(
    dashboard_database: Database, owner_database: Database, story: dict[str, object]
) -> None:
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, story["site"])
        author, _ = make_member(session, Role.QC_TECHNICIAN, site=site)
        device_id = make_acquisition(session, site).device_id
        session.add_all(
            tables.RateDelta(
                site_id=site.id, device_id=device_id, scan_type="octa-enface 3x3", week_on=MONDAY.date(),
                measure="score", detail=f"superficial {tenth}", n=10,
            )
            for tenth in (3, 7)
        )  # fmt: skip
        capture = make_acquisition(session, site)
        first = make_scan(session, site, acquisition=capture)
        second = make_scan(session, site)
        repeated = make_scan(session, site, acquisition=make_acquisition(session, site, replaces_id=capture.id))
        for scan in (first, first, second, repeated):
            session.add(
                tables.QueryMessage(
                    site_id=site.id, scan_id=scan.id, author_id=author.id, side="centre", act="question", text="?",
                    created_at=MONDAY + timedelta(days=1),
                )
            )  # fmt: skip
    found = figures(dashboard_database, story["technician"])
    assert [(each.site_id, counted(each.rate)) for each in found.queries] == [(story["site"], (2, 20))]
    assert counted(found.all_queries) == (2, 20), (
        "two questions about one scan are one; replacements are no scans of it"
    )
    later = replace(ALL, since=(MONDAY + timedelta(days=7)).date())
    assert figures(dashboard_database, story["technician"], later).queries == ()
    wednesday = replace(ALL, since=(MONDAY + timedelta(days=2)).date(), until=(MONDAY + timedelta(days=3)).date())
    assert counted(figures(dashboard_database, story["technician"], wednesday).all_queries) == (2, 20), (
        "counts are kept by week, so questions are of the same whole week"
    )
