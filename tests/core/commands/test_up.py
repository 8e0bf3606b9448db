"""`octaudit up` for real: everything comes up, comes back when it dies, and nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from databases import server_folder

START_S = 120
STOP_S = 90


class Up:
    """A running `octaudit up` on a home of its own."""

    def __init__(self, home: Path, *, port: int, log: str = "up.out") -> None:
        self.home = home
        self._log = home / log
        environment = {**os.environ, "OCTAUDIT_HOME": str(home), "OCTAUDIT_WORKER_DEVICE": "cpu"}
        with self._log.open("w") as out:
            command = [sys.executable, "-m", "core.cli", "up", "--port", str(port)]
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
def started() -> Iterator[Callable[[], Up]]:
    """Starts `octaudit up`, again and again on one home; what still runs is ended after the test."""
    with server_folder("octaudit-up-") as home, ExitStack() as stack:

        def start() -> Up:
            up = Up(home, port=18710)
            stack.callback(up.end)
            return up

        yield start


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """One running installation for the tests below, in their order: the last of them stops it."""
    with server_folder("octaudit-up-") as home, ExitStack() as stack:
        running = Up(home, port=18700)
        stack.callback(running.end)
        yield running.wait_until_ready()


def test_everything_comes_up_with_a_first_login_and_a_second_one_is_refused(up: Up):
    assert is_healthy(up.url())
    assert re.search(r"First login: admin   password: \S+", up.text())
    for words in ("postgres", "redis-server", "worker", "worker.keeper", "dashboard.server"):
        up.one(words)
    second = Up(up.home, port=18700, log="second.out")
    try:
        assert second.process.wait(30) == 1
        assert f"octaudit already runs in {up.home}" in second.text()
    finally:
        second.end()


def test_what_dies_comes_back(up: Up):
    up.one("worker.keeper").kill()
    assert until(lambda: "The keeper stopped" in up.text(), 10)
    assert until(
        lambda: any("worker.keeper" in " ".join(c.cmdline()) for c in psutil.Process(up.process.pid).children()), 20
    )

    up.one("postgres").kill()  # the whole database server, as the kernel does when memory runs out
    assert until(lambda: "PostgreSQL stopped by itself" in up.text(), 20)
    assert until(lambda: up.text().count("octaudit is running at") == 2, START_S), up.text()
    assert is_healthy(up.url())


def test_ctrl_c_leaves_nothing(up: Up):
    up.note_family()
    os.kill(up.process.pid, signal.SIGINT)
    assert up.process.wait(STOP_S) == 0
    assert up.survivors() == []
    assert {path.name for path in (up.home / "logs").iterdir()} >= {"worker.log", "keeper.log", "dashboard.log"}


@pytest.mark.slow
def test_kill_9_leaves_nothing_and_the_next_start_makes_no_second_login(started: Callable[[], Up]):
    up = started().wait_until_ready()
    up.process.kill()
    up.process.wait()
    assert until(lambda: up.survivors() == [], STOP_S), up.survivors()

    again = started().wait_until_ready()
    assert is_healthy(again.url())
    assert "First login" not in again.text()
