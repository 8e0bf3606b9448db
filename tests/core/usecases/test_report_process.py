"""Processes tell of themselves; managers and administrators read it, and nobody else."""

from datetime import timedelta

from builders import make_member, make_site
from sqlalchemy import text, update

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.store.worker_process import ProcessView, read_hours, read_processes
from core.usecases.report_process import ProcessKind, ProcessReport, forget_old_processes
from core.vocabulary import Role


def report(database: Database, **facts: object) -> ProcessReport:
    return ProcessReport(database, ProcessKind.WORKER, lambda: facts)


def processes(database: Database) -> tuple[ProcessView, ...]:
    with session_scope(database) as session:
        return read_processes(session, since=now() - timedelta(hours=1))


def test_a_process_is_there_from_its_first_sign_of_life_to_its_end(worker_database: Database) -> None:
    told = report(worker_database, device="cpu")
    told.beat()
    (process,) = processes(worker_database)
    assert (process.kind, process.facts["device"], process.ended_at) == ("worker", "cpu", None)
    assert process.facts["pid"] > 0
    told.end()
    (ended,) = processes(worker_database)
    assert ended.ended_at is not None


def test_a_sign_of_life_a_moment_after_the_last_writes_nothing(worker_database: Database) -> None:
    facts = {"n": 0}
    told = ProcessReport(worker_database, ProcessKind.KEEPER, lambda: dict(facts))
    told.beat()
    facts["n"] = 1
    told.beat()
    assert processes(worker_database)[0].facts["n"] == 0
    told.beat(is_forced=True)
    assert processes(worker_database)[0].facts["n"] == 1


def test_work_adds_up_within_the_hour(worker_database: Database) -> None:
    told = report(worker_database)
    told.add_work(n_scored=16, n_failed=0, n_lost=0, seconds=2.5)
    told.add_work(n_scored=4, n_failed=1, n_lost=2, seconds=1.0)
    with session_scope(worker_database) as session:
        hours = read_hours(session, since=now() - timedelta(hours=2))
    totals = [sum(getattr(hour, name) for hour in hours) for name in ("n_scored", "n_failed", "n_lost", "seconds")]
    assert totals == [20, 1, 2, 3.5]


def test_a_database_that_is_gone_does_not_stop_the_work(worker_database: Database, owner_database: Database) -> None:
    told = report(worker_database)
    with session_scope(owner_database) as session:
        session.execute(text("revoke insert on worker_process from octaudit_worker"))
    told.beat()
    told.add_work(n_scored=1, n_failed=0, n_lost=0, seconds=1.0)
    with session_scope(owner_database) as session:
        session.execute(text("grant insert on worker_process to octaudit_worker"))
    told.beat(is_forced=True)
    assert len(processes(worker_database)) == 1


def test_old_processes_are_forgotten_with_their_hours(worker_database: Database) -> None:
    told = report(worker_database)
    told.add_work(n_scored=1, n_failed=0, n_lost=0, seconds=1.0)
    with session_scope(worker_database) as session:
        session.execute(update(tables.WorkerProcess).values(beaten_at=now() - timedelta(days=31)))
    assert forget_old_processes(worker_database) == 1
    with session_scope(worker_database) as session:
        assert read_hours(session, since=now() - timedelta(days=1)) == ()


def test_managers_and_administrators_see_processes_and_others_none(
    worker_database: Database, owner_database: Database, dashboard_database: Database
) -> None:
    report(worker_database).beat()
    with session_scope(owner_database) as session:
        site = make_site(session)
        tokens = {role: make_member(session, role, site=site)[1] for role in Role}
    seeing = set()
    for role, token in tokens.items():
        with session_scope(dashboard_database, token=token) as session:
            if read_processes(session, since=now() - timedelta(hours=1)):
                seeing.add(role)
    assert seeing == {Role.MANAGER, Role.ADMIN}
