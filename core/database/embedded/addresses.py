"""The addresses and passwords of the embedded servers, in one file that only its owner may read."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy import URL

from core.errors import SettingsError

FILE_NAME = "servers.json"
ADMIN_USER = "octaudit_admin"
"""The embedded cluster's superuser: makes roles and databases, nothing else connects as it."""
DATABASE_NAME = "octaudit"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the embedded servers listen. ``passwords`` maps PostgreSQL user to password."""

    socket_folder: str
    passwords: Mapping[str, str] = field(repr=False)

    @property
    def redis_url(self) -> str:
        """Celery's broker URL of the embedded Redis."""
        return f"redis+socket://{self.socket_folder}/redis.sock"

    def database_url(self, user: str, database: str = DATABASE_NAME) -> URL:
        """SQLAlchemy URL for one PostgreSQL user over the unix socket."""
        return URL.create(
            "postgresql+psycopg",
            username=user,
            password=self.passwords[user],
            database=database,
            query={"host": self.socket_folder},
        )


def read_addresses(home: Path) -> Addresses:
    """The addresses written by the owner of the servers of ``home``."""
    try:
        document = json.loads((home / FILE_NAME).read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"No database is set, and no embedded one was ever started in {home}.",
            remedy="Run `octaudit up` first, or set OCTAUDIT_DATABASE_OWNER_URL, ..._DASHBOARD_URL, ..._WORKER_URL.",
        ) from None
    except PermissionError as error:
        raise SettingsError(
            f"{home / FILE_NAME} belongs to another user.", remedy="Run as the user who runs `octaudit up`."
        ) from error
    return Addresses(**document)


def write_addresses(home: Path, *, socket_folder: Path, users: tuple[str, ...]) -> Addresses:
    """Write the file for this start: passwords are made once per user and kept, the socket folder may change."""
    kept = dict(read_addresses(home).passwords) if (home / FILE_NAME).exists() else {}
    passwords = {user: kept.get(user) or secrets.token_urlsafe(24) for user in users}
    addresses = Addresses(socket_folder=str(socket_folder), passwords=passwords)
    write_secret(home / FILE_NAME, json.dumps(asdict(addresses), indent=2))
    return addresses


def write_secret(path: Path, content: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
