"""Alerts as a mail, by the server of the settings. Says why one could not be sent without naming anyone."""

import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from urllib.parse import urlencode

from core.alerting.wording import address, counted, what, where
from core.clock import now
from core.errors import NotDeliveredError
from core.settings import Settings
from core.store.alert import AlertRow

TIMEOUT_S = 20.0
"""Longest wait for each answer of the mail server; the next try comes soon enough."""
MOST_LINES = 50
"""A mail with more alerts says how many more there are."""


def compose(settings: Settings, alerts: Sequence[AlertRow], *, to: str, message_id: str) -> EmailMessage:
    """The mail, in plain text: study, site, figures and links, never a subject or a visit."""
    message = EmailMessage()
    message["From"] = settings.smtp_sender
    message["To"] = to
    message["Subject"] = f"octaudit: {counted(alerts)} in {', '.join(sorted({each.study_code for each in alerts}))}"
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{message_id}@{settings.smtp_sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    blocks = [_block(settings, alert) for alert in alerts[:MOST_LINES]]
    if len(alerts) > MOST_LINES:
        blocks.append(f"And {len(alerts) - MOST_LINES} more: see the page Alerts.")
    blocks.append("You get this because you subscribed on the page Alerts of octaudit; change it there.")
    message.set_content("\n\n".join(blocks) + "\n")
    return message


def compose_code(settings: Settings, *, to: str, code: str, until: datetime) -> EmailMessage:
    """The mail that asks whether an address belongs to who entered it: the code and nothing of any study."""
    message = EmailMessage()
    message["From"] = settings.smtp_sender
    message["To"] = to
    message["Subject"] = "octaudit: confirm your e-mail address"
    message["Date"] = format_datetime(now())
    message["Message-ID"] = make_msgid("octaudit", settings.smtp_sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    where = "Open the page Alerts of octaudit and enter the code"
    if settings.public_url:
        query = urlencode({"code": code})
        where = f"Open {settings.public_url.rstrip('/')}/alerts?{query} or enter the code on the page Alerts"
    message.set_content(
        f"Somebody has entered this address in octaudit, to be told of alerts.\n\n  {code}\n\n"
        f"{where}, until {until:%d %b %Y %H:%M} UTC. Nothing else is sent here before.\n\n"
        "If it was not you, do nothing.\n"
    )
    return message


def _block(settings: Settings, alert: AlertRow) -> str:
    over = f", over since {alert.ended_at:%d %b %H:%M} UTC" if alert.ended_at else ""
    lines = [f"{what(alert)}", f"  {where(alert)}; noticed {alert.since:%d %b %Y %H:%M} UTC{over}"]
    if settings.public_url:
        lines.append(f"  {settings.public_url.rstrip('/')}{address(alert, n_weeks=settings.alert_weeks)}")
    return "\n".join(lines)


def send_mail(settings: Settings, message: EmailMessage) -> None:
    """Hand the mail to the server of the settings.

    Raises
    ------
    NotDeliveredError
        There is no server, it cannot be reached or trusted, or it refuses login, sender or recipient.
    """
    try:
        with _connect(settings) as server:
            if settings.smtp_user and settings.smtp_password:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            server.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        raise NotDeliveredError(f"The mail server refuses the login ({error.smtp_code}).") from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = ", ".join(sorted({str(code) for code, _ in error.recipients.values()}))
        raise NotDeliveredError(f"The mail server refuses the recipient ({codes}).") from None
    except smtplib.SMTPResponseException as error:
        raise NotDeliveredError(f"The mail server refuses the mail ({error.smtp_code}).") from None
    except smtplib.SMTPNotSupportedError:
        raise NotDeliveredError("The mail server does not offer what OCTAUDIT_SMTP_SECURITY or a login asks.") from None
    except ssl.SSLError as error:
        raise NotDeliveredError(f"The mail server's certificate or TLS is not accepted ({error.reason}).") from None
    except OSError as error:  # smtplib's other errors are OSErrors, too
        raise NotDeliveredError(f"The mail server does not answer ({type(error).__name__}).") from None


def _connect(settings: Settings) -> smtplib.SMTP:
    if not settings.smtp_host:
        raise NotDeliveredError("No mail server is set (OCTAUDIT_SMTP_HOST).")
    host, port = settings.smtp_host, settings.smtp_port
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    if settings.smtp_security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server
