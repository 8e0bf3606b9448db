"""A study whose reports are asked for, made and sent, with a mailbox that keeps what arrives.

Import as `from report_press import Press`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from access_world import World
from mail_server import Mailbox
from sqlalchemy import update

from core.clock import pretending
from core.database.session import Database, session_scope
from core.database.tables import User
from core.reports.make_report import make_asked
from core.reports.send_reports import Delivered, send_reports
from core.settings import Settings
from core.storage import BlobStore
from core.store.access import Actor, current_actor
from core.store.report import ReportRow, read_report, read_reports
from core.store.report_schedule import NewSchedule, Timing
from core.usecases.ask_report import ask_report
from core.usecases.schedule_reports import ask_due, make_schedule, set_schedule
from core.vocabulary import ReportKind, SchedulePace, ScheduleState

NOON = datetime(2026, 3, 23, 12, 0, tzinfo=UTC)
"""A Monday, three weeks after the builders' one."""
MONDAYS = Timing(SchedulePace.WEEK, 1, 6)


@dataclass(frozen=True)
class Press:
    """Two sites, their people and a mail server."""

    owner: Database
    dashboard: Database
    worker: Database
    settings: Settings
    blobs: BlobStore
    world: World
    box: Mailbox

    def actor(self, name: str) -> Actor:
        with session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            actor = current_actor(session)
        assert actor is not None
        return actor

    def ask(self, name: str, kind: ReportKind, site_id: int | None) -> int:
        with pretending(NOON), session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            return ask_report(session, actor=self.actor(name), kind=kind, study_id=self.world.study_id,
                              site_id=site_id, n_weeks=13)  # fmt: skip

    def make(self, moment: datetime = NOON) -> int:
        with pretending(moment):
            return make_asked(self.worker, self.blobs)

    def seen_by(self, name: str) -> set[int]:
        with session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            return {row.id for row in read_reports(session, limit=50)}

    def row(self, report_id: int) -> ReportRow:
        with session_scope(self.worker) as session:
            return read_report(session, report_id)

    def confirm_addresses(self, *names: str) -> None:
        with session_scope(self.owner) as session:
            for name in names:
                address = f"{name}@example.org"
                session.execute(update(User).where(User.id == self.world.users[name]).values(email=address))

    def schedule(self, *recipients: str, site_id: int | None = None, timing: Timing = MONDAYS) -> int:
        kind = ReportKind.STUDY if site_id is None else ReportKind.SITE
        new = NewSchedule(kind, self.world.study_id, site_id, timing, 4)
        with pretending(NOON), session_scope(self.dashboard, token=self.world.tokens["manager"]) as session:
            return make_schedule(
                session, actor=self.actor("manager"), new=new, settings=self.settings,
                recipient_ids=[self.world.users[name] for name in recipients],
            )  # fmt: skip

    def set(self, schedule_id: int, state: ScheduleState, moment: datetime = NOON, name: str = "manager") -> None:
        with pretending(moment), session_scope(self.dashboard, token=self.world.tokens[name]) as session:
            set_schedule(session, actor=self.actor(name), schedule_id=schedule_id, state=state)

    def keep(self, moment: datetime) -> Delivered:
        """One round of the keeper."""
        with pretending(moment):
            ask_due(self.worker)
            make_asked(self.worker, self.blobs)
            return send_reports(self.worker, self.settings, self.blobs)
