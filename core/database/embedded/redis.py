"""The embedded Redis: a broker that rings bells, so it keeps nothing on disk. Speaks to it over its socket only."""

import signal
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.database.embedded.account import Account
from core.database.embedded.process import ServerProcess

PING_TIMEOUT_S = 2.0


def start_redis(program: Path, folder: Path, *, account: Account, socket_file: Path, log_file: Path) -> ServerProcess:
    """Start redis-server on one unix socket (no TCP) and return once it answers PING."""
    folder.mkdir(mode=0o700, exist_ok=True)
    account.own(folder)
    socket_file.unlink(missing_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket_file),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "dir": str(folder),
    }
    command = [str(program)]
    for name, value in options.items():
        command += [f"--{name}", value]
    server = ServerProcess("Redis", command, account=account, log_file=log_file, death_signal=signal.SIGTERM)
    server.wait_until(lambda: answers(socket_file))
    return server


def answers(socket_file: Path) -> bool:
    """Whether a Redis behind the socket says PONG."""
    with Redis(unix_socket_path=str(socket_file), socket_timeout=PING_TIMEOUT_S) as client:
        try:
            return bool(client.ping())
        except (RedisConnectionError, RedisTimeoutError):
            return False
