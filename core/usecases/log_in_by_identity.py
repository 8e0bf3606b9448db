"""Sign in by the word of an OpenID provider, and link its identities to accounts. No identity makes an account.

The database asks for a proof that is worked out from the client secret, so that raw SQL under the dashboard's role
cannot open a session for somebody else.
"""

import hashlib
import secrets

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotFoundError, SettingsError, UsageError
from core.settings import Settings
from core.store import identity as store
from core.store.access import PROGRAM
from core.store.audit import record_event
from core.usecases.log_in import TOKEN_BYTES, LoginResult, opened_session


def log_in_by_identity(database: Database, settings: Settings, *, subject: str, client: str = "") -> LoginResult:
    """Open a session for the account that ``subject`` is linked to; the provider's word has been checked before.

    Raises NotAllowedError where no live account is linked to it, or the operator does not trust the provider.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with session_scope(database) as session:  # a failed attempt is noted, so this commits either way
        user_id = store.open_session_by_identity(
            session,
            issuer=issuer_of(settings),
            subject=subject,
            proof=proof_of(settings),
            token_sha256=hashlib.sha256(token.encode()).hexdigest(),
            idle_timeout=settings.session_idle_timeout,
            lifetime=settings.session_lifetime,
            client=client,
        )
    result = opened_session(database, token) if user_id is not None else None
    if result is None:
        raise NotAllowedError(
            "No account of octaudit is linked to this identity, or it is disabled.",
            remedy="Sign in with your password and link it on the page Account, or ask an administrator.",
        )
    return result


def link_own_identity(database: Database, settings: Settings, *, token: str, user_id: int, subject: str) -> None:
    """Link the identity that the provider has just vouched for to the account that is signed in."""
    with session_scope(database, token=token) as session:
        _link(session, user_id, issuer=issuer_of(settings), subject=subject, proof=proof_of(settings))


def prove_own_identity(database: Database, settings: Settings, *, token: str, subject: str) -> None:
    """Take the word of a provider that has just asked the person anew, as a signature asks; it holds five minutes.

    Raises NotAllowedError where the identity is not linked to the account that is signed in.
    """
    with session_scope(database, token=token) as session:  # a failed attempt is noted, so this commits either way
        is_proven = store.prove_identity(session, issuer=issuer_of(settings), subject=subject, proof=proof_of(settings))
    if not is_proven:
        raise NotAllowedError(
            "Somebody else has signed in at the identity provider.",
            remedy="Sign in there as the person who is signed in here; nothing was signed.",
        )


def link_identity(session: Session, *, user_id: int, issuer: str, subject: str) -> None:
    """Link an identity to somebody's account, as administrator of all studies or operator."""
    _link(session, user_id, issuer=issuer, subject=subject.strip(), proof="")


def unlink_identity(session: Session, *, identity_id: int) -> None:
    """Take a link away, the own or as administrator of all studies."""
    if not store.unlink_identity(session, identity_id):
        raise NotFoundError("This link has ended already.", remedy="Load the page again.")


def trust_provider(session: Session, settings: Settings) -> str:
    """Let the provider of the settings open sessions; for the operator. Returns its issuer."""
    issuer = issuer_of(settings)
    store.trust_provider(session, issuer=issuer, proof_sha256=hashlib.sha256(proof_of(settings).encode()).hexdigest())
    record_event(
        session, actor=PROGRAM, action="trust_provider", entity="installation", entity_id=None, after={"issuer": issuer}
    )
    return issuer


def distrust_provider(session: Session, *, issuer: str) -> None:
    """End that; accounts keep their links and their passwords."""
    if not store.distrust_provider(session, issuer):
        raise NotFoundError(f"{issuer} is not trusted.", remedy="Give the issuer as it was trusted.")
    record_event(
        session, actor=PROGRAM, action="distrust_provider", entity="installation", entity_id=None,
        before={"issuer": issuer},
    )  # fmt: skip


def issuer_of(settings: Settings) -> str:
    """The provider's issuer; SettingsError where none is set."""
    if settings.oidc_issuer is None or settings.oidc_client_secret is None:
        raise SettingsError(
            "No identity provider is set.", remedy="Set OCTAUDIT_OIDC_ISSUER and OCTAUDIT_OIDC_CLIENT_SECRET."
        )
    return settings.oidc_issuer.rstrip("/")


def proof_of(settings: Settings) -> str:
    """What the database knows the hash of; it cannot be turned back into the client secret."""
    assert settings.oidc_client_secret is not None
    secret = settings.oidc_client_secret.get_secret_value()
    return hashlib.sha256(f"octaudit identity provider\n{secret}".encode()).hexdigest()


def _link(session: Session, user_id: int, *, issuer: str, subject: str, proof: str) -> None:
    if not subject:
        raise UsageError("The subject is empty.", remedy="Give the provider's own name for the person.")
    try:
        store.link_identity(session, user_id, issuer=issuer, subject=subject, proof=proof)
    except IntegrityError as error:
        raise UsageError(
            "This identity, or this account, is linked already.", remedy="Take the earlier link away first."
        ) from error
