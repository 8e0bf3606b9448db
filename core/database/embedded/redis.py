"""The embedded Redis: a broker that rings bells, so it keeps nothing on disk. Speaks to it over its socket only."""

import signal
import socket
from pathlib import Path

from core.database.embedded.account import Account
from core.database.embedded.process import ServerProcess


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
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(socket_file))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
