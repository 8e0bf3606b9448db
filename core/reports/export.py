"""Writes an export: CSV and Parquet of the same rows, their dictionary, and a manifest with a hash of every file.

Rows go through in chunks, so that memory stays bounded however many scans there are. Text that a spreadsheet would run
as a formula gets an apostrophe before it in the CSV file, and there alone: numbers stay numbers, and Parquet has types.
"""

import csv
import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetWriter
from sqlalchemy.orm import Session

from core.clock import now
from core.errors import NotAllowedError
from core.reports.versions import read_versions
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.export import ColumnKind, Export, ExportColumn, rate_export, read_chunks, scan_export
from core.store.report_facts import read_study
from core.store.scan_filter import ScanFilter
from core.usecases.ask_report import STAFF

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - Excel reads wide signs, too
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""
_TYPES = {
    ColumnKind.TEXT: pa.string(),
    ColumnKind.INTEGER: pa.int64(),
    ColumnKind.NUMBER: pa.float64(),
    ColumnKind.YES_NO: pa.bool_(),
    ColumnKind.MOMENT: pa.timestamp("us", tz="UTC"),
    ColumnKind.DAY: pa.date32(),
}
_HASH_CHUNK = 1 << 20


class ExportKind(StrEnum):
    """What is exported."""

    SCANS = "scans"
    RATES = "rates"


_EXPORTS: dict[ExportKind, Callable[[ScanFilter], Export]] = {
    ExportKind.SCANS: scan_export,
    ExportKind.RATES: rate_export,
}


@dataclass(frozen=True, slots=True)
class WrittenExport:
    """The archive, the name it should be saved under, and how many rows it holds."""

    path: Path
    file_name: str
    n_rows: int


def write_export(
    session: Session, chosen: ScanFilter, kind: ExportKind, folder: Path, *, actor: Actor
) -> WrittenExport:
    """Write a ZIP of what this session may see under ``chosen`` into ``folder``, with an audit event.

    Raises NotAllowedError where the person has no role that may take results away; a grader has none.
    """
    assert chosen.study_id is not None, "an export is of one study"
    if actor is not PROGRAM and not actor.has_role(*STAFF, study_id=chosen.study_id, site_id=chosen.site_id):
        raise NotAllowedError(
            "Your role takes no results away.", remedy="Ask a manager; graders see no results before grading."
        )
    moment, study = now(), read_study(session, chosen.study_id)
    export = _EXPORTS[kind](chosen)
    n_rows = _write_rows(session, export, folder / f"{kind}.csv", folder / f"{kind}.parquet")
    _write_dictionary(export.columns, folder)
    files = sorted(path for path in folder.iterdir() if path.suffix in {".csv", ".parquet", ".json"})
    manifest = {
        "octaudit": version("octaudit"), "export": kind.value, "study": study.code, "made_at": moment.isoformat(),
        "since": f"{chosen.since or ''}", "until_before": f"{chosen.until or ''}", "rows": n_rows,
        "versions": read_versions(session, chosen, at=moment).document,
        "formulas": "In the CSV files an apostrophe stands before text that a spreadsheet would run as a formula.",
        "files": {path.name: {"sha256": _sha256(path), "bytes": path.stat().st_size} for path in files},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    path = _zip([*files, folder / "manifest.json"], folder / "export.zip", moment)
    _record(session, actor, chosen, kind, manifest, sha256=_sha256(path))
    return WrittenExport(path, f"octaudit-{study.code}-{kind}-{moment:%Y-%m-%d}.zip", n_rows)


def neutral(text: str) -> str:
    """Text that no spreadsheet runs: an apostrophe stands before what would begin a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _write_rows(session: Session, export: Export, csv_path: Path, parquet_path: Path) -> int:
    columns, n_rows = export.columns, 0
    schema = pa.schema([pa.field(column.name, _TYPES[column.kind]) for column in columns])
    with csv_path.open("w", newline="", encoding="utf-8") as file, ParquetWriter(parquet_path, schema) as parquet:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        for rows in read_chunks(session, export):
            writer.writerows([_csv_cells(columns, row) for row in rows])
            arrays = [
                pa.array([row[place] for row in rows], _TYPES[column.kind]) for place, column in enumerate(columns)
            ]
            parquet.write_batch(pa.record_batch(arrays, schema=schema))
            n_rows += len(rows)
    return n_rows


def _csv_cells(columns: Sequence[ExportColumn], row: Sequence[Any]) -> list[str]:
    return [_csv_cell(column.kind, value) for column, value in zip(columns, row, strict=True)]


def _csv_cell(kind: ColumnKind, value: Any) -> str:
    """Empty where there is no value; moments in ISO 8601, numbers so that reading them gives the same number."""
    if value is None:
        return ""
    match kind:
        case ColumnKind.TEXT:
            return neutral(str(value))
        case ColumnKind.MOMENT | ColumnKind.DAY:
            return str(value.isoformat())
        case ColumnKind.YES_NO:
            return "true" if value else "false"
        case _:
            return repr(float(value)) if kind is ColumnKind.NUMBER else str(int(value))


def _write_dictionary(columns: Sequence[ExportColumn], folder: Path) -> None:
    rows = [
        {"column": each.name, "kind": each.kind.value, "unit": each.unit, "meaning": each.meaning} for each in columns
    ]
    with (folder / "dictionary.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "dictionary.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _zip(files: Sequence[Path], path: Path, moment: datetime) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, moment.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_STORED if file.suffix == ".parquet" else zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as target, file.open("rb") as source:
                while block := source.read(_HASH_CHUNK):
                    target.write(block)
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _record(
    session: Session, actor: Actor, chosen: ScanFilter, kind: ExportKind, manifest: dict[str, Any], *, sha256: str
) -> None:
    kept = ("since", "until_before", "rows", "versions")
    after = {"kind": kind.value, "sha256": sha256, **{name: manifest[name] for name in kept}}
    record_event(
        session, actor=actor, action="export", entity="export", entity_id=None, study_id=chosen.study_id,
        site_id=chosen.site_id, after=after,
    )  # fmt: skip
