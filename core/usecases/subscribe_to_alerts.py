"""A person says which alerts of a study reach them, how and when. Raised by all: UsageError, NotAllowedError.

Every change leaves an audit event; it carries no address and no secret.
"""

import re
from collections.abc import Mapping

from sqlalchemy.orm import Session

from core.alerting.webhook import checked_url
from core.alerting.webhook_secret import webhook_secret
from core.clock import now
from core.errors import NotAllowedError, UsageError
from core.settings import Settings
from core.store.access import Actor
from core.store.alert_delivery import (
    Subscription,
    add_subscription,
    change_subscription,
    end_subscription,
    read_subscriptions,
)
from core.store.audit import record_event
from core.store.email_confirmation import ask_confirmation, forget_own_address, read_own_address
from core.vocabulary import AlertChannel, AlertKind, AlertPace, Role

ALERTED = frozenset(Role) - {Role.GRADER}
"""Who may be told of alerts at all; of which ones is decided in the database (migration "alerts")."""
_COMPARING = ALERTED - {Role.SITE_TECHNICIAN}
_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_LONGEST_ADDRESS = 254
"""Characters (RFC 5321)."""


def kinds_for(actor: Actor, study_id: int) -> tuple[AlertKind, ...]:
    """The kinds of alert that can reach a person in a study: what a form need offer."""
    if not actor.has_role(*ALERTED, study_id=study_id):
        return ()
    comparing = [each for each in actor.grants if each.role in _COMPARING and each.covers(study_id, None)]
    if not comparing:
        return (AlertKind.OVERDUE,)
    is_whole = any(each.site_id is None for each in comparing)
    return tuple(kind for kind in AlertKind if is_whole or kind is not AlertKind.QUEUE)


def choose_mail(
    session: Session, *, actor: Actor, study_id: int, address: str, wanted: Mapping[AlertKind, AlertPace]
) -> None:
    """Set the person's address, and what comes there from this study; an empty ``wanted`` ends the mails.

    The address is one per person: it holds for all studies. A new one is used once it is confirmed, and until then
    the earlier one; None goes at once.
    """
    _refuse_unless_alerted(actor, study_id)
    cleaned = address.strip()
    if not (_EMAIL.fullmatch(cleaned) and len(cleaned) <= _LONGEST_ADDRESS) and (wanted or cleaned):
        raise UsageError("The e-mail address is none.", remedy="Enter one, like name@example.org.")
    _change_address(session, actor, cleaned)
    existing = own_subscription(session, study_id, AlertChannel.EMAIL)
    if existing is not None:
        _change(session, actor, existing, wanted)
    elif wanted:
        _add(session, actor, study_id, AlertChannel.EMAIL, wanted)


def _change_address(session: Session, actor: Actor, cleaned: str) -> None:
    own = read_own_address(session)
    waiting = own.pending.address if own.pending else None
    if not cleaned and (waiting or own.confirmed):
        forget_own_address(session)
        record_event(session, actor=actor, action="email.forget", entity="user", entity_id=actor.user_id)
    elif cleaned and cleaned != (waiting or own.confirmed):
        ask_for_code(session, actor=actor, address=cleaned)


def ask_for_code(session: Session, *, actor: Actor, address: str) -> None:
    """Have a code sent to an address, anew where one was; the person's next step is to enter it."""
    if not ask_confirmation(session, address):
        raise UsageError(
            "Five codes were asked for within a day.", remedy="Wait until tomorrow, or enter the one that has come."
        )
    # Without the address: the trail is kept for ever, and read by others.
    record_event(session, actor=actor, action="email.ask", entity="user", entity_id=actor.user_id)


def connect_webhook(
    session: Session,
    *,
    actor: Actor,
    study_id: int,
    url: str,
    wanted: Mapping[AlertKind, AlertPace],
    settings: Settings,
) -> str:
    """Have alerts posted to an address from now on, in place of an earlier one; return the new secret, shown once."""
    _refuse_unless_alerted(actor, study_id)
    if not wanted:
        raise UsageError("No kind of alert is chosen for the webhook.", remedy="Choose at least one.")
    cleaned = url.strip()
    checked_url(cleaned, private_hosts=settings.webhook_private_hosts)
    existing = own_subscription(session, study_id, AlertChannel.WEBHOOK)
    if existing is not None:
        _change(session, actor, existing, {})
    added = _add(session, actor, study_id, AlertChannel.WEBHOOK, wanted, url=cleaned)
    return webhook_secret(settings, added)


def choose_webhook(session: Session, *, actor: Actor, study_id: int, wanted: Mapping[AlertKind, AlertPace]) -> None:
    """Change what the webhook gets, under the same address and secret; an empty ``wanted`` disconnects it."""
    existing = own_subscription(session, study_id, AlertChannel.WEBHOOK)
    if existing is None:
        raise UsageError("No webhook is connected in this study.", remedy="Connect one first.")
    _change(session, actor, existing, wanted)


def own_subscription(session: Session, study_id: int, channel: AlertChannel) -> Subscription | None:
    """The person's live subscription of a study on a channel."""
    found = read_subscriptions(session)
    return next((each for each in found if each.study_id == study_id and each.channel is channel), None)


def _refuse_unless_alerted(actor: Actor, study_id: int) -> None:
    if not actor.has_role(*ALERTED, study_id=study_id):
        raise NotAllowedError("Your role gets no alerts of this study.", remedy="Ask its administrator for a role.")


def _add(
    session: Session,
    actor: Actor,
    study_id: int,
    channel: AlertChannel,
    wanted: Mapping[AlertKind, AlertPace],
    *,
    url: str | None = None,
) -> int:
    assert actor.user_id is not None, "only people subscribe"
    added = add_subscription(session, user_id=actor.user_id, study_id=study_id, channel=channel, wanted=wanted, url=url)
    _record(session, actor, "alerts.subscribe", added, study_id, before=None, after=_document(channel, wanted))
    return added


def _change(session: Session, actor: Actor, existing: Subscription, wanted: Mapping[AlertKind, AlertPace]) -> None:
    if wanted == existing.wanted:
        return
    before = _document(existing.channel, existing.wanted)
    if wanted:
        change_subscription(session, existing.id, wanted)
        after = _document(existing.channel, wanted)
        _record(session, actor, "alerts.change", existing.id, existing.study_id, before=before, after=after)
        return
    end_subscription(session, existing.id, at=now())
    _record(session, actor, "alerts.unsubscribe", existing.id, existing.study_id, before=before, after=None)


def _document(channel: AlertChannel, wanted: Mapping[AlertKind, AlertPace]) -> dict[str, str]:
    return {"channel": channel.value, **{kind.value: pace.value for kind, pace in wanted.items()}}


def _record(
    session: Session,
    actor: Actor,
    action: str,
    entity_id: int,
    study_id: int,
    *,
    before: Mapping[str, str] | None,
    after: Mapping[str, str] | None,
) -> None:
    record_event(
        session, actor=actor, action=action, entity="alert_subscription", entity_id=entity_id, study_id=study_id,
        before=before, after=after,
    )  # fmt: skip
