"""What the checks of the audit chain found, and how far it is sealed: written by the sealer's role, read on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from core.database.tables import AuditCheck


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of the whole chain; no faults: nothing sealed was changed, removed or put in."""

    checked_at: datetime
    n_sealed: int
    n_anchored: int
    anchored_at: datetime | None
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """How far the chain is sealed, and what the latest check found (None: not checked yet)."""

    n_sealed: int
    sealed_at: datetime | None
    n_waiting: int
    waiting_since: datetime | None
    check: CheckResult | None


def write_check(
    session: Session, *, n_sealed: int, n_anchored: int, anchored_at: datetime | None, faults: Sequence[str]
) -> None:
    """Keep a check's result; for the sealer's role."""
    values = {"n_sealed": n_sealed, "n_anchored": n_anchored, "anchored_at": anchored_at, "faults": list(faults)}
    session.execute(insert(AuditCheck).values(values))


def read_chain_status(session: Session) -> ChainStatus | None:
    """The chain as it stands; None for who is neither manager nor administrator of a whole study."""
    row = session.execute(text("select * from audit_chain_status()")).mappings().one_or_none()
    return None if row is None else ChainStatus(**row, check=read_last_check(session))


def read_last_check(session: Session) -> CheckResult | None:
    """The newest check that was written down."""
    found = session.scalars(select(AuditCheck).order_by(AuditCheck.id.desc()).limit(1)).one_or_none()
    if found is None:
        return None
    return CheckResult(found.created_at, found.n_sealed, found.n_anchored, found.anchored_at, tuple(found.faults))
