"""`octaudit rates` says whether the counts are right, and makes them so."""

from collections.abc import Callable

from builders import make_scan, make_site
from click.testing import Result
from sqlalchemy import update

from core.database.session import Database, session_scope
from core.database.tables import Acquisition, RateDelta
from core.store.rate import recount_slots


def test_rates_verify_finds_a_wrong_count_and_rebuild_cures_it(
    octaudit: Callable[..., Result], owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        scan = make_scan(session, make_site(session))
        recount_slots(session, [session.get_one(Acquisition, scan.acquisition_id).expected_scan_id])
        session.execute(update(RateDelta).values(n=7))
    wrong = octaudit("rates", "verify")
    assert wrong.exit_code == 1
    assert "octaudit rates rebuild" in wrong.stderr
    assert "received" in wrong.stderr
    assert octaudit("rates", "rebuild").exit_code == 0
    right = octaudit("rates", "verify")
    assert (right.exit_code, right.stdout) == (0, "Every count agrees with the raw rows.\n")
