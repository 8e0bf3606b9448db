"""Run a command that is told to stop when the process that started it dies, even by ``kill -9``. Standard library only.

``python -m core.supervision.tether PARENT_PID SIGNAL COMMAND...`` asks the kernel for that and then *becomes* the
command. A step between fork and exec in the parent would do too, but is unsafe once the parent has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>. The request survives exec and ends only with the process."""


def tethered(command: list[str], *, stop_signal: signal.Signals) -> list[str]:
    """The command line that runs ``command`` tethered to the calling process."""
    return [sys.executable, "-m", "core.supervision.tether", str(os.getpid()), str(int(stop_signal)), *command]


def tether(parent_pid: int, stop_signal: int) -> bool:
    """Have ``stop_signal`` sent to this process when its parent dies. False: the parent is dead already.

    Only Linux can promise it. Elsewhere an orderly stop still reaches every child; a ``kill -9`` of the parent
    does not.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, stop_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    return os.getppid() == parent_pid  # asked after the request: a parent that died before it sends no signal


def main() -> None:
    """Tether this process, then become the command."""
    parent_pid, stop_signal, *command = sys.argv[1:]
    if not tether(int(parent_pid), int(stop_signal)):
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the given command is this module's purpose


if __name__ == "__main__":
    main()
