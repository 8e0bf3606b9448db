"""A worker is ill when it is silent while scans wait, and well when there is nothing to do."""

import os
import subprocess
import sys
from datetime import timedelta

from lane import GRADABLE
from worker_process import Site, environment_of

from core.clock import now
from worker.health import KEEPER_SILENCE, allowed_silence, keeper_fault, worker_fault
from worker.heartbeat import Heartbeat


def silence(heartbeat: Heartbeat, length: timedelta) -> None:
    heartbeat.beat()
    moment = (now() - length).timestamp()
    os.utime(heartbeat.path, (moment, moment))


def test_a_silent_worker_is_well_while_nothing_waits(site: Site) -> None:
    assert worker_fault(site.settings, site.worker) is None


def test_a_worker_that_never_showed_itself_is_ill_once_scans_wait(site: Site) -> None:
    site.put(GRADABLE, GRADABLE)
    assert worker_fault(site.settings, site.worker) == "2 scans wait and the worker has never given a sign of life."


def test_a_worker_is_well_as_long_as_it_shows_itself(site: Site) -> None:
    site.put(GRADABLE)
    heartbeat = Heartbeat.of_worker(site.settings)
    heartbeat.beat()
    assert worker_fault(site.settings, site.worker) is None
    silence(heartbeat, allowed_silence(site.settings) + timedelta(seconds=1))
    assert "1 scans wait and the worker has been silent for" in (worker_fault(site.settings, site.worker) or "")


def test_a_keeper_must_show_itself_whatever_there_is_to_do(site: Site) -> None:
    assert keeper_fault(site.settings) is not None
    heartbeat = Heartbeat.of_keeper(site.settings)
    heartbeat.beat()
    assert keeper_fault(site.settings) is None
    silence(heartbeat, KEEPER_SILENCE + timedelta(seconds=1))
    assert keeper_fault(site.settings) is not None


def test_the_check_is_a_program_whose_exit_code_tells(site: Site) -> None:
    def check(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "worker.health", *arguments]
        return subprocess.run(
            command, env=environment_of(site.settings), capture_output=True, text=True, check=False, cwd="/"
        )

    assert check().returncode == 0
    keeper = check("keeper")
    assert keeper.returncode == 1
    assert keeper.stderr == "The keeper has never given a sign of life.\n"
