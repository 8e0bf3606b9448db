"""`octaudit rates` says whether the counts are right, and makes them so."""

import os
import subprocess
import sys

from builders import make_scan, make_site
from sqlalchemy import update
from worker_process import ROOT, environment_of

from core.database.session import Database, session_scope
from core.database.tables import Acquisition, RateDelta
from core.settings import Settings
from core.store.rate import recount_slots


def run_rates(settings: Settings, what: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "core.cli", "rates", what]
    environment = {**os.environ, **environment_of(settings)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)


def test_rates_verify_finds_a_wrong_count_and_rebuild_cures_it(owner_database: Database, settings: Settings) -> None:
    with session_scope(owner_database) as session:
        scan = make_scan(session, make_site(session))
        recount_slots(session, [session.get_one(Acquisition, scan.acquisition_id).expected_scan_id])
        session.execute(update(RateDelta).values(n=7))
    wrong = run_rates(settings, "verify")
    assert wrong.returncode == 1
    assert "octaudit rates rebuild" in wrong.stderr
    assert "received" in wrong.stderr
    assert run_rates(settings, "rebuild").returncode == 0
    right = run_rates(settings, "verify")
    assert (right.returncode, right.stdout) == (0, "Every count agrees with the raw rows.\n")
