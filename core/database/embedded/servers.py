"""Own the embedded servers for as long as a block runs: one owner per home, both servers gone with it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.database.embedded.account import Account, server_account
from core.database.embedded.addresses import ADMIN_USER, FILE_NAME, Addresses, read_addresses, write_addresses
from core.database.embedded.binaries import postgres_programs, reachable_by, redis_server_program
from core.database.embedded.postgres import make_cluster, start_postgres
from core.database.embedded.process import ServerProcess
from core.database.embedded.redis import start_redis
from core.database.roles import ROLE_NAMES
from core.errors import ServerError

OUTSIDE_PREFIX = "octaudit-"
LOCK_FILE = "servers.lock"
MAX_SOCKET_FOLDER_BYTES = 89
"""A unix socket's path holds 107 bytes; PostgreSQL adds /.s.PGSQL.5432."""


@dataclass(frozen=True, slots=True)
class RunningServers:
    """Both servers as their owner sees them."""

    addresses: Addresses
    processes: tuple[ServerProcess, ...]

    def first_dead(self) -> str | None:
        """The name of a server that ended by itself; None while both run."""
        return next((process.name for process in self.processes if not process.is_running()), None)


@contextmanager
def embedded_servers(home: Path, *, postgres_options: Mapping[str, str] | None = None) -> Iterator[Addresses]:
    """``running_servers`` for those who only need the addresses."""
    with running_servers(home, postgres_options=postgres_options) as servers:
        yield servers.addresses


@contextmanager
def running_servers(home: Path, *, postgres_options: Mapping[str, str] | None = None) -> Iterator[RunningServers]:
    """Run PostgreSQL and Redis in ``home`` while the block runs; call from the main thread.

    Raises ServerError where another process owns the servers of this home, or where one does not start.
    ``postgres_options`` are further settings, e.g. ``{"fsync": "off"}`` in tests.
    """
    home = home.expanduser().absolute()
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_exclusive(home))
        data = home / "postgresql"
        account = server_account(data)
        _refuse_closed_home(account, home)
        socket_folder = stack.enter_context(_socket_folder(home, account))
        logs = home / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        addresses = write_addresses(home, socket_folder=socket_folder, users=(ADMIN_USER, *ROLE_NAMES))
        copies = home / "programs"
        programs = reachable_by(account, postgres_programs() / "postgres", copies).parent
        make_cluster(programs, data, account=account, password=addresses.passwords[ADMIN_USER])
        postgres = start_postgres(
            programs,
            data,
            account=account,
            addresses=addresses,
            log_file=logs / "postgresql.log",
            options=postgres_options or {},
        )
        stack.callback(postgres.stop)
        redis = start_redis(
            reachable_by(account, redis_server_program(), copies),
            home / "redis",
            account=account,
            socket_file=socket_folder / "redis.sock",
            log_file=logs / "redis.log",
        )
        stack.callback(redis.stop)
        yield RunningServers(addresses, (postgres, redis))


def is_owned(home: Path) -> bool:
    """Whether some process owns the servers of ``home`` right now."""
    try:
        with (home.expanduser() / LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """Hold the home's lock. The kernel frees it when we end in any way, so no stale lock can exist."""
    with (home / LOCK_FILE).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise ServerError(
                f"octaudit already runs in {home} (process {owner}).",
                remedy="Use that one, stop it first, or set OCTAUDIT_HOME to another folder.",
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _refuse_closed_home(account: Account, home: Path) -> None:
    closed = account.first_closed_folder(home)
    if closed is not None:
        raise ServerError(
            f"As root the database runs as {account.name}, which cannot enter {closed}.",
            remedy="Set OCTAUDIT_HOME to a folder it can enter, for example /var/lib/octaudit.",
        )


@contextmanager
def _socket_folder(home: Path, account: Account) -> Iterator[Path]:
    """A folder of mode 0700 for the sockets: HOME/run, or a new one in /tmp where that path is too long."""
    _remove_leftover(home)
    inside = home / "run"
    if len(os.fsencode(inside)) <= MAX_SOCKET_FOLDER_BYTES:
        inside.mkdir(mode=0o700)
        account.own(inside)
        yield inside
        return
    outside = Path(tempfile.mkdtemp(prefix=OUTSIDE_PREFIX, dir="/tmp"))
    account.own(outside)
    try:
        yield outside
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def _remove_leftover(home: Path) -> None:
    """Remove the socket folder of an owner that was killed: HOME/run, or the one in /tmp that it wrote down."""
    shutil.rmtree(home / "run", ignore_errors=True)
    if (home / FILE_NAME).exists():
        former = Path(read_addresses(home).socket_folder)
        if former.parent == Path("/tmp") and former.name.startswith(OUTSIDE_PREFIX):  # noqa: S108 - as made above
            shutil.rmtree(former, ignore_errors=True)
