"""`octaudit up` for real: everything comes up, comes back when it dies, and nothing is left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

START_S = 120
STOP_S = 90


class Up:
    """A running `octaudit up` on a home of its own."""

    def __init__(self, home: Path) -> None:
        self.said: list[str] = []
        self._log = home / "up.out"
        environment = {**os.environ, "OCTAUDIT_HOME": str(home), "OCTAUDIT_WORKER_DEVICE": "cpu"}
        with self._log.open("w") as out:
            command = [sys.executable, "-m", "core.cli", "up", "--port", "18700"]
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        self.family: list[psutil.Process] = []

    def wait_until_ready(self) -> "Up":
        assert until(lambda: "Ctrl-C stops everything" in self.text() or self.process.poll() is not None, START_S)
        assert self.process.poll() is None, self.text()
        self.note_family()
        return self

    def note_family(self) -> None:
        known = {child.pid for child in self.family}
        now = psutil.Process(self.process.pid).children(recursive=True)
        self.family += [child for child in now if child.pid not in known]

    def text(self) -> str:
        return self._log.read_text()

    def url(self) -> str:
        return re.findall(r"http://\S+", self.text())[-1]

    def one(self, words: str) -> psutil.Process:
        """The child whose command line holds ``words``, the outermost where it forked."""
        self.note_family()
        found = [child for child in self.family if is_alive(child) and words in " ".join(child.cmdline())]
        assert found, f"no {words} among {[child.cmdline() for child in self.family if is_alive(child)]}"
        return found[0]

    def survivors(self) -> list[int]:
        return [child.pid for child in self.family if is_alive(child)]

    def end(self) -> None:
        if self.process.poll() is None:
            self.note_family()
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


def until(condition: Callable[[], bool], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310 - our own http address
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def home() -> Iterator[Path]:
    # Not below pytest's own folder: as root that is closed to the account that PostgreSQL runs under.
    home = Path(tempfile.mkdtemp(prefix="octaudit-up-", dir=tempfile.gettempdir()))
    home.chmod(0o711)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def start(home: Path) -> Iterator[Callable[[], Up]]:
    started: list[Up] = []

    def start() -> Up:
        started.append(Up(home))
        return started[-1]

    yield start
    for up in started:
        up.end()


def test_everything_comes_up_and_ctrl_c_leaves_nothing(start: Callable[[], Up], home: Path):
    up = start().wait_until_ready()
    assert is_healthy(up.url())
    assert re.search(r"First login: admin   password: \S+", up.text())
    for words in ("postgres", "redis-server", "worker", "worker.keeper", "dashboard.server"):
        up.one(words)

    second = start()
    assert second.process.wait(30) == 1
    assert f"octaudit already runs in {home}" in up.text() + second.text()

    up.note_family()
    os.kill(up.process.pid, signal.SIGINT)
    assert up.process.wait(STOP_S) == 0
    assert up.survivors() == []
    assert {path.name for path in (home / "logs").iterdir()} >= {"worker.log", "keeper.log", "dashboard.log"}


@pytest.mark.slow
def test_kill_9_leaves_nothing_and_the_next_start_makes_no_second_login(start: Callable[[], Up]):
    up = start().wait_until_ready()
    up.process.kill()
    up.process.wait()
    assert until(lambda: up.survivors() == [], STOP_S), up.survivors()

    again = start().wait_until_ready()
    assert is_healthy(again.url())
    assert "First login" not in again.text()


def test_what_dies_comes_back(start: Callable[[], Up]):
    up = start().wait_until_ready()

    former = up.one("worker.keeper")
    former.kill()
    assert until(lambda: "The keeper stopped" in up.text(), 10)
    assert until(
        lambda: any("worker.keeper" in " ".join(c.cmdline()) for c in psutil.Process(up.process.pid).children()), 20
    )

    up.one("postgres").kill()  # the whole database server, as the kernel does when memory runs out
    assert until(lambda: "PostgreSQL stopped by itself" in up.text(), 20)
    assert until(lambda: up.text().count("octaudit is running at") == 2, START_S), up.text()
    assert is_healthy(up.url())
