import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import StorageError
from core.settings import load_settings
from core.storage import BlobStore, open_blob_store


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(str(tmp_path / "blobs"))


@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_what_was_put_is_got_back_under_the_hash_of_its_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    blobs = BlobStore(str(tmp_path_factory.getbasetemp() / "hypothesis-blobs"))
    sha256 = blobs.put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert blobs.exists(sha256)
    assert blobs.get(sha256) == data


def test_a_blob_lies_two_folders_deep_and_is_closed_to_others(blobs: BlobStore, tmp_path: Path):
    sha256 = blobs.put(b"scan")
    path = tmp_path / "blobs" / sha256[:2] / sha256[2:4] / sha256
    assert path.read_bytes() == b"scan"
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_stored_blob_is_never_overwritten(blobs: BlobStore, tmp_path: Path):
    sha256 = blobs.put(b"scan")
    path = tmp_path / "blobs" / sha256[:2] / sha256[2:4] / sha256
    inode = path.stat().st_ino
    blobs.put(b"scan")
    assert path.stat().st_ino == inode


def test_storing_again_makes_a_blob_young(blobs: BlobStore, tmp_path: Path):
    sha256 = blobs.put(b"scan")
    path = tmp_path / "blobs" / sha256[:2] / sha256[2:4] / sha256
    os.utime(path, (1, 1))
    blobs.put(b"scan")
    assert path.stat().st_mtime > 1_000_000


def test_a_file_is_stored_without_being_held_in_memory(blobs: BlobStore, tmp_path: Path):
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3_000_000))
    sha256 = blobs.put_file(large)
    assert blobs.get(sha256) == large.read_bytes()


def test_a_failed_write_leaves_nothing_behind(blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        blobs.put(b"scan")
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_the_bytes_are_on_disk_before_their_name_and_then_the_folders_on_the_way_to_it(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
):
    """Without this a power cut could leave an empty file under a full name, or lose a name that was handed out."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename
    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "rename", lambda self, to: (steps.append("rename"), rename(self, to))[1])
    blobs.put(b"first")
    steps.clear()
    blobs.put(b"scan")
    assert steps == ["fsync", "rename", "fsync", "fsync", "fsync"]


def test_many_threads_storing_the_same_bytes_agree(blobs: BlobStore):
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(blobs.put(b"same" * 1000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1
    assert len(names) == 8
    assert blobs.get(names[0]) == b"same" * 1000


def test_a_damaged_blob_is_not_handed_out(blobs: BlobStore, tmp_path: Path):
    sha256 = blobs.put(b"scan")
    path = tmp_path / "blobs" / sha256[:2] / sha256[2:4] / sha256
    path.write_bytes(b"scam")
    with pytest.raises(StorageError, match="damaged"):
        blobs.get(sha256)


def test_a_missing_blob_is_told_with_its_cure(blobs: BlobStore):
    with pytest.raises(StorageError, match=r"missing.*backup"):
        blobs.get("0" * 64)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "0" * 63, "G" * 64, "A" * 64])
def test_only_a_sha256_is_a_blob_name(blobs: BlobStore, name: str):
    with pytest.raises(StorageError, match="no blob name"):
        blobs.get(name)


def test_another_fsspec_url_works_the_same(tmp_path: Path):
    blobs = open_blob_store(load_settings(blob_url="memory://octaudit-test", home=tmp_path))
    sha256 = blobs.put(b"scan")
    (tmp_path / "file").write_bytes(b"file")
    assert blobs.get(blobs.put_file(tmp_path / "file")) == b"file"
    assert blobs.get(sha256) == b"scan"


def test_unset_the_blobs_lie_in_the_home(tmp_path: Path):
    blobs = open_blob_store(load_settings(home=tmp_path, blob_url=None))
    blobs.put(b"scan")
    assert (tmp_path / "blobs").is_dir()
