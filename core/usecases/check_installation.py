"""Look an installation over, part by part, and say what is wrong and how to cure it. Changes nothing."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from core.broker import broker_fault
from core.database.addresses import configured_roles
from core.database.migrate import revisions
from core.database.roles import DatabaseRole
from core.database.session import open_database, role_faults, session_scope
from core.errors import OctauditError
from core.scoring.contract import OPEN_LANES
from core.settings import Settings
from core.storage import open_blob_store
from core.store.audit_seal import count_unsealed
from core.store.queue import waiting_lanes
from core.vocabulary import ScanKind

LEAST_FREE_GB = 2.0
"""A day of a busy reading centre: 2,000 scans with masks and maps are about 1 GB."""
WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
PROBE = b"octaudit doctor was here\n"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part that was looked at. ``fault`` is empty where all is well; ``remedy`` says what to do otherwise."""

    part: str
    detail: str
    fault: str = ""
    remedy: str = ""


def check_installation(settings: Settings) -> Iterator[Finding]:
    """Look at home, disk, database by role, schema, broker, blobs, weights, queue and audit trail, in that order."""
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        ("home", _home),
        ("disk", _disk),
        *((f"database as {role.name.lower()}", _role_check(role)) for role in configured_roles(settings)),
        ("schema", _schema),
        ("broker", _broker),
        ("images", _blobs),
        ("weights", _weights),
        *((("queue", _queue),) if DatabaseRole.WORKER in configured_roles(settings) else ()),
        *((("audit trail", _audit),) if DatabaseRole.SEALER in configured_roles(settings) else ()),
    )
    for part, check in checks:
        try:
            yield check(settings)
        except OctauditError as error:
            yield Finding(part, "", error.message, error.remedy)
        except (OSError, SQLAlchemyError) as error:
            reason = str(error).splitlines()[0]
            remedy = "Start the server (`octaudit up` starts the embedded ones) or correct its setting."
            yield Finding(part, "", f"{reason}.", remedy)


def _home(settings: Settings) -> Finding:
    home = settings.home
    if not home.is_dir():
        return Finding("home", str(home), f"{home} does not exist.", "`octaudit up` makes it; or set OCTAUDIT_HOME.")
    if not os.access(home, os.W_OK | os.X_OK):
        return Finding("home", str(home), f"{home} cannot be written.", "Run as its owner, or set OCTAUDIT_HOME.")
    return Finding("home", str(home))


def _disk(settings: Settings) -> Finding:
    place = next(folder for folder in (settings.home, *settings.home.absolute().parents) if folder.exists())
    free_gb = shutil.disk_usage(place).free / 1e9
    detail = f"{free_gb:.0f} GB free"
    if free_gb < LEAST_FREE_GB:
        return Finding(
            "disk", detail, f"Only {free_gb:.1f} GB are free in {place}.", "Make room, or move OCTAUDIT_HOME."
        )
    return Finding("disk", detail)


def _role_check(role: DatabaseRole) -> Callable[[Settings], Finding]:
    def check(settings: Settings) -> Finding:
        part = f"database as {role.name.lower()}"
        with open_database(settings, role) as database:
            faults = role_faults(database)
        if faults and role is not DatabaseRole.OWNER:
            return Finding(
                part, "", f"{'; '.join(faults)}.", "Run `octaudit database init` and use the roles it makes."
            )
        return Finding(part, "answers; row-level security holds it" if not faults else "answers; owns the tables")

    return check


def _schema(settings: Settings) -> Finding:
    with open_database(settings, configured_roles(settings)[0]) as database:
        current, newest = revisions(database)
    if current != newest:
        fault = f"The database is at revision {current}, the program at {newest}."
        return Finding("schema", str(current), fault, "Run `octaudit database migrate`.")
    return Finding("schema", f"revision {current}")


def _broker(settings: Settings) -> Finding:
    fault = broker_fault(settings)
    if fault is not None:
        return Finding("broker", "", fault, "Start Redis, or correct OCTAUDIT_REDIS_URL.")
    return Finding("broker", "answers")


def _blobs(settings: Settings) -> Finding:
    store = open_blob_store(settings)
    if store.get(store.put(PROBE)) != PROBE:
        return Finding("images", "", "The store gives back other bytes than it was given.", "Check OCTAUDIT_BLOB_URL.")
    return Finding("images", settings.blob_url or str(settings.home / "blobs"))


def _weights(settings: Settings) -> Finding:
    lane = ScanKind.OCTA_ENFACE.value
    weights = WEIGHTS / f"{lane}.safetensors" if settings.model == "bundled" else Path(settings.model)
    missing = [str(path) for path in (weights, weights.with_suffix(".json")) if not path.exists()]
    if missing:
        remedy = "Install octaudit anew, or correct OCTAUDIT_MODEL."
        return Finding("weights", "", f"{' and '.join(missing)} missing.", remedy)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    return Finding("weights", f"{weights.name}, sha256 {sha256[:12]}")


def _queue(settings: Settings) -> Finding:
    """Scans of a kind without a model: an earlier release took them, intake now does not."""
    with open_database(settings, DatabaseRole.WORKER) as database, session_scope(database) as session:
        waiting = waiting_lanes(session)
    stranded = [f"{n} of kind {lane.value}" for lane, n in sorted(waiting.items()) if lane not in OPEN_LANES]
    if stranded:
        fault = f"Scans wait that no model scores: {', '.join(stranded)}."
        return Finding("queue", "", fault, "They are kept and scored by the first release that has a model for them.")
    return Finding("queue", f"{sum(waiting.values())} scans wait")


def _audit(settings: Settings) -> Finding:
    with open_database(settings, DatabaseRole.SEALER) as database, session_scope(database) as session:
        n_waiting = count_unsealed(session, older_than=timedelta(minutes=1))
    if n_waiting:
        fault = f"{n_waiting} events have waited more than a minute for their seal."
        return Finding("audit trail", "", fault, "Start the keeper (`octaudit up` does), then `octaudit audit verify`.")
    return Finding("audit trail", "sealed")
