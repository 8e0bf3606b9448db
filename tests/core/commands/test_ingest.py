import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import select
from uploads import Clinic, make_clinic, phantom, png

from core.cli import main
from core.database import tables
from core.database.session import Database, session_scope
from core.intake.manifest import COLUMNS
from core.settings import Settings


@pytest.fixture
def clinic(
    owner_database: Database,
    dashboard_database: Database,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Clinic:
    """A site, and the environment that leads the command to its database."""
    for name, value in settings:
        if name.endswith("_url") and value is not None:
            monkeypatch.setenv(f"OCTAUDIT_{name.upper()}", getattr(value, "get_secret_value", lambda v=value: v)())
    monkeypatch.setenv("OCTAUDIT_HOME", str(settings.home))
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


def write_manifest(path: Path, clinic: Clinic, *rows: dict[str, str]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS)
    writer.writeheader()
    for row in rows:
        writer.writerow({"study": clinic.study, "site": clinic.site} | row)
    path.write_text(buffer.getvalue())


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_a_folder_with_a_manifest_becomes_queued_scans(
    clinic: Clinic, owner_database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    scans = tmp_path / "scans"
    (scans / "deep").mkdir(parents=True)
    (scans / "s.png").write_bytes(png(phantom(1)))
    (scans / "deep" / "d.png").write_bytes(png(phantom(2)))
    row = {name: value for name, value in clinic.row().items() if name != "device"}
    manifest = tmp_path / "m.csv"
    write_manifest(manifest, clinic, row | {"file": "s.png"}, row | {"file": "deep/d.png", "slab": "deep"})

    where = ("--study", clinic.study, "--site", clinic.site, "--device", clinic.device)
    code = run("ingest", scans, *where, "--manifest", manifest)

    assert code == 0, capfd.readouterr().err
    assert "2 accepted, 0 rejected, 0 held" in capfd.readouterr().out
    with session_scope(owner_database) as session:
        assert session.scalars(select(tables.Scan.state)).all() == ["queued", "queued"]


def test_bad_files_are_named_with_their_cure_and_the_exit_says_some_failed(
    clinic: Clinic, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "good.png").write_bytes(png(phantom(1)))
    (tmp_path / "bad.png").write_bytes(b"no image")
    manifest = tmp_path / "m.csv"
    write_manifest(manifest, clinic, clinic.row() | {"file": "good.png"})
    where = ("--study", clinic.study, "--site", clinic.site, "--device", clinic.device)

    code = run("ingest", tmp_path / "good.png", tmp_path / "bad.png", *where, "--manifest", manifest)

    captured = capfd.readouterr()
    assert code == 3
    assert "1 accepted, 1 rejected" in captured.out
    assert "bad.png: rejected: The content is no PNG" in captured.err


def test_an_unknown_site_is_told_in_one_sentence(clinic: Clinic, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    (tmp_path / "good.png").write_bytes(png(phantom(1)))
    code = run("ingest", tmp_path / "good.png", "--study", clinic.study, "--site", "nowhere", "--device", "D")
    assert code == 2
    assert "no site 'nowhere'" in capfd.readouterr().err
