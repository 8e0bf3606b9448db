"""Runs as a process of its own: ties its life to its owner's, drops root, then becomes the server.

A separate program instead of subprocess's ``preexec_fn``, which may deadlock once the owner has threads. It runs
with ``python -I -S`` and imports nothing of octaudit. The kernel clears the death signal when the user changes, so
the order is: account first, signal second.

Arguments: owner's pid, signal number, uid, gid (-1: keep), then the server's command line.
"""

import ctypes
import os
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: the signal this process gets when the thread that made it ends."""
OWNER_GONE = 75
"""EX_TEMPFAIL: the owner ended before the server started."""


def main(owner_pid: int, signal_number: int, uid: int, gid: int, command: list[str]) -> NoReturn:
    """Become ``command``, or end where the owner has already gone."""
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != owner_pid:  # it died between the fork and the line above
        sys.exit(OWNER_GONE)
    os.execv(command[0], command)  # noqa: S606 - the arguments come from process.py, there is no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
