"""What leaves as a file: equal to the database, typed, harmless in a spreadsheet, and nothing of another site."""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from access_world import World, make_world
from demo_rows import TODAY, Demo
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from core.clock import pretending
from core.database.roles import DatabaseRole
from core.database.session import Database, open_database, session_scope
from core.database.tables import AuditEvent, Subject
from core.errors import NotAllowedError
from core.reports.export import FORMULA_STARTS, ExportKind, WrittenExport, neutral, write_export
from core.store.access import PROGRAM, current_actor
from core.store.overview import read_overview
from core.store.scan_filter import ScanFilter


def export_demo(demo: Demo, kind: ExportKind, folder: Path) -> WrittenExport:
    with (
        pretending(TODAY),
        open_database(demo.settings, DatabaseRole.OWNER) as owner,
        session_scope(owner) as session,
    ):
        written = write_export(session, ScanFilter(study_id=demo.rows.study_id), kind, folder, actor=PROGRAM)
        session.rollback()  # the demo is read only: its audit event is not kept
        return written


@pytest.fixture(scope="module")
def scans(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(export_demo(demo, ExportKind.SCANS, tmp_path_factory.mktemp("scans")).path)


@pytest.fixture(scope="module")
def rates(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(export_demo(demo, ExportKind.RATES, tmp_path_factory.mktemp("rates")).path)


def read_csv(archive: zipfile.ZipFile, name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(archive.read(name)))


def test_csv_and_parquet_hold_every_scan_of_the_database_with_its_grade_and_versions(
    demo: Demo, scans: zipfile.ZipFile
) -> None:
    with open_database(demo.settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        stored = session.execute(
            text("select s.id, s.state, a.grade_ordinal, m.version, p.number from scan s "
                 "left join assessment a on a.id = s.assessment_id left join model_version m "
                 "on m.id = a.model_version_id left join protocol_version p on p.id = a.protocol_version_id order by 1")
        ).all()  # fmt: skip
    table, frame = pq.read_table(io.BytesIO(scans.read("scans.parquet"))), read_csv(scans, "scans.csv")
    columns = ["scan_id", "state", "model_grade", "model_version", "protocol_version"]
    assert list(zip(*(table.column(name).to_pylist() for name in columns), strict=True)) == [
        tuple(row) for row in stored
    ]
    assert frame["scan_id"].tolist() == [row[0] for row in stored]
    assert frame["state"].tolist() == [row[1] for row in stored]
    assert len(stored) > 500


def test_both_files_say_the_same_in_every_column(scans: zipfile.ZipFile, rates: zipfile.ZipFile) -> None:
    for archive, name in ((scans, "scans"), (rates, "rates")):
        table = pq.read_table(io.BytesIO(archive.read(f"{name}.parquet")))
        rows = list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode("utf-8"))))
        assert list(rows[0]) == table.column_names
        for column in table.column_names:
            written = ["" if value is None else as_written(value) for value in table.column(column).to_pylist()]
            assert [row[column] for row in rows] == written, column


def as_written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def test_counts_by_week_add_up_to_the_overview(demo: Demo, rates: zipfile.ZipFile) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        tally = read_overview(session, ScanFilter(study_id=demo.rows.study_id), today=TODAY.date()).current
    frame = read_csv(rates, "rates.csv")
    sums = {
        name: int(frame[name].sum()) for name in ("received", "decided", "gradable", "final_received", "final_gradable")
    }
    assert sums == {name: getattr(tally, name) for name in sums}
    assert set(frame["protocol_version"].dropna()) <= {1}


def test_every_column_stands_in_the_dictionary_and_the_manifest_has_each_files_hash(scans: zipfile.ZipFile) -> None:
    described = json.loads(scans.read("dictionary.json"))
    frame = read_csv(scans, "scans.csv")
    assert (
        [each["column"] for each in described]
        == list(frame.columns)
        == read_csv(scans, "dictionary.csv")["column"].tolist()
    )
    assert all(each["meaning"] for each in described)
    manifest = json.loads(scans.read("manifest.json"))
    assert set(manifest["files"]) == set(scans.namelist()) - {"manifest.json"}
    for name, facts in manifest["files"].items():
        assert facts == {"sha256": hashlib.sha256(scans.read(name)).hexdigest(), "bytes": len(scans.read(name))}
    assert manifest["rows"] == len(frame)
    assert manifest["versions"]["protocol"] == 1
    assert manifest["versions"]["models"]


def test_no_original_file_name_is_in_any_file(demo: Demo, scans: zipfile.ZipFile) -> None:
    with open_database(demo.settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
        names = session.scalars(text("select original_name from batch_file limit 20")).all()
    columns = list(read_csv(scans, "scans.csv").columns)
    assert not {"file", "original_name", "file_name"} & set(columns)
    everything = b"".join(scans.read(name) for name in scans.namelist())
    assert not any(name.encode() in everything for name in names)


@given(st.text())
def test_no_text_begins_a_formula_and_none_is_lost(typed: str) -> None:
    written = neutral(typed)
    assert not written.startswith(FORMULA_STARTS)
    assert written in {typed, f"'{typed}"}
    assert written.removeprefix("'") == typed.removeprefix("'")


@given(st.sampled_from(FORMULA_STARTS), st.text())
def test_what_would_begin_a_formula_gets_an_apostrophe(start: str, rest: str) -> None:
    assert neutral(start + rest) == f"'{start}{rest}"


@pytest.fixture
def world(owner_database: Database) -> World:
    return make_world(owner_database)


def export_as(dashboard: Database, world: World, name: str, folder: Path) -> zipfile.ZipFile:
    with session_scope(dashboard, token=world.tokens[name]) as session:
        actor = current_actor(session)
        assert actor is not None
        chosen = ScanFilter(study_id=world.study_id)
        return zipfile.ZipFile(write_export(session, chosen, ExportKind.SCANS, folder, actor=actor).path)


@pytest.mark.parametrize(("name", "sites"), [("technician", {"a"}), ("qc_a", {"a"}), ("manager", {"a", "b"})])
def test_a_person_takes_away_the_rows_of_the_own_sites_alone_and_it_is_on_record(
    owner_database: Database, dashboard_database: Database, world: World, tmp_path: Path, *, name: str, sites: set[str]
) -> None:
    archive = export_as(dashboard_database, world, name, tmp_path)
    expected = {getattr(world, f"scan_{site}") for site in sites}
    assert set(read_csv(archive, "scans.csv")["scan_id"]) == expected
    with session_scope(owner_database) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "export")).one()
    assert event.actor_id == world.users[name]
    assert event.after is not None
    assert event.after["rows"] == len(expected)


def test_a_grader_takes_nothing_away(dashboard_database: Database, world: World, tmp_path: Path) -> None:
    with pytest.raises(NotAllowedError, match="takes no results away"):
        export_as(dashboard_database, world, "grader", tmp_path)


def test_a_pseudonym_that_would_be_a_formula_is_harmless_in_csv_and_whole_in_parquet(
    owner_database: Database, dashboard_database: Database, world: World, tmp_path: Path
) -> None:
    with session_scope(owner_database) as session:
        session.execute(update(Subject).where(Subject.site_id == world.a).values(code="=HYPERLINK(1)"))
    archive = export_as(dashboard_database, world, "technician", tmp_path)
    assert read_csv(archive, "scans.csv")["subject"].tolist() == ["'=HYPERLINK(1)"]
    assert pq.read_table(io.BytesIO(archive.read("scans.parquet"))).column("subject").to_pylist() == ["=HYPERLINK(1)"]
