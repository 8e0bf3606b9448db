"""A technician learns the own rate and the study's median, and of anybody else nothing that could be worked out."""

from datetime import date, timedelta

import pytest
from builders import (
    MONDAY,
    make_acquisition,
    make_device,
    make_grant,
    make_member,
    make_site,
    make_study,
    make_technician,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.store.first_pass import OwnPlace, read_own_places, read_study_median
from core.store.rate import fold_deltas
from core.usecases.give_feedback import give_feedback
from core.vocabulary import RateMeasure, Role

UNTIL = MONDAY.date() + timedelta(weeks=4)
SINCE = UNTIL - timedelta(weeks=26)
RATES = {"T01": (40, 20), "T02": (40, 24), "T03": (40, 28), "T04": (50, 40), "T05": (40, 36), "T06": (29, 29)}
"""Technician -> decided and gradable captures; the last has too few to count."""
MEDIAN = 0.7
"""Of 0.5, 0.6, 0.7, 0.8, 0.9."""


class World:
    def __init__(self, owner: Database, n_technicians: int = 6) -> None:
        with session_scope(owner) as session:
            self.study = make_study(session)
            self.sites = [make_site(session, self.study) for _ in range(3)]
            self.user, self.token = make_member(session, Role.SITE_TECHNICIAN, site=self.sites[0])
            self.grader = make_member(session, Role.GRADER, study=self.study)[1]
            self.stranger = make_member(session, Role.MANAGER, study=make_study(session))[1]
            self.technicians: dict[str, tables.Technician] = {}
            for number, (code, (decided, gradable)) in enumerate(list(RATES.items())[:n_technicians]):
                site = self.sites[number % 3]
                own = {"user_id": self.user.id} if code == "T01" else {}
                self.technicians[code] = make_technician(session, site, code=code, **own)
                count(session, site, self.technicians[code].id, decided, gradable)

    def place(self) -> OwnPlace:
        return OwnPlace(
            self.study.id, self.study.code, self.sites[0].id, self.sites[0].code, self.technicians["T01"].id, "T01"
        )


def count(session: Session, site: tables.Site, technician_id: int, decided: int, gradable: int) -> None:
    device = make_device(session, site)
    make_acquisition(session, site, device=device, technician_id=technician_id)
    common = {
        "site_id": site.id, "device_id": device.id, "technician_id": technician_id, "week_on": MONDAY.date(),
    }  # fmt: skip
    for measure, n in ((RateMeasure.DECIDED, decided), (RateMeasure.GRADABLE, gradable)):
        session.add(tables.RateDelta(**common, scan_type="octa-enface 3x3", measure=measure, n=n))
    # A visit of one capture each: "1/1" gradable, "1/0" not.
    for detail, n in (("1/1", gradable), ("1/0", decided - gradable)):
        session.add(tables.RateDelta(**common, scan_type="", measure=RateMeasure.VISITS, detail=detail, n=n))


@pytest.fixture(params=["not folded yet", "folded"])
def world(owner_database: Database, worker_database: Database, request: pytest.FixtureRequest) -> World:
    made = World(owner_database)
    if request.param == "folded":
        with session_scope(worker_database) as session:
            fold_deltas(session)
    return made


def median_for(database: Database, token: str, study_id: int, since: date = SINCE, until: date = UNTIL) -> object:
    with session_scope(database, token=token) as session:
        return read_study_median(session, study_id, by_technician=True, since=since, until=until)


def test_the_median_is_that_of_the_technicians_with_enough_captures(dashboard_database: Database, world: World) -> None:
    found = median_for(dashboard_database, world.token, world.study.id)
    assert found is not None
    assert (found.median, found.n_units) == (pytest.approx(MEDIAN), 5)
    assert found.low == pytest.approx(MEDIAN - 1.82 * 0.2 / 5**0.5)
    assert found.high == pytest.approx(MEDIAN + 1.82 * 0.2 / 5**0.5)


def test_with_fewer_than_five_units_there_is_no_median(dashboard_database: Database, owner_database: Database) -> None:
    few = World(owner_database, n_technicians=4)
    assert median_for(dashboard_database, few.token, few.study.id) is None


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (SINCE + timedelta(days=1), UNTIL + timedelta(days=1)),
        (UNTIL - timedelta(weeks=1), UNTIL),
        (UNTIL, UNTIL),
    ],
)
def test_only_whole_long_periods_are_answered(
    dashboard_database: Database, owner_database: Database, since: date, until: date
) -> None:
    world = World(owner_database)
    assert median_for(dashboard_database, world.token, world.study.id, since, until) is None


def test_who_has_no_role_there_or_is_only_a_grader_learns_no_median(
    dashboard_database: Database, owner_database: Database
) -> None:
    world = World(owner_database)
    for token in (world.stranger, world.grader, "forged"):
        assert median_for(dashboard_database, token, world.study.id) is None


def test_of_other_sites_nothing_but_the_median_is_seen(dashboard_database: Database, world: World) -> None:
    with session_scope(dashboard_database, token=world.token) as session:
        for table in ("rate", "rate_delta", "rate_cell", "rate_series", "technician"):
            sites = set(session.scalars(text(f"select site_id from {table}")))  # noqa: S608 - given above
            assert sites <= {world.sites[0].id}, table


def test_the_own_rate_stands_beside_the_median(dashboard_database: Database, world: World) -> None:
    with session_scope(dashboard_database, token=world.token) as session:
        found = give_feedback(session, world.place(), since=SINCE, until=UNTIL)
    assert found.rate is not None
    assert (found.rate.k, found.rate.n, found.rate.value) == (20, 40, 0.5)
    assert found.rate.low < 0.5 < found.rate.high
    assert found.median is not None
    assert not found.is_judged, "one patient is not enough, however many captures there are"
    assert [(point.rate.k, point.rate.n) for point in found.trend] == [(20, 40)]


def test_an_account_without_a_technician_code_is_shown_its_site(
    dashboard_database: Database, owner_database: Database
) -> None:
    world = World(owner_database)
    with session_scope(owner_database) as session:
        make_grant(session, world.user, Role.SITE_TECHNICIAN, site=world.sites[1])
    with session_scope(dashboard_database, token=world.token) as session:
        places = read_own_places(session, world.user.id, [world.sites[0].id, world.sites[1].id])
        assert {place.site_id: place.technician_code for place in places} == {
            world.sites[0].id: "T01", world.sites[1].id: None,
        }  # fmt: skip
        site = next(place for place in places if place.technician_id is None)
        found = give_feedback(session, site, since=SINCE, until=UNTIL)
    assert found.rate is not None
    assert (found.rate.k, found.rate.n) == (24 + 36, 80)
    assert found.median is None, "three sites are too few"
