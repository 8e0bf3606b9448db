"""The world that the tests of access look at: two sites of one study, one of another, somebody in every role."""

from dataclasses import dataclass

from builders import (
    make_member,
    make_scan,
    make_site,
    make_study,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.vocabulary import Role


@dataclass(frozen=True)
class World:
    """Two sites of one study and one site of another, with one scan each."""

    study_id: int
    a: int
    b: int
    elsewhere: int
    scan_a: int
    scan_b: int
    tokens: dict[str, str]
    users: dict[str, int]


def make_world(owner_database: Database) -> World:
    """Make its rows."""
    with session_scope(owner_database) as session:
        study = make_study(session)
        site_a, site_b = make_site(session, study), make_site(session, study)
        elsewhere = make_site(session)
        scans = {site.id: make_scan(session, site) for site in (site_a, site_b, elsewhere)}
        members = {
            "technician": make_member(session, Role.SITE_TECHNICIAN, site=site_a),
            "qc": make_member(session, Role.QC_TECHNICIAN, study=study),
            "qc_a": make_member(session, Role.QC_TECHNICIAN, site=site_a),
            "grader": make_member(session, Role.GRADER, study=study),
            "grader2": make_member(session, Role.GRADER, study=study),
            "adjudicator": make_member(session, Role.ADJUDICATOR, study=study),
            "manager": make_member(session, Role.MANAGER, study=study),
            "admin": make_member(session, Role.ADMIN, study=study),
            "global": make_member(session, Role.ADMIN),
        }
        return World(
            study_id=study.id,
            a=site_a.id,
            b=site_b.id,
            elsewhere=elsewhere.id,
            scan_a=scans[site_a.id].id,
            scan_b=scans[site_b.id].id,
            tokens={name: token for name, (_, token) in members.items()},
            users={name: user.id for name, (user, _) in members.items()},
        )


def seen_sites(session: Session) -> set[int]:
    return set(session.scalars(select(tables.Scan.site_id)))


def review_values(world: World, name: str, **changes: object) -> dict[str, object]:
    values = {"site_id": world.a, "scan_id": world.scan_a, "reviewer_id": world.users[name], "decision": "accept"}
    return values | changes
