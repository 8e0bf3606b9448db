"""A person's e-mail address: the confirmed one, and one that waits for the code that was sent there."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from core.database.tables import EmailConfirmation, User

VALID_FOR = timedelta(hours=24)
"""How long a code can be entered."""
MAX_ATTEMPTS = 4
"""To send a code: at once, after 1, 4 and 16 minutes; a person who waits looks at the page, not at tomorrow's mail."""
_FIRST_BACK_OFF, _BACK_OFF_FACTOR = timedelta(minutes=1), 4


@dataclass(frozen=True, slots=True)
class PendingAddress:
    """An address that is not confirmed yet. ``sent_at`` is None until the code is on its way."""

    address: str
    asked_at: datetime
    sent_at: datetime | None
    expires_at: datetime | None
    is_spent: bool
    """Too many wrong codes: a new one must be asked for."""
    error: str | None


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """What the session's person has: alerts go to ``confirmed`` alone."""

    confirmed: str | None
    pending: PendingAddress | None


class ConfirmOutcome(StrEnum):
    """What became of an entered code."""

    CONFIRMED = "confirmed"
    WRONG = "wrong"
    NONE = "none"
    """No address waits for a code."""
    EXPIRED = "expired"
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class CodeToSend:
    """A code that was made for an address, claimed by this keeper."""

    id: int
    address: str
    code: str = field(repr=False)
    expires_at: datetime
    attempt: int


def read_own_address(session: Session) -> OwnAddress:
    """The session's person's addresses."""
    row = session.execute(text("select * from own_email_confirmation()")).mappings().one_or_none()
    pending = None if row is None else PendingAddress(**row)
    return OwnAddress(session.scalar(text("select own_email()")), pending)


def ask_confirmation(session: Session, address: str) -> bool:
    """Have a code sent to an address, in place of an earlier one; False after too many within a day.

    The address that is confirmed already needs none: what waited beside it is dropped.
    """
    answer: str = session.scalar(text("select ask_email_confirmation(:address)"), {"address": address})
    return answer != "too_many"


def confirm_own_address(session: Session, code: str) -> ConfirmOutcome:
    """Compare a code in the database; the right one makes its address the person's. A wrong one is counted."""
    return ConfirmOutcome(str(session.scalar(text("select confirm_own_email(:code)"), {"code": code})))


def forget_own_address(session: Session) -> None:
    """Drop the confirmed address and whatever waits."""
    session.execute(text("select forget_own_email()"))


def users_with_address(session: Session) -> frozenset[int]:
    """Who has a confirmed address; for the worker's role."""
    return frozenset(session.scalars(select(User.id).where(User.email.is_not(None))))


def claim_codes(session: Session, *, at: datetime, limit: int, new_code: Callable[[], str]) -> tuple[CodeToSend, ...]:
    """Make a code for each address that waits for one, longest first; a claim counts as an attempt.

    Only the code's hash is kept, so each attempt makes another: a keeper that died took the last one with it.
    """
    waiting = session.scalars(
        select(EmailConfirmation)
        .where(
            EmailConfirmation.ended_at.is_(None),
            EmailConfirmation.sent_at.is_(None),
            EmailConfirmation.due_at <= at,
            EmailConfirmation.attempts < MAX_ATTEMPTS,
        )
        .order_by(EmailConfirmation.due_at, EmailConfirmation.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    claimed = []
    for row in waiting:
        code, attempt, expires_at = new_code(), row.attempts + 1, at + VALID_FOR
        session.execute(
            update(EmailConfirmation)
            .where(EmailConfirmation.id == row.id)
            .values(
                code_sha256=hashlib.sha256(f"{row.id}:{code}".encode()).hexdigest(),
                attempts=attempt,
                due_at=at + _FIRST_BACK_OFF * _BACK_OFF_FACTOR ** (attempt - 1),
                expires_at=expires_at,
            )
        )
        claimed.append(CodeToSend(row.id, row.address, code, expires_at, attempt))
    return tuple(claimed)


def record_code_sent(session: Session, confirmation_id: int, *, at: datetime) -> None:
    """Say that the mail server took it."""
    session.execute(
        update(EmailConfirmation).where(EmailConfirmation.id == confirmation_id).values(sent_at=at, error=None)
    )


def record_code_not_sent(session: Session, confirmation_id: int, *, why: str, is_final: bool) -> None:
    """Note why it was not sent; after a final failure nobody tries again."""
    values: dict[str, object] = {"error": why} | ({"attempts": MAX_ATTEMPTS} if is_final else {})
    session.execute(update(EmailConfirmation).where(EmailConfirmation.id == confirmation_id).values(values))


def prune_confirmations(session: Session, *, before: datetime) -> int:
    """Remove those that ended before a moment; returns how many."""
    gone = delete(EmailConfirmation).where(EmailConfirmation.ended_at < before).returning(EmailConfirmation.id)
    return len(session.scalars(gone).all())
