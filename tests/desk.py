"""A site with scored scans, and the means to look at it and decide about it as a person of any role.

The decisions run as the dashboard's database role with the person's token, so row-level security is in force. Scans are
scored through the real line with the scorer of lane.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from builders import make_member
from lane import ObedientScorer, Scene, queue_scan
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.store.access import Actor, current_actor
from core.store.rate import recount_slots
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.review_scan import accept_scan, override_scan, request_reacquisition
from core.vocabulary import Role


@dataclass(frozen=True)
class Desk:
    """A site with scored scans, and the means to look at it as a person."""

    owner: Database
    worker: Database
    dashboard: Database
    settings: Settings
    scene: Scene

    def score(self, order: int, **changes: object) -> int:
        with session_scope(self.owner) as session:
            scan = queue_scan(session, self.scene, order, **changes)  # type: ignore[arg-type]
            capture = session.get_one(tables.Acquisition, scan.acquisition_id)
            recount_slots(session, [capture.expected_scan_id])
        assess_scans(Line(self.worker, self.scene.blobs, ObedientScorer(), self.settings))
        return scan.id

    def hire(self, role: Role, site: tables.Site | None = None) -> str:
        with session_scope(self.owner) as session:
            return make_member(session, role, site=site or self.scene.site)[1]

    @contextmanager
    def as_person(self, token: str) -> Iterator[tuple[Session, Actor]]:
        with session_scope(self.dashboard, token=token) as session:
            actor = current_actor(session)
            assert actor is not None
            yield session, actor

    def scan(self, scan_id: int) -> tables.Scan:
        with session_scope(self.owner) as session:
            return session.get_one(tables.Scan, scan_id)

    def stands(self, scan_id: int) -> tuple[str, str | None, int | None]:
        scan = self.scan(scan_id)
        return scan.state, scan.final_verdict, scan.human_ordinal

    def version(self, scan_id: int) -> int:
        return self.scan(scan_id).version

    def accept(self, token: str, scan_id: int, **changes: object) -> None:
        with self.as_person(token) as (session, actor):
            seen = {"seen_version": self.version(scan_id)}
            accept_scan(session, actor=actor, scan_id=scan_id, **seen | changes)  # type: ignore[arg-type]

    def override(
        self, token: str, scan_id: int, ordinal: int, reason: str = "The FAZ is sharp.", **changes: object
    ) -> None:
        with self.as_person(token) as (session, actor):
            override_scan(
                session,
                actor=actor,
                scan_id=scan_id,
                seen_version=self.version(scan_id),
                ordinal=ordinal,
                reason=reason,
                **changes,  # type: ignore[arg-type]
            )

    def request(self, token: str, scan_id: int, **changes: object) -> int:
        with self.as_person(token) as (session, actor):
            seen = {"seen_version": self.version(scan_id)}
            return request_reacquisition(session, actor=actor, scan_id=scan_id, **seen | changes)  # type: ignore[arg-type]
