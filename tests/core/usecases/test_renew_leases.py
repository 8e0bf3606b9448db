"""A running batch keeps its scans for as long as it takes; one that hangs loses them."""

import time
from datetime import timedelta

from builders import make_scan
from sqlalchemy import func, select

from core.database.session import Database, session_scope
from core.database.tables import Scan
from core.settings import Settings
from core.store.queue import Claim, claim_scans
from core.usecases.renew_leases import LeaseRenewal
from core.vocabulary import ScanKind

LEASE = timedelta(seconds=0.6)


def claim_one(owner: Database, worker: Database) -> Claim:
    with session_scope(owner) as session:
        make_scan(session)
    with session_scope(worker) as session:
        return claim_scans(session, lane=ScanKind.OCTA_ENFACE, limit=1, lease=LEASE)


def is_expired(database: Database) -> bool:
    with session_scope(database) as session:
        return session.scalars(select(Scan.lease_expires_at < func.clock_timestamp())).one()


def wait_until_expired(database: Database) -> None:
    deadline = time.monotonic() + 20
    while not is_expired(database):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_held_claim_outlives_its_lease_and_a_dropped_one_does_not(
    owner_database: Database, worker_database: Database, settings: Settings
) -> None:
    claim = claim_one(owner_database, worker_database)
    patient = settings.model_copy(update={"worker_lease": LEASE})
    with LeaseRenewal(worker_database, patient) as leases:
        leases.hold(claim)
        with session_scope(owner_database) as session:
            first_end = session.scalars(select(Scan.lease_expires_at)).one()
        time.sleep(2 * LEASE.total_seconds())
        with session_scope(owner_database) as session:
            assert session.scalars(select(Scan.lease_expires_at)).one() > first_end
        leases.drop(claim)
        wait_until_expired(owner_database)


def test_a_claim_that_is_held_for_too_long_is_renewed_no_more(
    owner_database: Database, worker_database: Database, settings: Settings
) -> None:
    claim = claim_one(owner_database, worker_database)
    strict = settings.model_copy(update={"worker_lease": LEASE, "worker_batch_timeout": timedelta(0)})
    with LeaseRenewal(worker_database, strict) as leases:
        leases.hold(claim)
        wait_until_expired(owner_database)
