"""A baseline is signed with the password, frozen, versioned, used by the chart, and moved by nothing but a signature."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta

import pytest
from builders import make_member, make_study
from databases import fresh_settings
from demo_rows import ENDS_ON, TODAY, Demo, DemoRows, write_demo_rows
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.clock import pretending
from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.database.tables import AuditEvent, Rate, RateDelta, SignedBaseline, Site, Study, User
from core.errors import NotAllowedError, NotFoundError, OctauditError, UsageError
from core.passwords import hash_password
from core.settings import Settings
from core.statistics.control_chart import MIN_BASELINE_POINTS, Baseline
from core.store.scan_filter import ScanFilter
from core.store.signed_baseline import WHOLE_STUDY, read_baseline_history
from core.store.unit import UnitKind
from core.usecases.log_in import log_in
from core.usecases.sign_baseline import MEANINGS, baseline_weeks, propose_baseline, scope_of, sign_baseline
from core.usecases.watch_units import BaselineSource, Trend, Watch, watch_units
from core.values import NotComputable
from core.vocabulary import Role

PASSWORD = "four quiet words here"
EARLY = (date(2026, 5, 25), date(2026, 8, 16))
LONG = (date(2026, 5, 25), date(2026, 10, 18))
EVERYTHING = ScanFilter()


class Desk:
    """The demo study with people who have a password."""

    def __init__(self, owner: Database, dashboard: Database, rows: DemoRows) -> None:
        self.owner, self.dashboard, self.rows = owner, dashboard, rows
        self.alder = ScanFilter(site_id=rows.site_ids["ALDER"])

    def sign(self, token: str = "", **changes: object) -> int:
        values = {
            "chosen": EVERYTHING, "starts_on": EARLY[0], "ends_on": EARLY[1], "password": PASSWORD,
            "meaning": MEANINGS[0], "reason": "Before the laser aged.",
        }  # fmt: skip
        with pretending(TODAY):
            return sign_baseline(self.dashboard, token=token or self.rows.manager, **values | changes)  # type: ignore[arg-type]

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with pretending(TODAY), session_scope(self.dashboard, token=self.rows.manager) as session:
            yield session

    def watch(self, chosen: ScanFilter) -> Watch:
        with self.reading() as session:
            return watch_units(session, chosen, UnitKind.SITE, today=TODAY.date())

    def trend(self, chosen: ScanFilter) -> Trend:
        found = self.watch(chosen).trend
        assert isinstance(found, Trend)
        return found

    def hire(self, role: Role, site: str | None = None) -> str:
        with session_scope(self.owner) as session:
            place = session.get_one(Site, self.rows.site_ids[site]) if site else None
            study = None if site else session.get_one(Study, self.rows.study_id)
            user, token = make_member(session, role, study=study, site=place)
            user.password_hash = hash_password(PASSWORD)
        return token


@pytest.fixture(scope="module")
def desk(servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One database for the tests of this module, which begin with what is refused and so leaves nothing."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("baselines")
        settings = stack.enter_context(fresh_settings(servers, database_template, folder))
        owner, dashboard = (
            stack.enter_context(open_database(settings, role)) for role in (DatabaseRole.OWNER, DatabaseRole.DASHBOARD)
        )
        with session_scope(owner) as session:
            rows = write_demo_rows(session)
            session.execute(update(User).values(password_hash=hash_password(PASSWORD)))
        yield Desk(owner, dashboard, rows)


def test_what_cannot_be_signed_is_refused_with_the_reason_and_leaves_nothing(desk: Desk) -> None:
    people = {name: desk.hire(role) for name, role in (("qc", Role.QC_TECHNICIAN), ("adjudicator", Role.ADJUDICATOR))}
    of_cedar, of_alder = desk.hire(Role.MANAGER, "CEDAR"), desk.hire(Role.MANAGER, "ALDER")
    refusals: list[tuple[str, dict[str, object], type[OctauditError], str]] = [
        ("", {"reason": " "}, UsageError, "has no reason"),
        ("", {"meaning": "whatever"}, UsageError, "has no meaning"),
        ("", {"ends_on": EARLY[0] + timedelta(days=20)}, UsageError, f"fewer than {MIN_BASELINE_POINTS} points"),
        ("", {"ends_on": TODAY.date()}, UsageError, "before the present week"),
        ("", {"chosen": ScanFilter(site_id=1, device_model="X")}, NotFoundError, "part of a unit"),
        (people["qc"], {}, NotAllowedError, "Only a manager"),
        (people["adjudicator"], {}, NotAllowedError, "Only a manager"),
        (of_cedar, {}, NotAllowedError, "Only a manager"),
        (of_cedar, {"chosen": desk.alder}, OctauditError, "no such unit|nothing to sign"),
        ("forged", {}, NotAllowedError, "session has ended"),
        ("", {"password": "wrong"}, NotAllowedError, "password is wrong"),
    ]
    for token, changes, error, words in refusals:
        with pytest.raises(error, match=words):
            desk.sign(token, **changes)
    with session_scope(desk.owner) as session:
        assert session.scalars(select(SignedBaseline.id)).all() == []
    assert desk.sign(of_alder, chosen=desk.alder, starts_on=LONG[0], ends_on=LONG[1]) == 1, "a manager of the site"


def test_a_signed_baseline_is_what_the_chart_uses_and_only_a_signature_makes_another(desk: Desk) -> None:
    assert desk.trend(EVERYTHING).source is BaselineSource.OWN
    with desk.reading() as session:
        scope = scope_of(session, EVERYTHING)
        assert not isinstance(scope, NotComputable)
        proposed = propose_baseline(session, EVERYTHING, scope, starts_on=EARLY[0], ends_on=EARLY[1])
    assert isinstance(proposed, Baseline)
    assert desk.sign() == 1
    first = desk.trend(EVERYTHING)
    assert (first.source, first.chart.baseline) == (BaselineSource.SIGNED, proposed)
    assert all(point.period.starts_on > EARLY[1] for point in first.judged)
    assert first.signed is not None
    assert (first.signed.meaning, first.signed.reason) == (MEANINGS[0], "Before the laser aged.")

    assert desk.sign(chosen=desk.alder, starts_on=LONG[0], ends_on=LONG[1]) == 2, "another unit, another count"
    assert desk.trend(desk.alder).source is BaselineSource.SIGNED
    by_site = {unit.unit.label: unit.trend for unit in desk.watch(EVERYTHING).units}
    assert by_site["ALDER"].source is BaselineSource.SIGNED
    assert by_site["CEDAR"].source is BaselineSource.SHARED, "its own points are too few"
    assert by_site["CEDAR"].signed == first.signed
    assert by_site["CEDAR"].chart.baseline.centre == proposed.centre

    with session_scope(desk.owner) as session:  # half of the counts are gone, as if grades had been corrected
        weeks = {"synchronize_session": False}
        for table in (Rate, RateDelta):
            session.execute(delete(table).where(table.week_on < date(2026, 7, 6)), execution_options=weeks)
    assert desk.trend(EVERYTHING).chart.baseline == proposed, "what was signed is frozen"

    later = {"starts_on": date(2026, 7, 6), "ends_on": LONG[1], "meaning": MEANINGS[1], "reason": "New protocol."}
    assert desk.sign(**later) == 2
    second = desk.trend(EVERYTHING)
    assert second.signed is not None
    assert second.signed.number == 2
    with desk.reading() as session:
        history = read_baseline_history(session, scope)
    assert [(version.number, version.baseline == proposed) for version in history] == [(2, False), (1, True)]
    with session_scope(desk.owner) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "baseline.sign")).all()
        n_stored = len(session.scalars(select(SignedBaseline.id)).all())
    assert [event.after["number"] for event in events if event.after] == [1, 1, 2, 2]
    assert n_stored == 4


def test_wrong_passwords_lock_the_signature_and_the_login_alike(
    owner_database: Database, dashboard_database: Database, settings: Settings
) -> None:
    with session_scope(owner_database) as session:
        user, token = make_member(session, Role.MANAGER, study=make_study(session))
        user.password_hash = hash_password(PASSWORD)
        name = user.name

    def sign(password: str) -> None:
        sign_baseline(
            dashboard_database, token=token, chosen=EVERYTHING, starts_on=EARLY[0], ends_on=EARLY[1],
            password=password, meaning=MEANINGS[0], reason="Steady.",
        )  # fmt: skip

    for _ in range(5):
        with pytest.raises(NotAllowedError, match="password is wrong"):
            sign("guess")
    with pytest.raises(NotAllowedError, match="locked"):
        sign(PASSWORD)
    with pytest.raises(NotAllowedError, match="locked"):
        log_in(dashboard_database, settings, name=name, password=PASSWORD)
    with session_scope(owner_database) as session:
        actions = session.scalars(
            select(AuditEvent.action).where(AuditEvent.entity == "user").order_by(AuditEvent.id)
        ).all()
    assert [action for action in actions if action == "sign_failed"] == ["sign_failed"] * 5
    assert "locked_out" in actions
    assert not {"log_in", "sign"} & set(actions)


def test_a_selection_is_one_unit_or_none(demo: Demo) -> None:
    rows = demo.rows
    site_id, device_id = rows.site_ids["ALDER"], rows.device_ids["ALDER-2"]
    technician_id = next(iter(rows.technician_ids.values()))
    expected = {
        ScanFilter(): (WHOLE_STUDY, "", None),
        ScanFilter(site_id=site_id): ("site", f"{site_id}", site_id),
        ScanFilter(site_id=site_id, device_id=device_id): ("device", f"{device_id}", site_id),
        ScanFilter(device_model="Angio 3"): ("model", "Angio 3", None),
        ScanFilter(device_model="Angio 3", software_version="4.2.1"): ("software", "Angio 3|4.2.1", None),
        ScanFilter(device_model="Angio 3", site_id=site_id): None,
        ScanFilter(software_version="4.2.1"): None,
        ScanFilter(device_id=device_id, technician_id=technician_id): None,
    }
    with session_scope(demo.database, token=rows.manager) as session:
        for chosen, wanted in expected.items():
            scope = scope_of(session, chosen)
            found = None if isinstance(scope, NotComputable) else (scope.kind, scope.key, scope.site_id)
            assert found == wanted, chosen


def test_a_period_is_baseline_weeks() -> None:
    assert baseline_weeks(date(2026, 3, 4), date(2026, 3, 10)) == (date(2026, 3, 2), date(2026, 3, 15))
    assert baseline_weeks(ENDS_ON, ENDS_ON)[0].weekday() == 0
