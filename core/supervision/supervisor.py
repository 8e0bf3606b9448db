"""Keeps a set of programs running: starts them in order, restarts the dead, stops them in the opposite order."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from core.errors import ServerError
from core.supervision.child import Child, Echo, Program

Announce = Callable[[str], None]
"""Called with one sentence for the person at the terminal."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""Doubling from one second, a program that dies at each start is tried ten times in its first ten minutes."""
STEADY_S = 60.0
"""A program that ran this long has recovered: its next death is a first one again."""
POLL_S = 0.1


@dataclass
class _Place:
    """One program, the child that runs it now, and its record of deaths."""

    program: Program
    child: Child
    started_at_s: float
    deaths: int = 0
    restart_at_s: float | None = None


class Supervisor:
    """Owns children. All methods belong to the main thread (see ``Child``)."""

    def __init__(self, log_folder: Path, *, announce: Announce, echo: Echo | None = None) -> None:
        log_folder.mkdir(parents=True, exist_ok=True)
        self._log_folder = log_folder
        self._announce = announce
        self._echo = echo
        self._places: list[_Place] = []

    def start(self, program: Program) -> Child:
        """Start a program and keep it running from now on."""
        child = Child(program, self._log_folder, self._echo)
        self._places.append(_Place(program, child, time.monotonic()))
        return child

    def wait_until_ready(self, name: str, is_ready: Callable[[], bool], *, within: timedelta) -> None:
        """Wait for a program's first sign of readiness.

        Raises
        ------
        ServerError
            It exited, or was not ready in time; the message names its log.
        """
        place = next(place for place in self._places if place.program.name == name)
        end_s = time.monotonic() + within.total_seconds()
        while not is_ready():
            log = f"{place.child.log_path} says why."
            if place.child.exit_code is not None:
                raise ServerError(f"The {name} stopped as it started (exit {place.child.exit_code}).", remedy=log)
            if time.monotonic() > end_s:
                raise ServerError(f"The {name} was not ready within {within.total_seconds():.0f} s.", remedy=log)
            time.sleep(POLL_S)

    def tend(self) -> None:
        """Look after every program once: note the dead, restart those whose pause is over."""
        moment_s = time.monotonic()
        for place in self._places:
            if place.restart_at_s is not None:
                if moment_s >= place.restart_at_s:
                    self._restart(place, moment_s)
            elif place.child.exit_code is not None:
                self._note_death(place, moment_s)

    def stop(self) -> None:
        """Stop every program, the last started first, each only after the one before it is gone."""
        while self._places:
            place = self._places.pop()
            place.child.ask_to_stop()
            if not place.child.wait_until_stopped():
                self._announce(f"The {place.program.name} did not stop in time and was killed.")

    def _note_death(self, place: _Place, moment_s: float) -> None:
        place.deaths = 1 if moment_s - place.started_at_s > STEADY_S else place.deaths + 1
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (place.deaths - 1))
        place.restart_at_s = moment_s + pause_s
        self._announce(
            f"The {place.program.name} stopped (exit {place.child.exit_code}); it is started again in {pause_s:.0f} s. "
            f"Its log: {place.child.log_path}"
        )
        place.child.wait_until_stopped()  # its own children must be gone before it starts again

    def _restart(self, place: _Place, moment_s: float) -> None:
        place.child = Child(place.program, self._log_folder, self._echo)
        place.started_at_s = moment_s
        place.restart_at_s = None
