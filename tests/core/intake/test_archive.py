import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uploads import zipped

from core.errors import UnreadableScanError
from core.intake.archive import ArchiveLimits, Member, unpack

LIMITS = ArchiveLimits(max_entries=20, max_file_bytes=5_000_000, max_total_bytes=10_000_000)


@pytest.fixture
def opened(tmp_path: Path):
    def opened(data: bytes, limits: ArchiveLimits = LIMITS) -> list[Member]:
        archive, folder = tmp_path / "a.zip", tmp_path / "out"
        archive.write_bytes(data)
        folder.mkdir(exist_ok=True)
        return list(unpack(archive, folder, limits))

    return opened


def codes(members: list[Member]) -> dict[str, str | None]:
    return {member.name: member.problem.code if member.problem else None for member in members}


def test_files_in_folders_are_unpacked_under_names_of_our_own(opened, tmp_path: Path):
    members = opened(zipped({"a.png": b"1", "deep/folder/b.png": b"22"}))
    assert codes(members) == {"a.png": None, "deep/folder/b.png": None}
    assert [member.path.read_bytes() for member in members] == [b"1", b"22"]
    assert {member.path.parent for member in members} == {tmp_path / "out"}
    assert [member.size_bytes for member in members] == [1, 2]


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "..\\evil.png", "C:\\evil.png", "\\evil.png"]
)
def test_a_name_that_leads_out_is_refused_and_the_rest_goes_on(opened, tmp_path: Path, name: str):
    found = codes(opened(zipped({name: b"evil", "good.png": b"good"})))
    assert sorted(found.values(), key=str) == [None, "unsafe_path"]
    assert not list(tmp_path.rglob("*evil*"))


def test_a_symbolic_link_is_refused(opened):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.png", b"good")
    assert codes(opened(buffer.getvalue())) == {"link.png": "symbolic_link", "good.png": None}


def test_an_archive_in_the_archive_is_refused(opened):
    inner = zipped({"a.png": b"1"})
    assert codes(opened(zipped({"inner.zip": inner, "scan.png": inner, "good.png": b"1"}))) == {
        "inner.zip": "nested_archive",
        "scan.png": "nested_archive",  # by its content, whatever it is called
        "good.png": None,
    }


def test_a_name_that_differs_only_in_case_is_a_duplicate(opened):
    assert codes(opened(zipped({"a/Scan.png": b"1", "A\\scan.PNG": b"2"})))["A\\scan.PNG"] == "duplicate_name"


def test_the_same_name_twice_is_a_duplicate(opened):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", b"2")
    first, second = opened(buffer.getvalue())
    assert first.problem is None
    assert second.problem is not None
    assert second.problem.code == "duplicate_name"


def test_an_encrypted_entry_is_refused(opened):
    data = bytearray(zipped({"a.png": b"1" * 50}, zipfile.ZIP_STORED))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at] |= 1
    assert codes(opened(bytes(data))) == {"a.png": "encrypted"}


def test_a_bomb_is_stopped_while_it_unpacks_and_leaves_nothing(opened, tmp_path: Path):
    limits = ArchiveLimits(20, 500_000_000, 500_000_000)
    found = codes(opened(zipped({"bomb.png": b"\0" * 60_000_000, "good.png": b"1"}), limits))
    assert found == {"bomb.png": "zip_bomb", "good.png": None}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["member-1"]


def test_a_size_that_the_archive_lies_about_does_not_help(opened):
    data = bytearray(zipped({"bomb.png": b"\0" * 8_000_000}))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    (member,) = opened(bytes(data))
    assert member.problem is not None
    assert member.path is None


def test_a_member_and_a_total_beyond_the_limit_are_refused(opened):
    big = bytes(range(256)) * 4000  # about 1 MB that packs badly enough
    limits = ArchiveLimits(20, max_file_bytes=2_000_000, max_total_bytes=2_500_000)
    found = codes(opened(zipped({"huge": big * 3, "a": big, "b": big, "c": big}, zipfile.ZIP_STORED), limits))
    assert found == {"huge": "file_too_large", "a": None, "b": None, "c": "archive_too_large"}


def test_what_a_desktop_adds_is_left_out_silently(opened):
    junk = {"__MACOSX/._a.png": b"x", "Thumbs.db": b"x", "folder/.DS_Store": b"x", "._b.png": b"x"}
    assert codes(opened(zipped({"a.png": b"1"} | junk))) == {"a.png": None}


class TestArchivesRefusedAsAWhole:
    def refusal(self, opened, data: bytes, limits: ArchiveLimits = LIMITS) -> str:
        with pytest.raises(UnreadableScanError) as raised:
            opened(data, limits)
        assert raised.value.remedy
        return raised.value.code

    def test_cut_off(self, opened):
        data = zipped({"a.png": b"1" * 1000})
        assert self.refusal(opened, data[: len(data) // 2]) == "damaged_zip"

    def test_without_files(self, opened):
        assert self.refusal(opened, zipped({})) == "empty_zip"

    def test_with_too_many_files(self, opened):
        assert self.refusal(opened, zipped({f"{n}.png": b"1" for n in range(21)})) == "too_many_entries"

    def test_with_a_directory_that_would_fill_the_memory(self, opened):
        """Refused by the size of its directory, before zipfile reads a million entries."""
        data = zipped({f"{n}-{'x' * 200}.png": b"" for n in range(9000)}, zipfile.ZIP_STORED)
        with pytest.raises(UnreadableScanError, match="far too many"):
            opened(data)

    def test_that_is_a_workbook(self, opened):
        assert self.refusal(opened, zipped({"[Content_Types].xml": b"<x/>"})) == "office_document"


@settings(max_examples=150, deadline=None)
@given(at=st.floats(0, 1), byte=st.integers(0, 255), cut=st.floats(0.1, 1))
def test_no_damage_raises_anything_but_an_unreadable_archive(
    tmp_path_factory: pytest.TempPathFactory, at: float, byte: int, cut: float
):
    folder = tmp_path_factory.getbasetemp() / "unpacked"
    folder.mkdir(exist_ok=True)
    data = bytearray(zipped({"a.png": b"first" * 50, "folder/b.png": b"second" * 50}))
    data[min(int(at * len(data)), len(data) - 1)] = byte
    archive = folder / "damaged.zip"
    archive.write_bytes(bytes(data[: int(cut * len(data)) + 1]))
    try:
        members = list(unpack(archive, folder, LIMITS))
    except UnreadableScanError:
        return
    assert all((member.path is None) != (member.problem is None) for member in members)
