"""Being asked to stop (Ctrl-C, TERM, a closed terminal) as a value that the main loop looks at.

A signal that raised wherever it happened to arrive could cut the stopping itself in half and leave orphans.
"""

import signal
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(Exception):
    """Work that was under way when a stop was asked for; no fault, nothing to report."""


class StopRequest:
    """While the block runs, the three signals are noted instead of obeyed. Main thread only."""

    def __init__(self) -> None:
        self._is_made = False
        self._former: dict[signal.Signals, object] = {}

    @property
    def is_made(self) -> bool:
        """Whether a stop was asked for."""
        return self._is_made

    def check(self) -> None:
        """Raise StopRequestedError where a stop was asked for: between the steps of a start."""
        if self._is_made:
            raise StopRequestedError

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself gave us

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._is_made = True
