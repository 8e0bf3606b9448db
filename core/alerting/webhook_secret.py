"""The secret of a webhook, worked out from a key outside the database: stored nowhere, and shown once."""

import base64
import hashlib
import hmac
from pathlib import Path

from core.key_file import make_key, read_key
from core.settings import Settings

PREFIX = "whsec_"
"""How Standard Webhooks marks a secret; what follows is base64."""


def key_file(settings: Settings) -> Path:
    """Where the key lies that dashboard and keeper share; whoever has it and reads the database can sign."""
    return settings.webhook_key_file or settings.home / "webhook.key"


def webhook_secret(settings: Settings, subscription_id: int) -> str:
    """The secret of a subscription: HMAC-SHA256 of its id, 256 bits.

    Connecting anew is another subscription and so another secret; another key is another secret for all.

    Raises
    ------
    SettingsError
        Others may read the key.
    """
    path = key_file(settings)
    if not path.exists():
        make_key(path)
    key = read_key(path, what="webhook key")
    digest = hmac.new(key, f"octaudit webhook {subscription_id}".encode(), hashlib.sha256).digest()
    return PREFIX + base64.b64encode(digest).decode()
