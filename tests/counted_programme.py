"""A generated programme of three sites, and periods and filters of it. Import as `from counted_programme import ...`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from builders import make_member
from databases import fresh_settings

from core.database import tables
from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.store.generated_programme import write_programme
from core.store.scan_filter import ScanFilter
from core.vocabulary import Role

ENDS_AT = datetime(2026, 11, 18, 12, tzinfo=UTC)
MONDAY = date(2026, 11, 16)
PERIOD = {"since": MONDAY - timedelta(weeks=51), "until": MONDAY + timedelta(weeks=1)}
FILTERS = {
    "everything": ScanFilter(),
    "a period": ScanFilter(**PERIOD),
    "single days": ScanFilter(since=MONDAY - timedelta(days=400), until=MONDAY - timedelta(days=3)),
    "a study and type": ScanFilter(study_id=1, scan_type="octa-enface 3x3", **PERIOD),
    "a site": ScanFilter(site_id=2),
    "a model": ScanFilter(device_model="AngioVue", **PERIOD),
    "a manufacturer": ScanFilter(manufacturer="Zeiss"),
    "a version": ScanFilter(software_version="2"),
    "a technician's device": ScanFilter(technician_id=5, device_id=4),
}


@contextmanager
def counted_programme(
    servers: Addresses, template: str, home: Path, *, n_scans: int, count: Callable[[Database], None]
) -> Iterator[tuple[Database, str]]:
    """The programme as the dashboard's role sees it, counted by ``count`` as the owner, and a manager's token."""
    with fresh_settings(servers, template, home) as settings, open_database(settings, DatabaseRole.OWNER) as owner:
        with session_scope(owner) as session:
            write_programme(session, n_scans=n_scans, ends_at=ENDS_AT, n_sites=3)
        count(owner)
        with session_scope(owner) as session:
            token = make_member(session, Role.MANAGER, study=session.get_one(tables.Study, 1))[1]
        with open_database(settings, DatabaseRole.DASHBOARD) as dashboard:
            yield dashboard, token
