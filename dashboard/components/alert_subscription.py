"""The forms by which a person chooses how alerts reach them: by mail, by webhook, at once or once a day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st
from sqlalchemy.orm import Session

from core.alerting.wording import KIND_WORDS
from core.store.access import Actor
from core.store.alert_delivery import Sending, Subscription
from core.store.email_confirmation import OwnAddress, PendingAddress, read_own_address
from core.usecases.confirm_address import confirm_address
from core.usecases.subscribe_to_alerts import ask_for_code, choose_mail, choose_webhook, connect_webhook
from core.vocabulary import AlertChannel, AlertKind, AlertPace, DeliveryState
from dashboard.administration.steps import perform, perform_apart
from dashboard.installation import installation

_OFF = "off"
_PACE_WORDS = {_OFF: "not at all", AlertPace.AT_ONCE.value: "at once", AlertPace.DAILY.value: "once a day"}
Wanted = Mapping[AlertKind, AlertPace]


@dataclass(frozen=True, slots=True)
class Own:
    """What the person has chosen so far, and how the latest telling of each subscription went."""

    address: OwnAddress
    kinds: Callable[[int], tuple[AlertKind, ...]]
    """What can reach the person, by study."""
    subscriptions: tuple[Subscription, ...]
    latest: Mapping[int, Sending]

    def of(self, study_id: int, channel: AlertChannel) -> Subscription | None:
        """The subscription of a study on a channel."""
        found = (each for each in self.subscriptions if each.study_id == study_id and each.channel is channel)
        return next(found, None)


def draw_mail(study_id: int, own: Own) -> None:
    """Address and pace of each kind."""
    st.markdown("**By e-mail**")
    settings = installation().settings
    if not settings.smtp_host:
        st.caption("This installation sends no mail: its operator has set no mail server (OCTAUDIT_SMTP_HOST).")
        return
    subscription = own.of(study_id, AlertChannel.EMAIL)
    waiting = own.address.pending
    with st.form(f"mail.{study_id}", border=False):
        entered = waiting.address if waiting else own.address.confirmed or ""
        address = st.text_input("Your e-mail address", entered, placeholder="name@example.org")
        wanted = _draw_paces("mail", study_id, subscription, own)
        if st.form_submit_button("Save", key=f"mail.save.{study_id}"):
            perform(lambda session, actor: _save_mail(session, actor, study_id, address, wanted))
    if waiting:
        _draw_confirmation(waiting, own.address.confirmed)
    st.caption(
        f"A daily mail comes at {settings.alert_digest_hour:02}:00 UTC, on days with news. {_latest(subscription, own)}"
    )


def _draw_confirmation(waiting: PendingAddress, confirmed: str | None) -> None:
    """How far the code is, and the field for it."""
    meanwhile = f"Until then mails go to {confirmed}." if confirmed else "Until then nothing else is sent there."
    st.info(f"{_code_words(waiting)} {meanwhile}", icon=":material/mark_email_unread:")
    with st.form("mail.confirm", border=False):
        code = st.text_input("Code from the mail", st.query_params.get("code", ""), placeholder="abcd-2345")
        left, right = st.columns(2)
        if left.form_submit_button("Confirm", type="primary", key="mail.confirm.code", width="stretch"):
            perform_apart(lambda token: _confirm(token, code))
        elif right.form_submit_button("Send another code", key="mail.confirm.again", width="stretch"):
            perform(lambda session, actor: _ask_again(session, actor, waiting.address))


def _code_words(waiting: PendingAddress) -> str:
    if waiting.is_spent:
        return f"Too many wrong codes were entered for {waiting.address}: have another one sent."
    if waiting.sent_at is not None:
        return f"A code was sent to {waiting.address} on {waiting.sent_at:%d %b %Y, %H:%M} UTC."
    if waiting.error:
        return f"The code could not be sent to {waiting.address}: {waiting.error}"
    return f"A code is on its way to {waiting.address}; it takes a minute."


def draw_webhook(study_id: int, own: Own) -> None:
    """Address and pace of each kind; the secret is shown once, when the webhook is connected."""
    st.markdown("**By webhook**")
    subscription = own.of(study_id, AlertChannel.WEBHOOK)
    with st.form(f"webhook.{study_id}", border=False):
        url = st.text_input("Address that is posted to", placeholder="https://hooks.example.org/octaudit")
        wanted = _draw_paces("webhook", study_id, subscription, own)
        left, right = st.columns(2)
        is_new = left.form_submit_button("Connect", key=f"webhook.connect.{study_id}", width="stretch")
        is_change = subscription is not None and right.form_submit_button(
            "Save the choice only", key=f"webhook.save.{study_id}", width="stretch"
        )
        if is_new:
            perform(lambda session, actor: _connect(session, actor, study_id, url, wanted))
        elif is_change:
            perform(lambda session, actor: _change(session, actor, study_id, wanted))
    connected = f"Connected: `{subscription.url}`. {_latest(subscription, own)}" if subscription else "Not connected."
    st.caption(f"{connected} Signed by HMAC-SHA256 as Standard Webhooks; connecting anew makes a new secret.")


def _draw_paces(channel: str, study_id: int, subscription: Subscription | None, own: Own) -> Wanted:
    wanted: dict[AlertKind, AlertPace] = {}
    for kind in own.kinds(study_id):
        present = subscription.wanted.get(kind) if subscription else None
        choices = list(_PACE_WORDS)
        pace = st.selectbox(
            KIND_WORDS[kind], choices, choices.index(present or _OFF), key=f"{channel}.{kind}.{study_id}",
            format_func=lambda value: _PACE_WORDS[value],
        )  # fmt: skip
        if pace != _OFF:
            wanted[kind] = AlertPace(pace)
    return wanted


def _latest(subscription: Subscription | None, own: Own) -> str:
    sending = own.latest.get(subscription.id) if subscription else None
    if sending is None:
        return "Nothing was sent so far."
    if sending.state is DeliveryState.SENT:
        return f"Last sent {sending.at:%d %b %Y, %H:%M} UTC."
    if sending.error:
        again = "" if sending.state is DeliveryState.FAILED else " It is tried again."
        return f":red[The latest was not sent: {sending.error}{again}]"
    return "The latest waits to be sent."


def _save_mail(session: Session, actor: Actor, study_id: int, address: str, wanted: Wanted) -> str:
    choose_mail(session, actor=actor, study_id=study_id, address=address, wanted=wanted)
    if not wanted:
        return "Saved: no alerts by e-mail."
    if read_own_address(session).pending:
        return "Saved: alerts reach you by e-mail as soon as the address is confirmed."
    return "Saved: alerts reach you by e-mail from now on."


def _confirm(token: str, code: str) -> str:
    confirm_address(installation().database, token=token, code=code)
    st.query_params.pop("code", None)
    return "The address is confirmed: alerts go there from now on."


def _ask_again(session: Session, actor: Actor, address: str) -> str:
    ask_for_code(session, actor=actor, address=address)
    return "Another code is on its way; the one before does not count any more."


def _connect(session: Session, actor: Actor, study_id: int, url: str, wanted: Wanted) -> str:
    settings = installation().settings
    secret = connect_webhook(session, actor=actor, study_id=study_id, url=url, wanted=wanted, settings=settings)
    return f"Connected. The secret that verifies the signature, shown once: `{secret}`."


def _change(session: Session, actor: Actor, study_id: int, wanted: Wanted) -> str:
    choose_webhook(session, actor=actor, study_id=study_id, wanted=wanted)
    return "Saved." if wanted else "The webhook is disconnected."
