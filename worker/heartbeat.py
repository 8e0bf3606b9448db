"""A file whose age tells when a process last did something; read by the health check of the same machine."""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.clock import now
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One process's sign of life. The host's name is in the file's, because containers may share the home."""

    path: Path

    @classmethod
    def of_worker(cls, settings: Settings) -> "Heartbeat":
        """The heartbeat of this host's worker."""
        return cls(settings.home / "alive" / f"worker-{socket.gethostname()}")

    @classmethod
    def of_keeper(cls, settings: Settings) -> "Heartbeat":
        """The heartbeat of this host's keeper."""
        return cls(settings.home / "alive" / f"keeper-{socket.gethostname()}")

    def beat(self) -> None:
        """Give a sign of life."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.touch()

    def age(self) -> timedelta | None:
        """Time since the last sign of life; None where there never was one."""
        try:
            beaten_at = self.path.stat().st_mtime
        except FileNotFoundError:
            return None
        return now() - datetime.fromtimestamp(beaten_at, tz=UTC)
