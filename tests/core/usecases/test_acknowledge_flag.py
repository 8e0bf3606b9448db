"""A flag is acknowledged once, with a comment; the keeper ends that with the flag, and the next one is new again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from demo_rows import TODAY, DemoRows, write_demo_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import pretending
from core.database.session import Database, session_scope
from core.database.tables import AuditEvent, FlagAcknowledgement
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.settings import Settings
from core.store.access import Actor, current_actor
from core.store.flag_acknowledgement import FlagKey, read_acknowledgements
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases.acknowledge_flag import acknowledge_flags
from core.usecases.find_flags import standing_weeks
from core.usecases.flag_sites import Indicator, flag_sites
from core.usecases.raise_alerts import raise_alerts

WEEKS = 26


@pytest.fixture
def rows(owner_database: Database) -> DemoRows:
    with session_scope(owner_database) as session:
        return write_demo_rows(session)


@contextmanager
def person(dashboard: Database, token: str) -> Iterator[tuple[Session, Actor]]:
    with pretending(TODAY), session_scope(dashboard, token=token) as session:
        actor = current_actor(session)
        assert actor is not None
        yield session, actor


def acknowledge(
    dashboard: Database, token: str, kind: UnitKind, key: object, comment: str = "Called them."
) -> set[str]:
    with person(dashboard, token) as (session, actor):
        flags = acknowledge_flags(
            session, actor=actor, kind=kind, unit_key=str(key), comment=comment, n_weeks=WEEKS
        )  # fmt: skip
        return {flag.key.indicator for flag in flags}


def test_flags_are_acknowledged_and_no_longer_counted_as_new_until_the_unit_is_flagged_anew(
    rows: DemoRows, owner_database: Database, dashboard_database: Database, worker_database: Database,
    settings: Settings,
) -> None:  # fmt: skip
    device = rows.device_ids[rows.study.planted.declining_device]
    assert acknowledge(dashboard_database, rows.manager, UnitKind.DEVICE, device) == {Indicator.POOR.value}
    for kind, key in ((UnitKind.MODEL, "No such model"), (UnitKind.TECHNICIAN, "x7")):
        with pytest.raises(NotFoundError):
            acknowledge(dashboard_database, rows.manager, kind, key)
    bad, healthy = (
        rows.site_ids[code] for code in (rows.study.planted.bad_site, next(iter(rows.study.planted.healthy_sites)))
    )
    refusals = (
        (rows.manager, bad, " ", UsageError, "has no comment"),
        (rows.manager, healthy, "Called.", UsageError, "not flagged over the last 26 weeks"),
        (rows.manager, 10**9, "Called.", NotFoundError, "There is no site"),
        (rows.technician, bad, "Called.", NotAllowedError, "Only a manager of this site"),
    )
    for token, site_id, comment, error, words in refusals:
        with pytest.raises(error, match=words):
            acknowledge(dashboard_database, token, UnitKind.SITE, site_id, comment)
    acknowledged = acknowledge(dashboard_database, rows.manager, UnitKind.SITE, bad)
    assert Indicator.POOR.value in acknowledged
    with pytest.raises(IllegalMoveError, match="was acknowledged by"):
        acknowledge(dashboard_database, rows.manager, UnitKind.SITE, bad)

    since, until = standing_weeks(TODAY.date(), WEEKS)
    with person(dashboard_database, rows.manager) as (session, _):
        chosen = ScanFilter(study_id=rows.study_id, since=since, until=until)
        matrix = flag_sites(session, chosen, today=TODAY.date(), now=TODAY)
        standing = read_acknowledgements(session, rows.study_id)
    of_device = standing.pop(FlagKey(UnitKind.DEVICE, str(device), Indicator.POOR.value))
    assert of_device.label == rows.study.planted.declining_device
    row = next(each for each in matrix.sites if each.site.key == str(bad))
    assert {cell.indicator.value for cell in row.cells if cell.acknowledged} == acknowledged
    assert row.is_red
    assert not row.is_newly_red
    assert {each.comment for each in standing.values()} == {"Called them."}

    with pretending(TODAY):
        raise_alerts(worker_database, settings)
    with person(dashboard_database, rows.manager) as (session, _):
        assert len(read_acknowledgements(session, rows.study_id)) == len(acknowledged) + 1, "they are still flagged"
    with pretending(TODAY + timedelta(weeks=40)):
        raise_alerts(worker_database, settings)
    with person(dashboard_database, rows.manager) as (session, _):
        assert read_acknowledgements(session, rows.study_id) == {}, "no capture is left in the period"
    assert acknowledge(dashboard_database, rows.manager, UnitKind.SITE, bad, "Again.") == acknowledged
    with session_scope(owner_database) as session:
        kept = session.scalars(select(FlagAcknowledgement.ended_at).order_by(FlagAcknowledgement.id)).all()
        events = session.scalars(
            select(AuditEvent.action).where(AuditEvent.entity == "flag_acknowledgement").order_by(AuditEvent.id)
        ).all()
    n = len(acknowledged)
    assert [each is None for each in kept] == [False] * (n + 1) + [True] * n
    assert events == ["flag.acknowledge"] * (n + 1) + ["flag.end"] * (n + 1) + ["flag.acknowledge"] * n
