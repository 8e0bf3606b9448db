"""Passwords: make one, hash one (Argon2id, RFC 9106), and hash an offered one the way a stored one was.

The comparison happens in the database, which shows nobody its hashes.
"""

import base64
import binascii
import secrets
import threading
from collections.abc import Sequence

import zxcvbn
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import ARGON2_VERSION, hash_secret

PASSWORD_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105 - without i, l, o, 0 and 1, which are misread
GENERATED_GROUPS = 4
GENERATED_GROUP_LENGTH = 5
"""31^20 possibilities, 99 bits, in groups that can be read out over the telephone."""
MIN_PASSWORD_LENGTH = 12
"""NIST SP 800-63B asks for 8 at least and advises more; length counts, composition rules do not."""
MAX_PASSWORD_LENGTH = 1024
LEAST_STRENGTH = 3
"""Of zxcvbn's 0 to 4: more than 10^8 guesses, which Argon2 makes a matter of years (Wheeler 2016, USENIX Security)."""
_JUDGED_LENGTH = 72
"""zxcvbn looks no further; what stands behind can only make a password stronger."""
_OWN_WORDS = ("octaudit", "oct", "octa", "retina", "reading centre")
_judging = threading.Lock()

_hasher = PasswordHasher()
"""argon2-cffi's defaults: RFC 9106's second recommendation (64 MiB, 3 passes, 4 lanes)."""


def generate_password() -> str:
    """A random password for a first login, never the same twice."""
    groups = (
        "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(GENERATED_GROUP_LENGTH))
        for _ in range(GENERATED_GROUPS)
    )
    return "-".join(groups)


def hash_password(password: str) -> str:
    """An Argon2id hash with a new salt in the standard notation ``$argon2id$v=19$m=...,t=...,p=...$salt$hash``."""
    return _hasher.hash(password)


def hash_as_stored(password: str, parameters: str | None) -> str:
    """``password`` hashed with a stored hash's parameters and salt (``$argon2id$v=19$m=..,t=..,p=..$salt``).

    None stands for a name without an account: the same work is done with a salt of its own, so that the time an
    answer takes does not tell whether a name exists.
    """
    if parameters is None:
        return hash_password(password)
    stored = extract_parameters(f"{parameters}${'A' * 43}")  # it expects a hash at the end; 43 characters are 32 bytes
    salt_text = parameters.rsplit("$", 1)[1]
    try:
        salt = base64.b64decode(salt_text + "=" * (-len(salt_text) % 4), validate=True)
    except binascii.Error as error:
        raise InvalidHashError from error
    return hash_secret(
        password.encode(),
        salt,
        time_cost=stored.time_cost,
        memory_cost=stored.memory_cost,
        parallelism=stored.parallelism,
        hash_len=_hasher.hash_len,
        type=stored.type,
        version=ARGON2_VERSION,
    ).decode()


def password_weakness(password: str, names: Sequence[str]) -> str:
    """Why a password of allowed length is easily guessed, as a sentence; "" where it is not.

    Judged against lists of passwords that leaked, words, names, dates and keyboard walks; ``names`` are the person's.
    """
    words = [part for name in (*names, *_OWN_WORDS) for part in (name, *name.replace(".", " ").split())]
    with _judging:  # zxcvbn keeps the names in a dictionary that all threads share
        found = zxcvbn.zxcvbn(password[:_JUDGED_LENGTH], user_inputs=words)
    if found["score"] >= LEAST_STRENGTH:
        return ""
    return str(found["feedback"]["warning"]) or "It is made of words, names or dates that are tried first."


def is_outdated(parameters: str) -> bool:
    """Whether a stored hash was made with other parameters than today's, and should be made anew."""
    return _hasher.check_needs_rehash(f"{parameters}${'A' * 43}")
