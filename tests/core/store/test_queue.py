"""The scan table as a queue: claims exclude each other, leases end, third losses are quarantined, suspects come alone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from builders import make_scan, make_site
from sqlalchemy import func, select, update

from core.database.session import Database, session_scope
from core.database.tables import Scan
from core.store.queue import (
    Claim,
    claim_scans,
    lock_held_scans,
    record_failure,
    release_claim,
    renew_leases,
    requeue,
    return_expired_leases,
    waiting_lanes,
)
from core.vocabulary import ScanKind, ScanState

LEASE = timedelta(minutes=2)


def queue(database: Database, n: int, **changes: object) -> list[int]:
    with session_scope(database) as session:
        site = make_site(session)
        return [make_scan(session, site, **changes).id for _ in range(n)]


def claim(database: Database, limit: int = 16, *, is_fresh_only: bool = False) -> Claim:
    with session_scope(database) as session:
        return claim_scans(session, lane=ScanKind.OCTA_ENFACE, limit=limit, lease=LEASE, is_fresh_only=is_fresh_only)


def let_leases_end(database: Database) -> None:
    with session_scope(database) as session:
        session.execute(update(Scan).values(lease_expires_at=func.now() - timedelta(seconds=1)))


def give_up_expired(database: Database, max_losses: int = 3) -> tuple[int, int]:
    with session_scope(database) as session:
        returned = return_expired_leases(session, max_losses=max_losses)
    return len(returned.put_back), len(returned.quarantined)


def test_scans_are_claimed_oldest_first_up_to_the_limit(owner_database: Database, worker_database: Database) -> None:
    ids = queue(owner_database, 5)
    assert claim(worker_database, 3).scan_ids == tuple(ids[:3])
    assert claim(worker_database, 3).scan_ids == tuple(ids[3:])
    assert not claim(worker_database, 3)


def test_no_scan_is_claimed_twice_by_workers_at_once(owner_database: Database, worker_database: Database) -> None:
    ids = queue(owner_database, 60)
    with ThreadPoolExecutor(4) as workers:
        claims = list(workers.map(lambda _: claim(worker_database, 5), range(16)))
    claimed = [scan_id for each in claims for scan_id in each.scan_ids]
    assert sorted(claimed) == ids


def test_a_scan_with_an_attempt_behind_it_is_claimed_alone(owner_database: Database, worker_database: Database) -> None:
    suspect = queue(owner_database, 1, attempts=1)
    fresh = queue(owner_database, 3)
    first, second = claim(worker_database), claim(worker_database)
    assert (first.scan_ids, first.is_suspect) == (tuple(suspect), True)
    assert (second.scan_ids, second.is_suspect) == (tuple(fresh), False)


def test_claiming_ahead_leaves_suspects_for_later(owner_database: Database, worker_database: Database) -> None:
    queue(owner_database, 1, attempts=1)
    (fresh,) = queue(owner_database, 1)
    assert claim(worker_database, is_fresh_only=True).scan_ids == (fresh,)
    assert not claim(worker_database, is_fresh_only=True)


def test_a_scan_in_its_pause_is_not_claimed(owner_database: Database, worker_database: Database) -> None:
    (scan_id,) = queue(owner_database, 1)
    with session_scope(owner_database) as session:
        session.execute(update(Scan).values(not_before_at=func.now() + timedelta(minutes=1)))
    assert not claim(worker_database)
    with session_scope(owner_database) as session:
        session.execute(update(Scan).values(not_before_at=func.now() - timedelta(minutes=1)))
    assert claim(worker_database).scan_ids == (scan_id,)


def test_an_expired_lease_puts_the_scan_back_and_the_old_claim_holds_nothing(
    owner_database: Database, worker_database: Database
) -> None:
    (scan_id,) = queue(owner_database, 1)
    lost = claim(worker_database)
    assert give_up_expired(worker_database) == (0, 0)
    let_leases_end(owner_database)
    assert give_up_expired(worker_database) == (1, 0)
    again = claim(worker_database)
    assert again.scan_ids == (scan_id,)
    with session_scope(worker_database) as session:
        assert lock_held_scans(session, lost) == frozenset()
        assert lock_held_scans(session, again) == {scan_id}


def test_the_third_loss_quarantines_that_scan_alone(owner_database: Database, worker_database: Database) -> None:
    queue(owner_database, 3)
    with session_scope(owner_database) as session:
        first = session.scalar(select(func.min(Scan.id)))
        session.execute(update(Scan).where(Scan.id == first).values(attempts=2, worker_losses=2))
    claim(worker_database), claim(worker_database)
    let_leases_end(owner_database)
    assert give_up_expired(worker_database) == (2, 1)
    with session_scope(owner_database) as session:
        quarantined = session.scalars(select(Scan).where(Scan.state == ScanState.QUARANTINED)).one()
    assert quarantined.id == first
    assert "3 times" in (quarantined.failure or "")


def test_a_renewed_lease_does_not_end(owner_database: Database, worker_database: Database) -> None:
    queue(owner_database, 2)
    held = claim(worker_database)
    let_leases_end(owner_database)
    with session_scope(worker_database) as session:
        assert renew_leases(session, tokens=[held.token], lease=LEASE) == 2
    assert give_up_expired(worker_database) == (0, 0)


def test_a_claim_given_back_costs_no_attempt(owner_database: Database, worker_database: Database) -> None:
    queue(owner_database, 2)
    held = claim(worker_database)
    with session_scope(worker_database) as session:
        release_claim(session, held)
    again = claim(worker_database)
    assert again.scan_ids == held.scan_ids
    assert not again.is_suspect


@pytest.mark.parametrize("state", [ScanState.FAILED, ScanState.QUARANTINED])
def test_a_scan_queued_again_starts_from_a_clean_count(
    owner_database: Database, worker_database: Database, state: ScanState
) -> None:
    (scan_id,) = queue(owner_database, 1, state=state.value, attempts=3, worker_losses=3, failure="why")
    with session_scope(owner_database) as session:
        assert requeue(session, [scan_id]) == {scan_id: ScanKind.OCTA_ENFACE}
        assert requeue(session, [scan_id]) == {}
    assert not claim(worker_database).is_suspect
    let_leases_end(owner_database)
    assert give_up_expired(worker_database) == (1, 0)


def fail(database: Database, held: Claim, *, max_failures: int = 3) -> ScanState | None:
    with session_scope(database) as session:
        (scan_id,) = held.scan_ids
        return record_failure(session, held, scan_id, message="why", is_transient=True, max_failures=max_failures)


def end_pauses(database: Database) -> None:
    with session_scope(database) as session:
        session.execute(update(Scan).values(not_before_at=None))


def test_soft_failures_never_quarantine_and_lost_workers_never_fail_a_scan(
    owner_database: Database, worker_database: Database
) -> None:
    queue(owner_database, 1)
    for lose in (False, True, False, True):
        held = claim(worker_database)
        if lose:
            let_leases_end(owner_database)
            assert give_up_expired(worker_database) == (1, 0)
        else:
            assert fail(worker_database, held) == ScanState.QUEUED
            end_pauses(owner_database)
    assert fail(worker_database, claim(worker_database)) == ScanState.FAILED  # the third soft failure, fifth attempt


def test_the_third_lost_worker_quarantines_a_scan_that_also_failed_softly(
    owner_database: Database, worker_database: Database
) -> None:
    queue(owner_database, 1)
    assert fail(worker_database, claim(worker_database)) == ScanState.QUEUED
    end_pauses(owner_database)
    for expected in ((1, 0), (1, 0), (0, 1)):
        claim(worker_database)
        let_leases_end(owner_database)
        assert give_up_expired(worker_database) == expected


def test_the_pause_after_a_soft_failure_grows_with_these_alone(
    owner_database: Database, worker_database: Database
) -> None:
    queue(owner_database, 1, attempts=2, worker_losses=2)
    pauses = []
    for _ in range(3):
        assert fail(worker_database, claim(worker_database), max_failures=9) == ScanState.QUEUED
        with session_scope(owner_database) as session:
            pauses.append(session.scalar(select(func.extract("epoch", Scan.not_before_at - func.now()))))
        end_pauses(owner_database)
    assert [round(float(pause)) for pause in pauses if pause is not None] == pytest.approx([30, 120, 480], abs=3)


def test_waiting_lanes_count_what_is_ready(owner_database: Database, worker_database: Database) -> None:
    queue(owner_database, 2)
    queue(owner_database, 1, state=ScanState.ACCEPTED.value)
    with session_scope(worker_database) as session:
        assert waiting_lanes(session) == {ScanKind.OCTA_ENFACE: 2}
