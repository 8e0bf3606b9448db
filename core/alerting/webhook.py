"""Alerts as a signed HTTPS request, by the scheme of Standard Webhooks (standardwebhooks.com, version 1).

``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``ID.TIMESTAMP.BODY``, keyed with what the secret
encodes after ``whsec_``. A receiver compares it in constant time, refuses old timestamps and drops an ID it has seen.
The address comes from a person, so it may reach public hosts alone: the name is resolved once, every address checked,
and the connection made to the address that was checked. Nothing of the answer is read but its status.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import SplitResult, urlsplit

from core.alerting.webhook_secret import PREFIX
from core.alerting.wording import address, what
from core.clock import now
from core.errors import NotDeliveredError, UsageError
from core.settings import Settings
from core.store.alert import AlertRow

TIMEOUT_S = 10.0
"""A receiver has this long to take the request and answer, all in all."""
_GONE = 410
"""The receiver says that it is there no more: no further try."""
_LOCAL = "localhost"
_UNNAMED = "which OCTAUDIT_WEBHOOK_PRIVATE_HOSTS does not name"


def checked_url(url: str, *, private_hosts: Collection[str]) -> SplitResult:
    """The address in its parts.

    Raises
    ------
    UsageError
        It is not https with a host, it carries a login, or it gives a private address that the settings do not name.
        ``http://localhost`` passes where they name it. What a name stands for is asked when something is sent.
    """
    remedy = "Enter an address like https://hooks.example.org/octaudit."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError("The webhook's address cannot be read.", remedy=remedy) from None
    is_local_test = parts.scheme == "http" and host == _LOCAL and _LOCAL in private_hosts
    if not host or (parts.scheme != "https" and not is_local_test):
        raise UsageError("The webhook's address must begin with https:// and name a host.", remedy=remedy)
    if parts.username or parts.password or not url.isprintable() or not url.isascii() or " " in url:
        raise UsageError("The webhook's address must carry no login, space or foreign letter.", remedy=remedy)
    if host not in private_hosts and _is_private_literal(host):
        raise UsageError(f"The webhook's address names a private address, {_UNNAMED}.", remedy=remedy)
    return parts


def payload(settings: Settings, alerts: Sequence[AlertRow]) -> bytes:
    """The body: JSON with one entry per alert; no subject and no visit."""
    base = settings.public_url.rstrip("/") if settings.public_url else None
    entries: list[dict[str, Any]] = [
        {
            "id": alert.id,
            "kind": alert.kind.value,
            "study": alert.study_code,
            "site": alert.site_code,
            "what": what(alert),
            "detail": dict(alert.detail),
            "since": alert.since.isoformat(),
            "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
            "url": base + address(alert, n_weeks=settings.alert_weeks) if base else None,
        }
        for alert in alerts
    ]
    return json.dumps({"type": "octaudit.alerts", "timestamp": now().isoformat(), "data": entries}).encode()


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def send_webhook(url: str, body: bytes, *, secret: str, message_id: str, private_hosts: Collection[str]) -> None:
    """Post the signed body; any status from 200 to 299 means that it was taken. A redirect is not followed.

    Raises
    ------
    NotDeliveredError
        The host has a private address, does not answer in time, or answers with another status.
    """
    try:
        parts = checked_url(url, private_hosts=private_hosts)
    except UsageError as error:
        raise NotDeliveredError(error.message, is_final=True) from None
    timestamp = int(now().timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": "octaudit",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id=message_id, timestamp=timestamp, body=body),
    }
    try:
        status = _post(parts, body, headers, _public_address(parts, private_hosts))
    except (OSError, HTTPException) as error:
        raise NotDeliveredError(f"The receiver does not answer as it should ({type(error).__name__}).") from None
    if not 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls successful
        raise NotDeliveredError(f"The receiver answers {status}.", is_final=status == _GONE)


def _post(parts: SplitResult, body: bytes, headers: dict[str, str], checked: str) -> int:
    connection = _CheckedConnection(parts, checked)
    # A deadline for the whole: a receiver that sends a byte every nine seconds would hold the sender for ever.
    deadline = threading.Timer(TIMEOUT_S, connection.cut)
    deadline.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, headers)
        return connection.getresponse().status
    finally:
        deadline.cancel()
        connection.close()


class _CheckedConnection(HTTPConnection):
    """A connection to an address that was checked, under the name that was given, which the certificate must have."""

    def __init__(self, parts: SplitResult, checked: str) -> None:
        self._is_tls = parts.scheme == "https"
        super().__init__(parts.hostname or "", parts.port or (443 if self._is_tls else 80), timeout=TIMEOUT_S)
        self._checked = checked
        self._is_cut = False

    def connect(self) -> None:
        """Connect to the checked address instead of asking for the name again, which may have moved since."""
        self.sock = socket.create_connection((self._checked, self.port), TIMEOUT_S)
        if self._is_cut:
            raise TimeoutError
        if self._is_tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End the connection whatever it is doing, or as soon as it is there."""
        self._is_cut = True
        if self.sock is not None:
            with suppress(OSError):  # it has ended already
                self.sock.shutdown(socket.SHUT_RDWR)


def _public_address(parts: SplitResult, private_hosts: Collection[str]) -> str:
    host, port = parts.hostname or "", parts.port or 443
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if host not in private_hosts and not all(_is_public(each) for each in found):
        raise NotDeliveredError(
            f"The receiver's host has a private address, {_UNNAMED}.",
            is_final=True,
        )
    return found[0]


def _is_private_literal(host: str) -> bool:
    """Whether an address stands in place of a name and is not public; this machine's own name counts as one."""
    try:
        return host == _LOCAL or not _is_public(host)
    except ValueError:
        return False  # a name


def _is_public(found: str) -> bool:
    parsed = ipaddress.ip_address(found.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast
