"""Who has a scan open: claims that warn others and lock nothing, and count only while their page refreshes them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.database.tables import ScanClaim, User

REFRESHED_EVERY = timedelta(seconds=30)
"""How often an open page says that it is still open."""
CLAIM_LIFE = 3 * REFRESHED_EVERY
"""A claim counts this long after its last refresh: two lost ones are a slow network, three a closed page."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody who has the scan open."""

    who: str
    since_at: datetime


def put_claim(session: Session, *, reviewer_id: int, site_id: int, scan_id: int) -> None:
    """Say that this person has the scan open now; one that has lapsed begins anew."""
    at = now()
    has_lapsed = ScanClaim.seen_at < at - CLAIM_LIFE
    session.execute(
        insert(ScanClaim)
        .values(reviewer_id=reviewer_id, site_id=site_id, scan_id=scan_id, since_at=at, seen_at=at)
        .on_conflict_do_update(
            index_elements=["reviewer_id", "scan_id"],
            set_={"since_at": case((has_lapsed, at), else_=ScanClaim.since_at), "seen_at": at},
        )
    )


def drop_other_claims(session: Session, *, reviewer_id: int, scan_id: int) -> None:
    """Give up this person's claims on all other scans."""
    session.execute(delete(ScanClaim).where(ScanClaim.reviewer_id == reviewer_id, ScanClaim.scan_id != scan_id))


def read_other_claims(session: Session, *, reviewer_id: int, scan_id: int) -> tuple[Claim, ...]:
    """Who else has the scan open, the first to open it first."""
    rows = session.execute(
        select(User.display_name, ScanClaim.since_at)
        .join(User, User.id == ScanClaim.reviewer_id)
        .where(
            ScanClaim.scan_id == scan_id,
            ScanClaim.reviewer_id != reviewer_id,
            ScanClaim.seen_at >= now() - CLAIM_LIFE,
        )
        .order_by(ScanClaim.since_at)
    )
    return tuple(Claim(who, since_at) for who, since_at in rows)
