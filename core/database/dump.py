"""Dump a database to a file and load it into an empty one with PostgreSQL's own programs, as the owner role."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from core.database.embedded.binaries import postgres_programs
from core.errors import ServerError


def dump_database(url: URL, file: Path, *, snapshot: str) -> None:
    """Write everything that ``snapshot`` sees (pg_export_snapshot) in PostgreSQL's custom format.

    With row security on, as the owner's role is no superuser; its policies are open, so every row is in the dump.
    """
    _run("pg_dump", url, ["--format=custom", "--enable-row-security", f"--snapshot={snapshot}", f"--file={file}"])


def load_database(url: URL, file: Path) -> None:
    """Load a dump into a database without tables, in one transaction: whole or not at all."""
    _run("pg_restore", url, ["--no-owner", "--single-transaction", "--exit-on-error", str(file)])


def postgres_program(name: str) -> str:
    """Path of one of PostgreSQL's programs: bundled, else on PATH. ServerError where there is none."""
    try:
        return str(postgres_programs() / name)
    except ServerError:
        found = shutil.which(name)
    if found is None:
        raise ServerError(
            f"The program {name} is not installed.",
            remedy="Install PostgreSQL's client programs of the server's version, for example postgresql-client.",
        )
    return found


def _run(name: str, url: URL, arguments: Sequence[str]) -> None:
    """Run it; the password goes by the environment, where no list of processes shows it."""
    connection: dict[str, Any] = dict(url.get_dialect()().create_connect_args(url)[1])
    password = str(connection.pop("password", "") or "")
    target = make_conninfo(**{key: value for key, value in connection.items() if key != "context"})
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL with our own arguments
        [postgres_program(name), f"--dbname={target}", "--no-password", *arguments],
        env=os.environ | {"PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[:3]
        raise ServerError(f"{name} failed: {' '.join(last)}", remedy="Nothing was changed; correct it and try again.")
