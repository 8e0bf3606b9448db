"""Under which operating-system account the servers run: ours, or an unprivileged one when we are root."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from core.errors import ServerError

DEDICATED_ACCOUNT = "octaudit"
"""The system account that is made when octaudit runs as root."""
FALLBACK_ACCOUNT = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """Who the servers run as. ``is_other`` is True where it is not the account of this process."""

    name: str
    uid: int
    gid: int
    is_other: bool

    def own(self, path: Path) -> None:
        """Make the account the owner of ``path``; nothing to do where it is our own account."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Whether the account may pass through ``folder`` and every folder above it."""
        return self.first_closed_folder(folder) is None

    def first_closed_folder(self, folder: Path) -> Path | None:
        """The uppermost folder on the way to ``folder`` that the account may not pass through."""
        if not self.is_other:
            return None
        path = folder.resolve()
        for step in (*reversed(path.parents), path):
            if step.exists() and not self._may_pass(step.stat()):
                return step
        return None

    def _may_pass(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def server_account(existing_data: Path) -> Account:
    """Our own account, or as root the owner of ``existing_data``, the account octaudit, made if need be, or nobody.

    PostgreSQL refuses to run as root. A data folder keeps its owner, so that an account made later changes nothing.
    """
    if os.geteuid() != 0:
        return Account(name=str(os.geteuid()), uid=os.geteuid(), gid=os.getegid(), is_other=False)
    if existing_data.exists() and existing_data.stat().st_uid != 0:
        return _account_of(pwd.getpwuid(existing_data.stat().st_uid))
    entry = _find(DEDICATED_ACCOUNT) or _make_dedicated() or _find(FALLBACK_ACCOUNT)
    if entry is None or entry.pw_uid == 0:
        raise ServerError(
            "PostgreSQL does not run as root, and there is no unprivileged account to run it under.",
            remedy=f"Make one (`useradd --system {DEDICATED_ACCOUNT}`) or start octaudit as another user.",
        )
    return _account_of(entry)


def _make_dedicated() -> pwd.struct_passwd | None:
    """Make the system account; None where that is not possible here (read-only /etc, no useradd)."""
    program = shutil.which("useradd")
    if program is None:
        return None
    subprocess.run(  # noqa: S603 - a fixed command, no input from outside
        [program, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", DEDICATED_ACCOUNT],
        check=False,
        capture_output=True,
    )
    return _find(DEDICATED_ACCOUNT)


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _account_of(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, is_other=entry.pw_uid != os.geteuid())
