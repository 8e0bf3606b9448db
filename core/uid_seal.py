"""Seals the UIDs of DICOM objects with a key outside the database, so that a copy of its rows names no object.

Fernet (AES-128 in CBC mode with HMAC-SHA256): what was changed or sealed with another key does not open.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from core.errors import SettingsError
from core.key_file import make_key, read_key
from core.settings import Settings


def key_file(settings: Settings) -> Path:
    """Where the key lies; whoever has it and reads the database can tell which objects were sent."""
    return settings.dicom_key_file or settings.home / "dicom.key"


def seal(settings: Settings, document: Mapping[str, Any]) -> str:
    """The document, sealed; the key is made where there is none. SettingsError where others may read it."""
    path = key_file(settings)
    if not path.exists():
        make_key(path)
    return _fernet(path).encrypt(json.dumps(document).encode()).decode("ascii")


def unseal(settings: Settings, sealed: str) -> dict[str, Any]:
    """The document; SettingsError where the key is missing or another one."""
    path = key_file(settings)
    if not path.exists():
        raise _lost(path)
    try:
        document: dict[str, Any] = json.loads(_fernet(path).decrypt(sealed.encode("ascii")))
    except InvalidToken:
        raise _lost(path) from None
    return document


def _fernet(path: Path) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(read_key(path, what="DICOM key")))


def _lost(path: Path) -> SettingsError:
    return SettingsError(
        f"The key that sealed this object's UIDs is not in {path.name}, so no DICOM results can be made of it.",
        remedy="Restore the key file from its copy (OCTAUDIT_DICOM_KEY_FILE).",
    )
