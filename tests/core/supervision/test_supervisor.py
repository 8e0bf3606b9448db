"""Programs are kept running and leave nothing behind: real processes, small ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from core.errors import ServerError
from core.supervision import supervisor as supervisor_module
from core.supervision.child import Program
from core.supervision.supervisor import Supervisor

SLEEPER = "import time; print('ready', flush=True); time.sleep(60)"
FAMILY = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


def program(name: str, script: str, *, grace_s: float = 5) -> Program:
    return Program(name, (sys.executable, "-c", script), grace=timedelta(seconds=grace_s))


def until(condition: Callable[[], bool], *, within_s: float = 10) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "logs", announce=said.append)
    yield supervisor
    supervisor.stop()


def test_a_childs_output_is_kept_with_time_and_name(supervisor: Supervisor, tmp_path: Path):
    child = supervisor.start(program("talker", "print('a scan was scored')"))
    assert until(lambda: child.exit_code is not None)
    supervisor.stop()
    line = (tmp_path / "logs" / "talker.log").read_text(encoding="utf-8")
    assert "talker | a scan was scored" in line


def test_a_child_that_dies_is_started_again(supervisor: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE_S", 0.1)
    first = supervisor.start(program("worker", SLEEPER))
    os.kill(first.pid, signal.SIGKILL)
    place = supervisor._places[0]
    assert until(lambda: (supervisor.tend(), place.child.pid != first.pid)[1])
    assert place.child.exit_code is None
    assert any("started again" in sentence for sentence in said)


def test_the_pause_before_a_restart_doubles_and_is_bounded(supervisor: Supervisor, said: list[str]):
    supervisor.start(program("broken", "raise SystemExit(3)"))
    place = supervisor._places[0]
    assert until(lambda: place.child.exit_code is not None)
    pauses = []
    for _ in range(8):
        moment = time.monotonic()
        supervisor._note_death(place, moment)
        pauses.append(round(place.restart_at_s - moment))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert "exit 3" in said[0]


def test_stopping_ends_the_last_started_first(supervisor: Supervisor, tmp_path: Path):
    order = tmp_path / "order"
    script = (
        "import signal, sys, time\n"
        "def stop(*_):\n    open({order!r}, 'a').write({name!r}); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop); print('ready', flush=True); time.sleep(60)"
    )
    for name in "abc":
        supervisor.start(program(name, script.format(order=str(order), name=name)))
    logs = tmp_path / "logs"
    assert until(
        lambda: all(
            (logs / f"{name}.log").is_file() and "ready" in (logs / f"{name}.log").read_text() for name in "abc"
        )
    )
    supervisor.stop()
    assert order.read_text() == "cba"


def test_a_child_that_will_not_stop_is_killed_and_named(supervisor: Supervisor, tmp_path: Path, said: list[str]):
    child = supervisor.start(program("stubborn", STUBBORN, grace_s=0.2))
    log = tmp_path / "logs" / "stubborn.log"
    assert until(lambda: log.is_file() and "ready" in log.read_text())
    supervisor.stop()
    assert is_gone(child.pid)
    assert said == ["The stubborn did not stop in time and was killed."]


def test_a_childs_own_children_do_not_outlive_it(supervisor: Supervisor):
    child = supervisor.start(program("family", FAMILY))
    assert until(lambda: len(psutil.Process(child.pid).children()) == 1)
    grandchild = psutil.Process(child.pid).children()[0].pid
    supervisor.stop()
    assert until(lambda: is_gone(grandchild))


def test_a_program_that_fails_as_it_starts_is_an_error_that_names_its_log(supervisor: Supervisor):
    supervisor.start(program("dashboard", "raise SystemExit(7)"))
    with pytest.raises(ServerError, match=r"dashboard stopped as it started \(exit 7\).*dashboard.log"):
        supervisor.wait_until_ready("dashboard", lambda: False, within=timedelta(seconds=10))


def test_a_program_that_is_never_ready_is_an_error(supervisor: Supervisor):
    supervisor.start(program("dashboard", SLEEPER))
    with pytest.raises(ServerError, match="not ready within"):
        supervisor.wait_until_ready("dashboard", lambda: False, within=timedelta(seconds=0.3))


OWNER = """
import sys, time
from pathlib import Path
from core.supervision.child import Program
from core.supervision.supervisor import Supervisor
supervisor = Supervisor(Path(sys.argv[1]), announce=print)
child = supervisor.start(Program("sleeper", (sys.executable, "-c", "import time; time.sleep(60)")))
print(child.pid, flush=True)
time.sleep(60)
"""


def test_no_child_outlives_an_owner_that_was_killed(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        child = int(owner.stdout.readline())
        assert psutil.pid_exists(child)
        owner.kill()
    assert until(lambda: is_gone(child))


def test_a_command_whose_parent_is_already_gone_never_starts(tmp_path: Path):
    mark = tmp_path / "started"
    command = [sys.executable, "-m", "core.supervision.tether", "1", str(int(signal.SIGTERM)), "touch", str(mark)]
    done = subprocess.run(command, check=False)
    assert done.returncode == 1
    assert not mark.exists()
