"""Files encrypted for keys that this machine does not hold: the age format (age-encryption.org/v1), read by any age.

What is encrypted is streamed, so no plain copy lies on a disk while a backup is written. Each block is authenticated: a
file that was changed or cut short is refused.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyrage
from pyrage import x25519

from core.errors import StorageError, UsageError

_MAGIC = b"age-encryption.org/"


def parse_recipients(texts: Sequence[str]) -> list[x25519.Recipient]:
    """The public keys (``age1...``); UsageError for one that is none."""
    found = []
    for text in texts:
        try:
            found.append(x25519.Recipient.from_str(text.strip()))
        except pyrage.RecipientError as error:
            raise UsageError(
                f"{text!r} is no public key.", remedy="Give the age1... that `octaudit backup-key` printed."
            ) from error
    return found


def make_identity(path: Path) -> str:
    """Write a new secret key to ``path``, readable by its owner alone; return the public key that belongs to it."""
    identity = x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already.", remedy="Give another name; a key is never replaced.") from error
    except FileNotFoundError as error:
        raise UsageError(f"{path} is in a folder that does not exist.", remedy="Give another name.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"# public key: {public}\n{identity}\n")
    return public


def is_encrypted(path: Path) -> bool:
    """Whether the file is one of these, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


@contextmanager
def encrypting(target: BinaryIO, recipients: Sequence[x25519.Recipient]) -> Iterator[BinaryIO]:
    """A stream whose content goes to ``target`` encrypted; whole once the block is left."""
    read_end, write_end = os.pipe()
    source, sink = os.fdopen(read_end, "rb"), os.fdopen(write_end, "wb")

    def encrypt() -> None:
        with source:
            pyrage.encrypt_io(source, target, recipients)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(encrypt)
        try:
            with sink:
                yield cast("BinaryIO", sink)
        except BrokenPipeError:
            _finish(done)  # says why nobody reads any more
            raise
        _finish(done)


def _finish(done: Future[None]) -> None:
    try:
        done.result()
    except (pyrage.EncryptError, OSError) as error:
        raise StorageError(
            f"The encrypted file cannot be written: {error}.", remedy="Make room, or write elsewhere."
        ) from error


def decrypt_into(path: Path, target: Path, identity_file: Path) -> None:
    """Write the plain content of ``path`` to ``target``, readable by its owner alone.

    UsageError where the key is another's, or the file was cut short or changed; what was written until then is the
    caller's to remove.
    """
    identities = _read_identities(identity_file)
    with path.open("rb") as source, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as plain:
        try:
            pyrage.decrypt_io(source, plain, identities)
        except (pyrage.DecryptError, OSError) as error:
            raise UsageError(
                f"{path} cannot be decrypted with {identity_file}, or it is damaged.",
                remedy="Give the secret key that belongs to the public key it was encrypted for; nothing was changed.",
            ) from error


def _read_identities(path: Path) -> list[x25519.Identity]:
    if not path.is_file():
        raise UsageError(f"There is no key file {path}.", remedy="Give the file that `octaudit backup-key` wrote.")
    lines = [line.strip() for line in path.read_text("utf-8", errors="replace").splitlines()]
    try:
        found = [x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError as error:
        raise UsageError(f"{path} holds no secret key.", remedy="Its line begins with AGE-SECRET-KEY-1.") from error
    if not found:
        raise UsageError(f"{path} holds no secret key.", remedy="Its line begins with AGE-SECRET-KEY-1.")
    return found
