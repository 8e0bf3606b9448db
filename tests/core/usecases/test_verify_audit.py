"""Whatever somebody with a superuser's rights does to the audit trail, the check names the first link that is broken."""

from collections.abc import Callable, Sequence
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from core.database.session import Database, session_scope
from core.errors import NotAllowedError, UsageError
from core.settings import Settings
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.store.audit_anchor import AuditHead, audit_key, read_heads
from core.store.audit_check import read_last_check
from core.store.audit_seal import sealed_events
from core.usecases.seal_audit import FIRST_LINK, chain_link, seal_audit
from core.usecases.verify_audit import check_audit, verify_audit

Superuser = Callable[..., list[tuple[object, ...]]]
FORGED = "0123456789abcdef" * 4


@pytest.fixture
def superuser(settings: Settings) -> Superuser:
    """Runs statements as PostgreSQL's superuser with every trigger switched off; returns the last one's rows."""
    assert settings.database_admin_url is not None
    assert settings.database_owner_url is not None
    database = make_url(settings.database_owner_url.get_secret_value()).database
    url = make_url(settings.database_admin_url.get_secret_value()).set(database=database)
    arguments = url.get_dialect()().create_connect_args(url)[1]

    def run(*statements: str) -> list[tuple[object, ...]]:
        with psycopg.connect(**arguments) as connection:
            connection.execute("set session_replication_role = replica")
            for statement in statements:
                result = connection.execute(statement)  # type: ignore[call-overload]
            rows = list(result.fetchall()) if result.description else []
        connection.close()
        return rows

    return run


@pytest.fixture
def event_ids(worker_database: Database, sealer_database: Database, settings: Settings) -> list[int]:
    """Six sealed events, anchored after three and after six; their ids in the order of the chain."""
    for half in range(2):
        for number in range(3):
            with session_scope(worker_database) as session:
                record_event(
                    session, actor=PROGRAM, action="test", entity="scan", entity_id=3 * half + number,
                    after={"grade": number}, reason="why", meaning="approved" if number == 1 else "",
                )  # fmt: skip
        seal_audit(sealer_database, settings)
    with session_scope(sealer_database) as session, closing(sealed_events(session)) as chain:
        return [sealed.seal.event_id for sealed in chain]


@pytest.fixture
def faults(sealer_database: Database, settings: Settings) -> Callable[[], Sequence[str]]:
    return lambda: verify_audit(sealer_database, settings).faults


Faults = Callable[[], Sequence[str]]


def test_an_untouched_chain_has_no_fault(event_ids: list[int], sealer_database: Database, settings: Settings) -> None:
    check = verify_audit(sealer_database, settings)
    assert (check.n_sealed, check.n_anchored, check.faults) == (6, 6, ())


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'another'", "after = '{\"grade\": 2}'", "before = '{}'", "actor_id = 1", "meaning = ''",
        "happened_at = happened_at + interval '1 microsecond'", "action = 'other'", "entity_id = 77", "site_id = 1",
    ],
)  # fmt: skip
def test_a_changed_row_is_named_whatever_was_changed_in_it(
    event_ids: list[int], superuser: Superuser, faults: Faults, change: str
) -> None:
    superuser(f"update audit_event set {change} where id = {event_ids[1]}")  # noqa: S608 - ours
    assert faults() == (f"The chain is broken at place 2: event {event_ids[1]} or its seal was changed or put in.",)


def test_a_removed_row_is_named_with_and_without_its_seal(
    event_ids: list[int], superuser: Superuser, faults: Faults
) -> None:
    superuser(f"delete from audit_event where id = {event_ids[3]}")  # noqa: S608 - ours
    assert faults() == (f"The chain is broken at place 4: event {event_ids[3]} was removed.",)
    superuser("delete from audit_seal where sequence = 4")
    (told,) = faults()
    assert told.startswith("The chain is broken at place 4: its seal is missing, the next one is of place 5")


def test_a_gap_that_was_closed_up_is_named(event_ids: list[int], superuser: Superuser, faults: Faults) -> None:
    superuser(
        f"delete from audit_event where id = {event_ids[3]}",  # noqa: S608 - ours
        "delete from audit_seal where sequence = 4",
        "update audit_seal set sequence = sequence - 1 where sequence > 4",
    )
    assert faults() == (f"The chain is broken at place 4: event {event_ids[4]} or its seal was changed or put in.",)


def test_removed_last_rows_are_named(event_ids: list[int], superuser: Superuser, faults: Faults) -> None:
    superuser(
        "delete from audit_seal where sequence > 4",
        f"delete from audit_event where id in ({event_ids[4]}, {event_ids[5]})",  # noqa: S608 - ours
    )
    (told,) = faults()
    assert told.startswith(f"The chain is broken at place 5: it ends after event {event_ids[3]}, and 2 events at the")
    superuser("truncate audit_seal, audit_event cascade")
    (told,) = faults()
    assert told.startswith("The chain is broken at place 1: it ends before its first event, and 6 events at the end")


def test_a_row_that_was_put_in_is_named(event_ids: list[int], superuser: Superuser, faults: Faults) -> None:
    superuser(
        "update audit_seal set sequence = sequence + 100 where sequence > 2",
        "update audit_seal set sequence = sequence - 99 where sequence > 100",
        "insert into audit_event (id, action, entity, happened_at) overriding system value "
        "values (999, 'put_in', 'scan', now())",
        f"insert into audit_seal (sequence, event_id, chain_hmac) values (3, 999, '{FORGED}')",  # noqa: S608 - ours
    )
    assert faults() == ("The chain is broken at place 3: event 999 or its seal was changed or put in.",)


def test_an_event_that_is_dated_back_and_left_to_the_sealer_is_named(
    event_ids: list[int], superuser: Superuser, faults: Faults, sealer_database: Database, settings: Settings
) -> None:
    ((forged_id,),) = superuser(
        "insert into audit_event (action, entity, happened_at) values ('put_in', 'scan', now() - interval '1 day') "
        "returning id"
    )
    seal_audit(sealer_database, settings)
    (told,) = faults()
    assert told.startswith(f"The chain is broken at place 7: event {forged_id} is dated")
    assert told.endswith("it was put in later.")


def forge(sealer_database: Database, superuser: Superuser, event_ids: list[int], key: bytes) -> str:
    """Change the second event and compute the whole chain anew with ``key``; returns the new head."""
    superuser(f"update audit_event set reason = 'forged' where id = {event_ids[1]}")  # noqa: S608 - ours
    with session_scope(sealer_database) as session, closing(sealed_events(session)) as chain:
        links = [(sealed.seal.sequence, dict(sealed.event or {})) for sealed in chain]
    link, statements = FIRST_LINK, []
    for sequence, event in links:
        link = chain_link(link, event, key)
        statements.append(f"update audit_seal set chain_hmac = '{link}' where sequence = {sequence}")  # noqa: S608 - ours
    superuser(*statements)
    return link


def test_a_chain_computed_anew_without_the_key_breaks_at_its_first_link(
    event_ids: list[int], superuser: Superuser, faults: Faults, sealer_database: Database
) -> None:
    forge(sealer_database, superuser, event_ids, b"guessed")
    assert faults() == (f"The chain is broken at place 1: event {event_ids[0]} or its seal was changed or put in.",)


def test_a_chain_computed_anew_with_the_stolen_key_is_found_by_the_first_anchored_head(
    event_ids: list[int], superuser: Superuser, faults: Faults, sealer_database: Database, settings: Settings
) -> None:
    forge(sealer_database, superuser, event_ids, audit_key(settings))
    (told,) = faults()
    assert told.startswith(f"The chain was computed anew: at 3 events (event {event_ids[2]}) the head that was written")


def test_with_key_and_anchor_replaced_a_head_from_a_report_or_backup_still_tells(
    event_ids: list[int], superuser: Superuser, faults: Faults, sealer_database: Database, settings: Settings
) -> None:
    in_a_report = read_heads(settings)[-1]
    head = forge(sealer_database, superuser, event_ids, audit_key(settings))
    anchor = settings.home / "audit.anchor"
    anchor.write_text(f'{{"chain_hmac": "{head}", "count": 6, "sealed_at": "{in_a_report.sealed_at}"}}\n')
    assert faults() == (), "what the anchor cannot tell"
    (told,) = verify_audit(sealer_database, settings, expected=[in_a_report]).faults
    assert told.startswith("The chain was computed anew: at 6 events")


@pytest.mark.parametrize("left", ["", '{"chain_hmac": "x", "count": 3, "sealed_at": "2026-03-02T00:00:00+00:00"}\n'])
def test_an_anchor_that_was_replaced_or_cut_is_named(
    event_ids: list[int], faults: Faults, settings: Settings, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.usecases.verify_audit._ANCHOR_LAG_S", 0.0)
    (settings.home / "audit.anchor").write_text(left)
    (told,) = faults()
    assert told.startswith("The anchor knows 0 of 6" if not left else "The chain was computed anew: at 3 events")


def test_another_key_fits_no_link(event_ids: list[int], faults: Faults, settings: Settings) -> None:
    (settings.home / "audit.key").write_text(f"{FORGED}\n")
    assert faults() == (f"The chain is broken at place 1: event {event_ids[0]} or its seal was changed or put in.",)


@pytest.mark.parametrize(
    "statement", ["update audit_event set reason = 'x'", "delete from audit_event", "truncate audit_event"]
)
def test_no_role_of_the_program_changes_or_removes_events(  # noqa: PLR0917 - fixtures
    settings: Settings, event_ids: list[int], statement: str, owner_database: Database, dashboard_database: Database,
    worker_database: Database, sealer_database: Database,
) -> None:  # fmt: skip
    for database in (dashboard_database, worker_database, sealer_database):
        with pytest.raises(NotAllowedError, match="permission denied"):
            run_as(database, statement)
    with pytest.raises(NotAllowedError, match=r"only ever added to|truncate a table referenced"):
        run_as(owner_database, f"{statement} cascade" if "truncate" in statement else statement)


def run_as(database: Database, statement: str) -> None:
    with session_scope(database) as session:
        session.execute(text(statement))


def test_what_a_check_found_is_kept_for_the_page(
    event_ids: list[int], superuser: Superuser, sealer_database: Database, settings: Settings
) -> None:
    check_audit(sealer_database, settings)
    superuser(f"delete from audit_event where id = {event_ids[3]}")  # noqa: S608 - ours
    found = check_audit(sealer_database, settings)
    with session_scope(sealer_database) as session:
        kept = read_last_check(session)
    assert kept is not None
    assert kept.faults == found.faults == (f"The chain is broken at place 4: event {event_ids[3]} was removed.",)
    assert kept.n_sealed == 3, "what stands before the fault"


def test_a_head_is_read_from_a_report_as_it_is_written() -> None:
    assert AuditHead.of_words(AuditHead(1234, FORGED, "2026-03-02").in_words()) == AuditHead(1234, FORGED, "")
    for words in ("", "1234", f"x:{FORGED}", "12:ab"):
        with pytest.raises(UsageError, match="no head of the chain"):
            AuditHead.of_words(words)
