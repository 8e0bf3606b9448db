"""Encrypted files: readable with the secret key alone, refused when changed or cut short."""

import os
from pathlib import Path

import pytest

from core.errors import StorageError, UsageError
from core.usecases.sealed_file import decrypt_into, encrypting, is_encrypted, make_identity, parse_recipients

CONTENT = os.urandom(300_000) + b"a name"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_identity(tmp_path / "backup.key")
    return tmp_path / "backup.key"


def public_of(key: Path) -> str:
    return key.read_text().splitlines()[0].rpartition(" ")[2]


@pytest.fixture
def sealed(tmp_path: Path, key: Path) -> Path:
    path = tmp_path / "sealed.age"
    with path.open("wb") as file, encrypting(file, parse_recipients([public_of(key)])) as target:
        target.write(CONTENT)
    return path


def test_what_was_encrypted_comes_back_with_the_key_and_with_no_other(tmp_path: Path, key: Path, sealed: Path):
    assert is_encrypted(sealed)
    assert b"a name" not in sealed.read_bytes()
    decrypt_into(sealed, tmp_path / "plain", key)
    assert (tmp_path / "plain").read_bytes() == CONTENT
    assert (tmp_path / "plain").stat().st_mode & 0o777 == 0o600
    make_identity(tmp_path / "other.key")
    with pytest.raises(UsageError, match="cannot be decrypted"):
        decrypt_into(sealed, tmp_path / "plain", tmp_path / "other.key")


@pytest.mark.parametrize("change", [lambda data: data[:-40], lambda data: data[:-1] + bytes((data[-1] ^ 1,))])
def test_what_was_changed_or_cut_short_is_refused(tmp_path: Path, key: Path, sealed: Path, change):
    sealed.write_bytes(change(sealed.read_bytes()))
    with pytest.raises(UsageError, match="damaged"):
        decrypt_into(sealed, tmp_path / "plain", key)


def test_several_people_may_each_read_it(tmp_path: Path, key: Path):
    second = tmp_path / "second.key"
    publics = [public_of(key), make_identity(second)]
    path = tmp_path / "sealed.age"
    with path.open("wb") as file, encrypting(file, parse_recipients(publics)) as target:
        target.write(CONTENT)
    for each in (key, second):
        decrypt_into(path, tmp_path / "plain", each)
        assert (tmp_path / "plain").read_bytes() == CONTENT


def test_a_key_is_written_once_and_for_its_owner_alone(tmp_path: Path, key: Path):
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="exists already"):
        make_identity(key)
    with pytest.raises(UsageError, match="does not exist"):
        make_identity(tmp_path / "nowhere" / "x.key")


def test_what_is_no_key_is_said(tmp_path: Path, sealed: Path):
    with pytest.raises(UsageError, match="is no public key"):
        parse_recipients(["age1nonsense"])
    with pytest.raises(UsageError, match="no key file"):
        decrypt_into(sealed, tmp_path / "plain", tmp_path / "missing.key")
    for text in ("", "AGE-SECRET-KEY-1NONSENSE"):
        (tmp_path / "bad.key").write_text(text)
        with pytest.raises(UsageError, match="holds no secret key"):
            decrypt_into(sealed, tmp_path / "plain", tmp_path / "bad.key")


def seal_badly(path: Path, key: Path) -> None:
    with path.open("wb") as file, encrypting(file, parse_recipients([public_of(key)])) as target:
        target.write(b"x")
        raise ZeroDivisionError


def seal_much(path: Path, key: Path) -> None:
    with path.open("wb", buffering=0) as file, encrypting(file, parse_recipients([public_of(key)])) as target:
        for _ in range(200):
            target.write(CONTENT)


def test_a_fault_of_the_writer_is_the_writers_and_one_of_the_disk_is_said(tmp_path: Path, key: Path):
    with pytest.raises(ZeroDivisionError):
        seal_badly(tmp_path / "sealed.age", key)
    with pytest.raises(StorageError, match="No space left"):
        seal_much(Path("/dev/full"), key)
