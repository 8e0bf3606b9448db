"""Reports as PDF, how they are sent, and results to take away. Taking an export is on record, as on the page."""

import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask

from core.errors import NotFoundError, UsageError
from core.reports.export import ExportKind, write_export
from core.reports.make_report import MEDIA_TYPE, make_receipt, make_tip_sheet
from core.store.report import ReportRow, read_report, read_reports
from core.store.report_schedule import read_schedules, read_sendings
from core.store.scan_filter import ScanFilter
from core.usecases.note_export import note_export
from core.usecases.subscribe_to_alerts import ALERTED
from core.vocabulary import ReasonCode
from dashboard.api.documents.base import GivenDay, Id, Listing, Page
from dashboard.api.documents.reports import ReportDocument, ScheduleDocument, SendingDocument
from dashboard.api.guard import Caller, RateReader, ScanReader, UploadReader
from dashboard.api.paging import Paged, cursor
from dashboard.navigation import COMPARERS

router = APIRouter(tags=["reports"])


def _file(media_type: str) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": {media_type: schema}, "description": "The file."}}


PDF, ZIP = _file(MEDIA_TYPE), _file("application/zip")


class ReportsQuery(Paged):
    """A page of reports."""

    study: Id | None = None
    site: Id | None = None


class ExportQuery(BaseModel):
    """What is taken away: one study, maybe one site of it, maybe days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: Id
    site: Id | None = None
    since: GivenDay | None = Field(None, description="First day of acquisition.")
    until: GivenDay | None = Field(None, description="Day after the last.")


ExportAsked = Annotated[ExportQuery, Query()]


@router.get("/reports")
def list_reports(asked: Annotated[ReportsQuery, Query()], caller: RateReader) -> Page[ReportDocument]:
    """Reports that were asked for, the latest first; a page begins after a number of rows."""
    caller.require_role(ALERTED)
    begun = asked.before_id or 0
    with caller.open_session() as session:
        rows = read_reports(session, study_id=asked.study, site_id=asked.site, limit=asked.limit + 1, offset=begun)
    shown = rows[: asked.limit]
    return Page(
        items=[ReportDocument.model_validate(row) for row in shown],
        next=cursor(begun + len(shown)) if len(rows) > asked.limit else None,
    )


@router.get("/reports/{report_id}/report.pdf", response_class=Response, responses=PDF)
def read_report_file(report_id: Annotated[Id, Path()], caller: RateReader) -> Response:
    """A report as it was made."""
    caller.require_role(ALERTED)
    with caller.open_session() as session:
        row = read_report(session, report_id)
        if row.made is None:
            raise NotFoundError(f"Report {row.id} is not made yet.", remedy="Wait a few seconds.")
        return _pdf(session, caller, row, caller.installation.blobs.get(row.made.pdf_sha256))


@router.get("/reports/{report_id}/sendings")
def list_sendings(report_id: Annotated[Id, Path()], caller: RateReader) -> Listing[SendingDocument]:
    """To whom a schedule sent the report, and how that went."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        read_report(session, report_id)
        return Listing(items=[SendingDocument.model_validate(each) for each in read_sendings(session, [report_id])])


@router.get("/report-schedules")
def list_schedules(caller: RateReader) -> Listing[ScheduleDocument]:
    """Reports that are made and sent again and again."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        return Listing(items=[ScheduleDocument.model_validate(each) for each in read_schedules(session)])


@router.get("/batches/{batch_id}/receipt.pdf", response_class=Response, responses=PDF)
def read_receipt_file(batch_id: Annotated[Id, Path()], caller: UploadReader) -> Response:
    """The receipt of a batch as PDF, its scans as they stand now."""
    with caller.open_session() as session:
        return _pdf(session, caller, *make_receipt(session, caller.installation.blobs, batch_id, actor=caller.actor))


@router.get("/studies/{study_id}/tip-sheets/{reason}.pdf", response_class=Response, responses=PDF)
def read_tip_sheet(
    study_id: Annotated[Id, Path()], reason: Annotated[ReasonCode, Path()], caller: RateReader
) -> Response:
    """The sheet about one cause in the words of a study."""
    with caller.open_session() as session:
        made = make_tip_sheet(session, caller.installation.blobs, study_id, reason, actor=caller.actor)
        return _pdf(session, caller, *made)


@router.get("/exports/scans.zip", response_class=Response, responses=ZIP)
def export_scans(asked: ExportAsked, caller: ScanReader) -> Response:
    """Every scan of a selection as CSV and Parquet with dictionary, versions and hashes."""
    return _export(asked, caller, ExportKind.SCANS)


@router.get("/exports/rates.zip", response_class=Response, responses=ZIP)
def export_rates(asked: ExportAsked, caller: RateReader) -> Response:
    """Counts by place and week as CSV and Parquet with dictionary, versions and hashes."""
    return _export(asked, caller, ExportKind.RATES)


def _export(asked: ExportQuery, caller: Caller, kind: ExportKind) -> Response:
    """A ZIP, written to disk in chunks and removed once it is sent."""
    if asked.since is not None and asked.until is not None and asked.since >= asked.until:
        raise UsageError("The days end before they begin.", remedy="`until` is the day after the last.")
    chosen = ScanFilter(study_id=asked.study, site_id=asked.site, since=asked.since, until=asked.until)
    folder = tempfile.TemporaryDirectory(prefix="octaudit-export-")
    try:
        with caller.open_session() as session:
            written = write_export(session, chosen, kind, FilePath(folder.name), actor=caller.actor)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"Cache-Control": "private, no-store"}
    return FileResponse(
        written.path,
        media_type="application/zip",
        filename=written.file_name,
        headers=headers,
        background=BackgroundTask(folder.cleanup),
    )


def _pdf(session: Session, caller: Caller, row: ReportRow, pdf: bytes) -> Response:
    """The file, once it is on record that it was taken."""
    note_export(session, actor=caller.actor, what=row.file_name, study_id=row.study_id, site_id=row.site_id)
    disposition = f"attachment; filename*=UTF-8''{quote(row.file_name)}"
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": disposition}
    return Response(pdf, media_type=MEDIA_TYPE, headers=headers)
