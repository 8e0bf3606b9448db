"""The audit chain: everything settled is sealed once and in order, with its head written down outside the database."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database.session import Database, session_scope
from core.errors import ServerError, SettingsError
from core.settings import Settings
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.store.audit_anchor import AuditHead, append_head, last_head, read_heads
from core.store.audit_seal import Seal
from core.usecases.seal_audit import FIRST_LINK, chain_link, seal_audit
from core.usecases.verify_audit import verify_audit

Trail = Callable[[int], None]


@pytest.fixture
def record(worker_database: Database) -> Trail:
    def write(n: int) -> None:
        for number in range(n):
            with session_scope(worker_database) as session:
                record_event(
                    session,
                    actor=PROGRAM,
                    action="test",
                    entity="scan",
                    entity_id=number,
                    before={"grade": 0.1, "name": "Zoë"},
                    after={"grade": None},
                    reason="why",
                )

    return write


def tamper(owner_database: Database, *statements: str) -> None:
    """What somebody with the owner's rights could do: switch the guard off, change, switch it on again."""
    with session_scope(owner_database) as session:
        for table in ("audit_event", "audit_seal"):
            session.execute(text(f"alter table {table} disable trigger stays_as_written"))
        for statement in statements:
            session.execute(text(statement))
        for table in ("audit_event", "audit_seal"):
            session.execute(text(f"alter table {table} enable trigger stays_as_written"))


def test_events_are_sealed_once_and_verify(record: Trail, sealer_database: Database, settings: Settings) -> None:
    record(3)
    assert seal_audit(sealer_database, settings) == 3
    assert seal_audit(sealer_database, settings) == 0
    record(2)
    assert seal_audit(sealer_database, settings) == 2
    check = verify_audit(sealer_database, settings)
    assert (check.n_sealed, check.n_anchored, check.faults) == (5, 5, ())
    assert [head.count for head in read_heads(settings)] == [3, 5]


def test_an_empty_trail_verifies(sealer_database: Database, settings: Settings) -> None:
    assert seal_audit(sealer_database, settings) == 0
    assert verify_audit(sealer_database, settings).faults == ()
    assert last_head(settings) is None


def test_an_event_is_not_sealed_while_an_older_transaction_is_open(
    record: Trail, worker_database: Database, sealer_database: Database, settings: Settings
) -> None:
    with session_scope(worker_database) as slow:
        record_event(slow, actor=PROGRAM, action="slow", entity="scan", entity_id=1)
        record(1)
        assert seal_audit(sealer_database, settings) == 0
    assert seal_audit(sealer_database, settings) == 2
    with session_scope(sealer_database) as session:
        order = session.scalars(
            text("select action from audit_seal s join audit_event e on e.id = s.event_id order by sequence")
        )
        assert order.all() == ["slow", "test"]


def test_events_restored_from_another_cluster_are_sealed_too(
    record: Trail, owner_database: Database, sealer_database: Database, settings: Settings
) -> None:
    record(2)
    tamper(owner_database, "update audit_event set transaction_id = '9000000000000000'")
    assert seal_audit(sealer_database, settings) == 2
    assert verify_audit(sealer_database, settings).faults == ()


def test_two_sealers_at_once_make_one_chain(record: Trail, sealer_database: Database, settings: Settings) -> None:
    record(60)
    sealed: list[int] = []
    threads = [threading.Thread(target=lambda: sealed.append(seal_audit(sealer_database, settings))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sealed) == 60
    assert verify_audit(sealer_database, settings).faults == ()


def test_nothing_is_sealed_over_a_shortened_chain(
    record: Trail, owner_database: Database, sealer_database: Database, settings: Settings
) -> None:
    record(3)
    seal_audit(sealer_database, settings)
    tamper(owner_database, "delete from audit_seal where sequence = 3", "delete from audit_event where entity_id = 2")
    record(1)
    with pytest.raises(ServerError, match="holds 2 events, but 3 were sealed"):
        seal_audit(sealer_database, settings)


def test_an_event_that_waits_more_than_a_minute_is_reported(
    record: Trail, owner_database: Database, sealer_database: Database, settings: Settings
) -> None:
    record(2)
    assert verify_audit(sealer_database, settings).faults == ()
    tamper(owner_database, "update audit_event set happened_at = now() - interval '2 minutes' where entity_id = 0")
    assert "1 events have waited more than a minute" in verify_audit(sealer_database, settings).faults[0]


def test_a_head_that_a_crash_kept_from_the_anchor_is_written_by_the_next_run(
    record: Trail, sealer_database: Database, settings: Settings
) -> None:
    record(2)
    seal_audit(sealer_database, settings)
    anchor = settings.home / "audit.anchor"
    anchor.write_text("")
    seal_audit(sealer_database, settings)
    assert [head.count for head in read_heads(settings)] == [2]


def test_a_line_cut_short_by_a_crash_spoils_neither_the_next_nor_the_reading(settings: Settings) -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC).isoformat()
    append_head(settings, AuditHead(1, "a" * 64, at))
    with (settings.home / "audit.anchor").open("a") as file:
        file.write('{"chain_hmac": "bb')
    assert last_head(settings) == AuditHead(1, "a" * 64, at)
    append_head(settings, AuditHead(3, "c" * 64, at))
    assert [head.count for head in read_heads(settings)] == [1, 3]


def test_the_newest_head_is_found_in_a_long_anchor(settings: Settings) -> None:
    for count in range(1, 200):
        append_head(settings, AuditHead(count, f"{count:064d}", "2026-03-02T00:00:00+00:00"))
    assert last_head(settings) == read_heads(settings)[-1]


def test_the_key_and_the_anchor_are_readable_by_their_owner_alone(
    record: Trail, sealer_database: Database, settings: Settings
) -> None:
    record(1)
    seal_audit(sealer_database, settings)
    for name in ("audit.key", "audit.anchor"):
        assert (settings.home / name).stat().st_mode & 0o777 == 0o600
    (settings.home / "audit.key").chmod(0o644)
    with pytest.raises(SettingsError, match="Others may read the audit key"):
        seal_audit(sealer_database, settings)


def test_a_lost_key_is_not_silently_replaced(record: Trail, sealer_database: Database, settings: Settings) -> None:
    record(1)
    seal_audit(sealer_database, settings)
    (settings.home / "audit.key").unlink()
    with pytest.raises(SettingsError, match="is missing, but events were sealed with it"):
        seal_audit(sealer_database, settings)


def test_the_anchor_and_key_can_lie_elsewhere(
    record: Trail, sealer_database: Database, settings: Settings, tmp_path: Path
) -> None:
    places = {"audit_key_file": tmp_path / "vault" / "key", "audit_anchor_file": tmp_path / "worm" / "anchor"}
    elsewhere = settings.model_copy(update=places)
    record(1)
    seal_audit(sealer_database, elsewhere)
    assert json.loads(places["audit_anchor_file"].read_text())["count"] == 1
    assert verify_audit(sealer_database, elsewhere).faults == ()


def test_a_link_depends_on_the_event_the_link_before_and_the_key() -> None:
    event = {"id": 1, "reason": "a", "happened_at": datetime(2026, 3, 2, tzinfo=UTC)}
    links = {
        chain_link(FIRST_LINK, event, b"k"),
        chain_link("1" * 64, event, b"k"),
        chain_link(FIRST_LINK, event | {"reason": "b"}, b"k"),
        chain_link(FIRST_LINK, event, b"l"),
    }
    assert len(links) == 4
    assert Seal(1, 1, FIRST_LINK).chain_hmac == FIRST_LINK
