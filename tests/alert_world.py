"""A study with two sites, requests and queues that alerts are about. Import as `from alert_world import ...`."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from access_world import World, make_world
from builders import make_batch, make_scan
from sqlalchemy import select, update

from core.clock import pretending
from core.database.session import Database, session_scope
from core.database.tables import Alert, ReacquisitionRequest, Scan, Site
from core.settings import Settings
from core.usecases.raise_alerts import Raised, raise_alerts
from core.vocabulary import ScanState

NOON = datetime(2026, 3, 23, 12, 0, tzinfo=UTC)
"""A Monday, three weeks after the builders' one."""


@dataclass(frozen=True)
class AlertWorld:
    """The people and sites of access_world, with nothing that waits, and the verbs of these tests."""

    owner: Database
    worker: Database
    settings: Settings
    world: World

    def raise_at(self, moment: datetime = NOON, settings: Settings | None = None) -> Raised:
        with pretending(moment):
            return raise_alerts(self.worker, settings or self.settings)

    def request(self, scan_id: int, *, due_on: date = date(2026, 3, 20)) -> int:
        """An open request about a scan, which is overdue at noon unless told otherwise."""
        with session_scope(self.owner) as session:
            scan = session.get_one(Scan, scan_id)
            row = ReacquisitionRequest(
                site_id=scan.site_id, acquisition_id=scan.acquisition_id, scan_id=scan_id, state="requested",
                reason_code="oscar-mp:M", text="The eye moved.", remedy="Take it again.", due_on=due_on,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return row.id

    def close(self, request_id: int) -> None:
        with session_scope(self.owner) as session:
            session.execute(
                update(ReacquisitionRequest).where(ReacquisitionRequest.id == request_id).values(state="closed")
            )

    def more_scans(self, site_id: int, n: int, *, state: ScanState = ScanState.ACCEPTED) -> list[int]:
        """Scans of a site whose batch was submitted two hours before noon."""
        with session_scope(self.owner) as session:
            site = session.get_one(Site, site_id)
            batch = make_batch(session, site, submitted_at=NOON - timedelta(hours=2))
            return [make_scan(session, site, batch=batch, state=state.value).id for _ in range(n)]

    def alerts(self) -> list[Alert]:
        with session_scope(self.owner) as session:
            return list(session.scalars(select(Alert).order_by(Alert.id)))

    def open_subjects(self) -> list[str]:
        return sorted(alert.subject for alert in self.alerts() if alert.ended_at is None)


def make_alert_world(owner: Database, worker: Database, settings: Settings) -> AlertWorld:
    """Two sites of one study and one of another, whose scans are accepted."""
    world = make_world(owner)
    with session_scope(owner) as session:
        session.execute(update(Scan).values(state=ScanState.ACCEPTED.value))
    return AlertWorld(owner, worker, settings, world)
