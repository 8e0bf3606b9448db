"""The embedded PostgreSQL: make its cluster, start it, know when it is ready. Makes no roles and no tables."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from core.database.embedded.account import Account
from core.database.embedded.addresses import ADMIN_USER, Addresses
from core.database.embedded.process import START_TIMEOUT_S, ServerProcess
from core.errors import ServerError

PID_FILE = "postmaster.pid"


def make_cluster(programs: Path, data: Path, *, account: Account, password: str) -> None:
    """Make the data folder with initdb; it appears under its name only when it is complete.

    Authentication is scram-sha-256 for every connection, the socket included.
    """
    if data.exists():
        return
    staged = data.with_name(f"{data.name}.partial")
    if staged.exists():
        shutil.rmtree(staged)  # an initdb that was cut short
    staged.mkdir(mode=0o700)
    account.own(staged)
    password_file = data.with_name("initdb.password")
    password_file.touch(mode=0o600)
    password_file.write_text(password, "utf-8")
    account.own(password_file)
    try:
        _run_initdb(programs, staged, password_file, account)
    finally:
        password_file.unlink()
    staged.rename(data)


def _run_initdb(programs: Path, data: Path, password_file: Path, account: Account) -> None:
    command = [
        str(programs / "initdb"),
        f"--pgdata={data}",
        f"--username={ADMIN_USER}",
        "--auth=scram-sha-256",
        f"--pwfile={password_file}",
        "--encoding=UTF8",
        "--locale-provider=builtin",  # the same order of text on every machine, whatever its C library
        "--locale=C.UTF-8",
    ]
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if account.is_other else {}
    done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - programs found by binaries.py
        command, capture_output=True, text=True, check=False, cwd="/", env={"PATH": "/usr/bin:/bin"}, **identity
    )
    if done.returncode != 0:
        raise ServerError(
            f"initdb could not make the database in {data.parent}: {done.stderr.strip()}",
            remedy="Check that the folder's disk has room and is not mounted noexec or read-only.",
        )


def start_postgres(
    programs: Path, data: Path, *, account: Account, addresses: Addresses, log_file: Path, options: Mapping[str, str]
) -> ServerProcess:
    """Start the server on the socket folder alone (no TCP) and return once it answers."""
    clear_stale_pid_file(data)
    socket_folder = addresses.socket_folder.replace('"', '""')
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": f'"{socket_folder}"',  # quoted: the setting is a list, split at commas
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "shared_buffers": shared_buffers(),
        "log_min_error_statement": "panic",  # failed statements may hold data of patients: keep them out of the log
        **options,
    }
    command = [str(programs / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    server = ServerProcess("PostgreSQL", command, account=account, log_file=log_file, death_signal=signal.SIGINT)
    server.wait_until(lambda: _answers(addresses))
    return server


def shared_buffers() -> str:
    """PostgreSQL's own cache: a sixteenth of the machine's memory, 128 MB (its default) to 512 MB.

    What pages read of a million scans is some 300 MB; each page of it that is not there costs a copy by the kernel.
    Memory is taken only as pages come in.
    """
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(max(memory_bytes // 16 // 2**20, 128), 512)}MB"


def clear_stale_pid_file(data: Path) -> None:
    """Make way after a crash without ever touching a process that is not this cluster's.

    The caller holds the home's lock, so no live owner uses the cluster. The pid in the file then belongs to a
    PostgreSQL that is still going down (its working directory is ``data``: wait for it), or the machine has given
    the number to somebody else (PostgreSQL would refuse to start: remove the file). PostgreSQL's own shared-memory
    check still guards a cluster in use.
    """
    pid_file = data / PID_FILE
    deadline = time.monotonic() + START_TIMEOUT_S
    while pid_file.exists():
        try:
            pid = int(pid_file.read_text("utf-8").split("\n", 1)[0])
        except (ValueError, FileNotFoundError):
            break
        if not _works_in(pid, data):
            break
        if time.monotonic() > deadline:
            raise ServerError(
                f"Process {pid} is a PostgreSQL that still uses {data}.", remedy="Stop it, then start octaudit again."
            )
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _works_in(pid: int, data: Path) -> bool:
    """Whether process ``pid`` has ``data`` as its working directory, as a PostgreSQL of that cluster has."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # no such process, or one of a user whose processes we do not see: not ours


def _answers(addresses: Addresses) -> bool:
    url = addresses.database_url(ADMIN_USER, "postgres")
    try:
        psycopg.connect(
            host=addresses.socket_folder, user=url.username, password=url.password, dbname=url.database
        ).close()
    except psycopg.OperationalError:
        return False
    return True
