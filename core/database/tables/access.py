"""Who may do what: user, grant of a role at a site, and login session.

The dashboard's role cannot read sessions and grants; it asks the SECURITY DEFINER functions that the migrations make.
"""

from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, Index, Interval, text
from sqlalchemy.orm import Mapped, mapped_column

from core.database.tables.base import Base, Created, Id, Sha256


class User(Created, Base):
    """A person with a local account (argon2) or one from an identity provider."""

    __tablename__ = "app_user"
    __table_args__ = (CheckConstraint(r"email ~ '^[^@\s<>]+@[^@\s<>]+$'", name="email"),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    """Login name, lower case."""
    display_name: Mapped[str]
    password_hash: Mapped[str | None] = mapped_column(deferred=True, deferred_raiseload=True)
    """Argon2id in its standard notation. Only the owner can read it: a login is compared inside the database."""
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default="false")
    """True while the password is the generated one."""
    failed_logins: Mapped[int] = mapped_column(default=0, server_default="0")
    """Wrong passwords in a row since the last login."""
    locked_until: Mapped[datetime | None]
    """No login before this moment, right password or not."""
    disabled_at: Mapped[datetime | None]
    email: Mapped[str | None] = mapped_column(deferred=True, deferred_raiseload=True)
    """Where alerts go: always confirmed. The dashboard's role reads and changes a person's own by functions alone."""


class EmailConfirmation(Created, Base):
    """An address that a person has entered and that waits for its code; ended once confirmed, replaced or dropped.

    The dashboard's role reaches it by functions alone; the keeper sends the code and keeps its hash.
    """

    __tablename__ = "email_confirmation"
    __table_args__ = (
        Index("uq_email_confirmation_open", "user_id", unique=True, postgresql_where=text("ended_at is null")),
        Index("ix_email_confirmation_user_id_created_at", "user_id", "created_at"),
        CheckConstraint(r"address ~ '^[^@\s<>]+@[^@\s<>]+$'", name="address"),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    address: Mapped[str]
    code_sha256: Mapped[Sha256 | None]
    """Hash of ``id:code``; None until the keeper has made one."""
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    """To send it."""
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    n_wrong: Mapped[int] = mapped_column(default=0, server_default="0")
    """Wrong codes so far; after five of them it cannot be confirmed any more."""
    error: Mapped[str | None]
    """Why the last sending failed; carries no address."""
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class SiteGrant(Created, Base):
    """A role for one user in one study, at one site or (``site_id`` NULL) at all its sites."""

    __tablename__ = "site_grant"
    __table_args__ = (
        Index(
            "uq_site_grant_live",
            "user_id", "role", "study_id", "site_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("revoked_at is null"),
        ),
        CheckConstraint("study_id is not null or (role = 'admin' and site_id is null)", name="scope"),
        CheckConstraint(
            "role in ('site_technician', 'qc_technician', 'grader', 'adjudicator', 'manager', 'admin')", name="role"
        ),
    )  # fmt: skip

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"), index=True)
    role: Mapped[str]
    study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"))
    """None: every study, present and future; only the role admin may have it."""
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Session(Created, Base):
    """A login. Only the token's hash is stored; revoking the row ends it at the next step of any page."""

    __tablename__ = "session"
    __table_args__ = (
        Index("ix_session_user_id", "user_id"),
        Index("ix_session_expires_at", "expires_at", postgresql_where=text("revoked_at is null")),
    )

    id: Mapped[Id]
    token_sha256: Mapped[Sha256] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    last_seen_at: Mapped[datetime]
    idle_timeout: Mapped[timedelta] = mapped_column(Interval)
    """Unused for this long, the session ends."""
    ends_at: Mapped[datetime]
    """Used or not, the session ends then."""
    expires_at: Mapped[datetime]
    """The earlier of ``ends_at`` and last_seen_at + idle_timeout; moved on by use, at most once a minute."""
    revoked_at: Mapped[datetime | None]
    client: Mapped[str] = mapped_column(default="", server_default="")
    """Browser and system it was opened with, in words, so that the person knows it again."""
    proven_at: Mapped[datetime | None]
    """When the identity provider last asked its person anew, for a signature."""


class IdentityProvider(Created, Base):
    """An OpenID provider whose word the operator lets open sessions; proven by who knows its client secret."""

    __tablename__ = "identity_provider"
    __table_args__ = (
        Index("uq_identity_provider_live", "issuer", unique=True, postgresql_where=text("ended_at is null")),
    )

    id: Mapped[Id]
    issuer: Mapped[str]
    proof_sha256: Mapped[Sha256]
    ended_at: Mapped[datetime | None]


class UserIdentity(Created, Base):
    """Who an account is at an identity provider; the subject is what the provider never gives to another person."""

    __tablename__ = "user_identity"
    __table_args__ = (
        Index("uq_user_identity_subject", "issuer", "subject", unique=True, postgresql_where=text("ended_at is null")),
        Index("uq_user_identity_user", "user_id", "issuer", unique=True, postgresql_where=text("ended_at is null")),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id"))
    issuer: Mapped[str]
    subject: Mapped[str]
    ended_at: Mapped[datetime | None]
