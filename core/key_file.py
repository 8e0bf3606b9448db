"""A key in a file that only its owner may read: made once, whole, by whichever process comes first."""

import os
import secrets
import tempfile
from pathlib import Path

from core.errors import SettingsError

KEY_BYTES = 32


def read_key(path: Path, *, what: str) -> bytes:
    """The key of a file that is there; SettingsError where others may read it. ``what`` names it, e.g. "audit key"."""
    if path.stat().st_mode & 0o077:
        raise SettingsError(f"Others may read the {what} {path}.", remedy=f"Run `chmod 600 '{path}'`.")
    return bytes.fromhex(path.read_text("ascii").strip())


def make_key(path: Path) -> None:
    """Make the key under another name and give it its own only when it is whole; the first of two makers wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    partial = Path(name)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        return
    finally:
        partial.unlink()
