"""Accounts' identities at an OpenID provider, by way of the database's own functions (migrations 0024, 0028)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, text, update
from sqlalchemy.orm import Session

from core.database.tables import IdentityProvider


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """Who an account is at a provider; ``subject`` is the provider's own name for the person."""

    id: int
    issuer: str
    subject: str
    linked_at: datetime


def open_session_by_identity(
    session: Session,
    *,
    issuer: str,
    subject: str,
    proof: str,
    token_sha256: str,
    idle_timeout: timedelta,
    lifetime: timedelta,
    client: str,
) -> int | None:
    """Make a session for the account that an identity is linked to: the user's id, or None where none is linked.

    Refused by the database where the provider is not trusted, or ``proof`` is not that of its client secret.
    """
    user_id: int | None = session.scalar(
        text("select open_session_by_identity(:issuer, :subject, :proof, :token, :idle, :lifetime, :client)"),
        {
            "issuer": issuer, "subject": subject, "proof": proof, "token": token_sha256, "idle": idle_timeout,
            "lifetime": lifetime, "client": client,
        },
    )  # fmt: skip
    return user_id


def link_identity(session: Session, user_id: int, *, issuer: str, subject: str, proof: str) -> int:
    """Link an identity to an account: the own with proof, anybody's as administrator of all studies or operator."""
    values = {"user": user_id, "issuer": issuer, "subject": subject, "proof": proof}
    return int(session.scalar(text("select link_identity(:user, :issuer, :subject, :proof)"), values) or 0)


@dataclass(frozen=True, slots=True)
class MeansToSign:
    """By what the session's person can sign: a password of ours, or the provider's word."""

    has_password: bool
    has_identity: bool
    is_proven: bool
    """Whether the provider has asked the person anew within the last five minutes."""


def own_means_to_sign(session: Session) -> MeansToSign:
    """What the session's person has; nothing where the session has ended."""
    row = session.execute(text("select * from own_means_to_sign()")).one_or_none()
    return (
        MeansToSign(*row) if row is not None else MeansToSign(has_password=False, has_identity=False, is_proven=False)
    )


def prove_identity(session: Session, *, issuer: str, subject: str, proof: str) -> bool:
    """Note in the session that its person was asked anew; False, on record, where the identity is another's."""
    values = {"issuer": issuer, "subject": subject, "proof": proof}
    return bool(session.scalar(text("select prove_identity(:issuer, :subject, :proof)"), values))


def unlink_identity(session: Session, identity_id: int) -> bool:
    """Take a link away; False where there is none that this person may take away."""
    return bool(session.scalar(text("select unlink_identity(:id)"), {"id": identity_id}))


def linked_identities(session: Session, user_id: int) -> tuple[LinkedIdentity, ...]:
    """The live links of an account, for its person and administrators of all studies."""
    rows = session.execute(text("select * from linked_identities(:user)"), {"user": user_id}).mappings()
    return tuple(LinkedIdentity(**row) for row in rows)


def trust_provider(session: Session, *, issuer: str, proof_sha256: str) -> None:
    """Let a provider's word open sessions from now on, in place of an earlier secret of it; for the owner's role."""
    ended = update(IdentityProvider).where(IdentityProvider.issuer == issuer, IdentityProvider.ended_at.is_(None))
    session.execute(ended.values(ended_at=func.now()))
    session.add(IdentityProvider(issuer=issuer, proof_sha256=proof_sha256))
    session.flush()


def distrust_provider(session: Session, issuer: str) -> bool:
    """End that; False where it was not trusted. Sessions that are open go on."""
    live = update(IdentityProvider).where(IdentityProvider.issuer == issuer, IdentityProvider.ended_at.is_(None))
    return bool(session.scalars(live.values(ended_at=func.now()).returning(IdentityProvider.id)).all())
