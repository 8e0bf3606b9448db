"""People who look at a generated programme: a manager of one site, of some or of all, logged in."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import now
from core.database import tables
from core.vocabulary import Role


@dataclass(frozen=True, slots=True)
class Reader:
    """A logged-in manager: the token for ``session_scope``, and a scan and a batch of a site that this person sees."""

    token: str
    n_sites: int
    scan_id: int
    batch_id: int
    scan_type: str


def add_reader(session: Session, n_sites: int | None) -> Reader:
    """Add a manager of the first ``n_sites`` sites of the only study, of all where None; with the owner's rights."""
    study_id = session.scalars(select(tables.Study.id)).one()
    site_ids = session.scalars(select(tables.Site.id).order_by(tables.Site.id).limit(n_sites)).all()
    name = f"reader-{secrets.token_hex(4)}"
    user = tables.User(name=name, display_name=name)
    session.add(user)
    session.flush()
    granted = [None] if n_sites is None else site_ids
    session.add_all(
        tables.SiteGrant(user_id=user.id, role=Role.MANAGER.value, study_id=study_id, site_id=site_id)
        for site_id in granted
    )
    token, moment = secrets.token_urlsafe(32), now()
    session.add(
        tables.Session(
            token_sha256=hashlib.sha256(token.encode()).hexdigest(), user_id=user.id, last_seen_at=moment,
            idle_timeout=timedelta(hours=8), ends_at=moment + timedelta(hours=8),
            expires_at=moment + timedelta(hours=8),
        )
    )  # fmt: skip
    scan_id, batch_id, scan_type = session.execute(
        select(tables.Scan.id, tables.Scan.batch_id, tables.Acquisition.scan_type)
        .join(tables.Acquisition, tables.Acquisition.id == tables.Scan.acquisition_id)
        .where(tables.Scan.site_id == site_ids[0], tables.Scan.assessment_id.is_not(None))
        .order_by(tables.Scan.id.desc())
        .limit(1)
    ).one()
    session.flush()
    return Reader(token, len(site_ids), scan_id, batch_id, scan_type)
