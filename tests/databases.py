"""Databases for tests: a clone of the migrated template with settings that name it. Import as `from databases import ...`.

The fixtures of conftest.py make one per test; a module whose tests only read may share one.
"""

import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import URL

from core.database.embedded import Addresses
from core.database.embedded.addresses import ADMIN_USER
from core.database.initialise import admin_connection, create_database
from core.database.roles import DatabaseRole
from core.settings import Settings

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of the system's, in which each test makes its own
ROOM_BYTES = 2 << 30
"""What the servers of every test process together stay far below."""


@contextmanager
def server_folder(prefix: str) -> Iterator[Path]:
    """A folder for embedded servers, in memory where there is room, gone after the block.

    A database cloned on disk costs two to four times the processor time of one in memory. It does not lie below pytest's tmp_path:
    as root that is closed to the account that PostgreSQL runs under.
    """
    has_room = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=IN_MEMORY if has_room else "/tmp"))  # noqa: S108
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def fresh_settings(servers: Addresses, template: str, home: Path) -> Iterator[Settings]:
    """Settings of a database of its own and an empty Redis, for as long as the block runs."""
    name = f"test_{uuid.uuid4().hex}"
    admin = servers.database_url(ADMIN_USER, "postgres")
    with admin_connection(admin) as connection:
        create_database(connection, name, template=template)
    empty_redis(Path(servers.socket_folder) / "redis.sock")
    yield settings_for(servers, name, home)
    with admin_connection(admin) as connection:
        connection.execute(f'drop database "{name}" with (force)')


def settings_for(servers: Addresses, database: str, home: Path) -> Settings:
    """Settings that name the running servers, with every role's URL for one database."""

    def secret(url: URL) -> SecretStr:
        return SecretStr(url.render_as_string(hide_password=False))

    return Settings(
        home=home,
        database_admin_url=secret(servers.database_url(ADMIN_USER, "postgres")),
        database_owner_url=secret(servers.database_url(DatabaseRole.OWNER, database)),
        database_dashboard_url=secret(servers.database_url(DatabaseRole.DASHBOARD, database)),
        database_worker_url=secret(servers.database_url(DatabaseRole.WORKER, database)),
        database_sealer_url=secret(servers.database_url(DatabaseRole.SEALER, database)),
        redis_url=SecretStr(servers.redis_url),
    )


def empty_redis(socket_file: Path) -> None:
    """Forget every message of the test before."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(socket_file))
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(16).startswith(b"+OK")
