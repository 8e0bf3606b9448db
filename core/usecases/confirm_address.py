"""An e-mail address is confirmed by the code that was sent there; until then nothing else goes to it.

The person asks on the page Alerts, the keeper makes and sends the code, the database compares what is entered.
"""

import logging
import secrets

from core.alerting.mail import compose_code, send_mail
from core.clock import now
from core.database.session import Database, session_scope
from core.errors import NotAllowedError, NotDeliveredError, UsageError
from core.passwords import PASSWORD_ALPHABET
from core.settings import Settings
from core.store.access import current_actor
from core.store.audit import record_event
from core.store.email_confirmation import (
    MAX_ATTEMPTS,
    CodeToSend,
    ConfirmOutcome,
    claim_codes,
    confirm_own_address,
    record_code_not_sent,
    record_code_sent,
)

_LOG = logging.getLogger(__name__)
CODE_LENGTH = 8
"""31^8 possibilities, and five tries: enough for a day."""
CODES_PER_ROUND = 20
_REFUSALS = {
    ConfirmOutcome.WRONG: ("That is not the code.", "Copy it from the latest mail."),
    ConfirmOutcome.NONE: ("No address waits for a code.", "Enter the address and save it first."),
    ConfirmOutcome.EXPIRED: ("The code is older than a day.", "Have another one sent."),
    ConfirmOutcome.SPENT: ("Too many wrong codes were entered.", "Have another one sent."),
}


def new_code() -> str:
    """A code without letters that are misread, in two groups: ``abcd-2345``."""
    letters = "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(CODE_LENGTH))
    return f"{letters[: CODE_LENGTH // 2]}-{letters[CODE_LENGTH // 2 :]}"


def cleaned_code(entered: str) -> str:
    """A code as it was made, however it was typed."""
    letters = "".join(letter for letter in entered.lower() if letter in PASSWORD_ALPHABET)
    return f"{letters[: CODE_LENGTH // 2]}-{letters[CODE_LENGTH // 2 :]}"


def confirm_address(database: Database, *, token: str, code: str) -> None:
    """Confirm the address that the code was sent to; in a transaction of its own, for a wrong code is counted.

    Raises
    ------
    UsageError
        The code is wrong or old, or none is awaited.
    """
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
        if actor is None:
            raise NotAllowedError("The session has ended.", remedy="Sign in again.")
        outcome = confirm_own_address(session, cleaned_code(code))
        action = "email.confirm" if outcome is ConfirmOutcome.CONFIRMED else "email.confirm_failed"
        record_event(
            session, actor=actor, action=action, entity="user", entity_id=actor.user_id,
            reason="" if outcome is ConfirmOutcome.CONFIRMED else outcome.value,
        )  # fmt: skip
    if outcome is not ConfirmOutcome.CONFIRMED:
        message, remedy = _REFUSALS[outcome]
        raise UsageError(message, remedy=remedy)


def send_codes(database: Database, settings: Settings) -> int:
    """Send a code to every address that waits for one, with the worker's rights; returns how many were sent."""
    if not settings.smtp_host:
        return 0
    with session_scope(database) as session:
        claimed = claim_codes(session, at=now(), limit=CODES_PER_ROUND, new_code=new_code)
    return sum(_send(database, settings, each) for each in claimed)


def _send(database: Database, settings: Settings, claimed: CodeToSend) -> bool:
    try:
        send_mail(settings, compose_code(settings, to=claimed.address, code=claimed.code, until=claimed.expires_at))
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the others have their turn
        why = error.message if isinstance(error, NotDeliveredError) else f"octaudit could not ({type(error).__name__})."
        _LOG.warning("The code of confirmation %d was not sent: %s", claimed.id, why)
        with session_scope(database) as session:
            record_code_not_sent(session, claimed.id, why=why, is_final=claimed.attempt >= MAX_ATTEMPTS)
        return False
    with session_scope(database) as session:
        record_code_sent(session, claimed.id, at=now())
    return True
