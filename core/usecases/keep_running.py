"""Run a whole installation on this machine: servers, schema, worker, keeper and dashboard, until asked to stop.

The parts that belong to other floors (the worker, the dashboard) are started as programs, never imported.
"""

import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.error import URLError

from core.database.embedded import RunningServers, is_owned, running_servers
from core.database.initialise import initialise_database
from core.database.migrate import upgrade
from core.errors import SettingsError
from core.settings import Settings
from core.supervision.child import Echo, Program
from core.supervision.errand import Errand
from core.supervision.port import next_free_port
from core.supervision.stop_request import StopRequest, StopRequestedError
from core.supervision.supervisor import Announce, Supervisor

DASHBOARD_READY_WITHIN = timedelta(minutes=5)
"""Streamlit, pandas and Altair load in 6 s on an idle core; with ten other programs at work 80 s were seen."""
WORKER_GRACE = timedelta(seconds=60)
"""A worker told to stop finishes its batch: 16 scans take 2 s on two cores."""
TEND_EVERY_S = 0.2
WAIT_S = 0.5


@dataclass(frozen=True)
class Reach:
    """Where the dashboard of a running installation answers."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port}"

    def is_healthy(self) -> bool:
        """Whether /healthz answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:  # noqa: S310 - our own http address
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
        except (URLError, OSError):
            return False


def worker_programs(settings: Settings) -> tuple[Program, ...]:
    """The scoring worker and the keeper."""
    environment = child_environment(settings)
    return (
        Program("worker", (sys.executable, "-m", "worker"), environment, grace=WORKER_GRACE),
        Program("keeper", (sys.executable, "-m", "worker.keeper"), {**environment, **_one_thread()}),
    )


def dashboard_program(settings: Settings, reach: Reach) -> Program:
    """The dashboard on the given address."""
    address = {"OCTAUDIT_DASHBOARD_HOST": reach.host, "OCTAUDIT_DASHBOARD_PORT": str(reach.port)}
    command = (sys.executable, "-m", "dashboard.server")
    return Program("dashboard", command, {**child_environment(settings), **_one_thread(), **address})


def _one_thread() -> dict[str, str]:
    """For programs whose matrices are small: threads of the linear algebra that wait on a busy core cost ten times."""
    return {name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def child_environment(settings: Settings) -> dict[str, str]:
    """What every child gets beside our own environment.

    The home is absolute whatever we were given; the working folder is kept off the import path, where a file called
    ``core.py`` would take our place.
    """
    return {
        "OCTAUDIT_HOME": str(settings.home.expanduser().absolute()),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def prepared_servers(settings: Settings) -> Iterator[RunningServers | None]:
    """Database and broker running and the schema up to date while the block runs; None where both are given.

    Raises
    ------
    SettingsError
        A database is given but no broker, or the other way round.
    """
    given = {"a database": settings.database_owner_url is not None, "a broker": settings.redis_url is not None}
    if len(set(given.values())) != 1:
        there, lacking = sorted(given, key=lambda name: not given[name])
        raise SettingsError(
            f"{there.capitalize()} is set, but not {lacking}.",
            remedy="Set the URLs of both, or of neither: then octaudit runs its own.",
        )
    with ExitStack() as stack:
        servers = None if any(given.values()) else stack.enter_context(running_servers(settings.home))
        initialise_database(settings)
        upgrade(settings)
        yield servers


@dataclass(frozen=True)
class Occasions:
    """What the caller wants done as an installation runs.

    Attributes
    ----------
    when_ready : callable
        Called with the address once the dashboard answers.
    errand : command line, optional
        Run once after that, with our own terminal.
    when_errand_done : callable
        Called with the address and the errand's exit code.
    """

    when_ready: Callable[[Reach], None]
    errand: tuple[str, ...] | None = None
    when_errand_done: Callable[[Reach, int], None] = lambda _reach, _code: None


def keep_running(settings: Settings, occasions: Occasions, *, announce: Announce, echo: Echo | None = None) -> None:
    """Start everything and keep every program running until a stop is asked for (Ctrl-C, TERM, a closed terminal).

    A program that dies is started again alone; where a server dies, everything that stands on it is.
    """
    with StopRequest() as stop:
        dead = _run(settings, occasions, stop, announce=announce, echo=echo)
        while dead is not None and not stop.is_made:
            dead = _run(settings, replace(occasions, errand=None), stop, announce=announce, echo=echo)


def _run(
    settings: Settings, occasions: Occasions, stop: StopRequest, *, announce: Announce, echo: Echo | None
) -> str | None:
    """One start to one stop of everything; the name of the server that died, or None where a stop was asked for."""
    dead = None
    with ExitStack() as stack, suppress(StopRequestedError):
        servers = stack.enter_context(prepared_servers(settings))
        supervisor = stack.enter_context(supervised(settings, announce=announce, echo=echo))
        reach = _start(supervisor, settings, stop)
        occasions.when_ready(reach)
        errand = _begin_errand(settings, occasions, stack)
        while dead is None and not stop.is_made:
            supervisor.tend()
            if errand is not None and errand.exit_code is not None:
                occasions.when_errand_done(reach, errand.exit_code)
                errand = None
            time.sleep(TEND_EVERY_S)
            dead = servers.first_dead() if servers is not None else None
        # Said before the programs are stopped: without their server that may take them their whole grace.
        announce("Stopping." if dead is None else f"{dead} stopped by itself; everything is started again.")
    return dead


def _begin_errand(settings: Settings, occasions: Occasions, stack: ExitStack) -> Errand | None:
    if occasions.errand is None:
        return None
    errand = Errand(occasions.errand, child_environment(settings))
    stack.callback(errand.stop)
    return errand


@contextmanager
def working_installation(settings: Settings, *, announce: Announce) -> Iterator[Callable[[], None]]:
    """Database, broker and worker while the block runs: those that run already, else our own. Main thread only.

    Yields what to call while waiting for the worker; it returns after a moment.
    """
    if settings.database_owner_url is not None or is_owned(settings.home):
        yield lambda: time.sleep(WAIT_S)
        return
    announce(f"Nothing runs in {settings.home}: a database, a broker and a worker are started for the time being.")
    with prepared_servers(settings), supervised(settings, announce=announce) as supervisor:
        for program in worker_programs(settings):
            supervisor.start(program)

        def tend() -> None:
            supervisor.tend()
            time.sleep(WAIT_S)

        yield tend


@contextmanager
def supervised(settings: Settings, *, announce: Announce, echo: Echo | None = None) -> Iterator[Supervisor]:
    """A supervisor that logs into the home; every program it started is stopped when the block ends."""
    supervisor = Supervisor(settings.home / "logs", announce=announce, echo=echo)
    try:
        yield supervisor
    finally:
        supervisor.stop()


def _start(supervisor: Supervisor, settings: Settings, stop: StopRequest) -> Reach:
    reach = Reach(settings.dashboard_host, next_free_port(settings.dashboard_host, settings.dashboard_port))
    for program in (*worker_programs(settings), dashboard_program(settings, reach)):
        stop.check()
        supervisor.start(program)

    def is_ready() -> bool:
        stop.check()
        return reach.is_healthy()

    supervisor.wait_until_ready("dashboard", is_ready, within=DASHBOARD_READY_WITHIN)
    return reach
