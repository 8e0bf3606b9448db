"""Makes reports: composes, sets, stores and writes down, with an audit event for each. Who may ask is not decided here.

A report that compares a site with its study is made with the worker's rights, by the keeper or the command line; one
that holds nothing but what its asker sees is made at once in the asker's own session.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.clock import now
from core.database.session import Database, session_scope
from core.errors import OctauditError
from core.reports.receipt import receipt_document
from core.reports.scope import Scope
from core.reports.site_card import site_card
from core.reports.study_report import study_report
from core.reports.tip_sheet import tip_sheet
from core.reports.typeset import Document, SetDocument, typeset
from core.reports.versions import Versions, read_versions
from core.storage import BlobStore
from core.store.access import PROGRAM, Actor
from core.store.audit import record_event
from core.store.batch import read_batch, record_blob
from core.store.report import (
    Made,
    NewReport,
    ReportRow,
    add_made,
    find_made,
    read_report,
    record_made,
    record_not_made,
)
from core.store.report_schedule import plan_sendings
from core.store.scan_filter import ScanFilter
from core.usecases.take_reports import make_each
from core.vocabulary import ReasonCode, ReportKind

_LOG = logging.getLogger(__name__)
MEDIA_TYPE = "application/pdf"


@dataclass(frozen=True, slots=True)
class Composed:
    """What a report is to say, and the versions behind it."""

    document: Document
    versions: Versions


def make_asked(database: Database, blobs: BlobStore) -> int:
    """Make the reports that wait, with the worker's rights; return how many. Safe from several keepers at once."""
    return make_each(database, lambda report_id: make_claimed(database, blobs, report_id))


def make_claimed(database: Database, blobs: BlobStore, report_id: int) -> bool:
    """Make a report that was claimed; False, with the reason in its row, where it could not be made."""
    moment = now()
    try:
        with session_scope(database) as session:
            row = read_report(session, report_id)
            composed = compose(session, row.kind, _scope(row), at=moment)
        done = typeset(composed.document, made_at=moment, number=report_id)
        sha256 = blobs.put(done.pdf)
        with session_scope(database) as session:
            made = _made(session, done, composed.versions, sha256, moment)
            if record_made(session, report_id, made):
                _record(session, PROGRAM, row, report_id, made)
                plan_sendings(session, report_id, at=moment)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the other reports have their turn
        _LOG.exception("Report %d could not be made.", report_id)
        with session_scope(database) as session:
            record_not_made(session, report_id, why=_words(error))
        return False
    return True


def compose(session: Session, kind: ReportKind, scope: Scope, *, at: datetime) -> Composed:
    """What a site's card or a study's report says; the session must reach the whole study."""
    document, versions = (site_card if kind is ReportKind.SITE else study_report)(session, scope, at=at)
    return Composed(document, versions)


def make_now(session: Session, blobs: BlobStore, kind: ReportKind, scope: Scope, *, actor: Actor) -> tuple[int, bytes]:
    """Make a site's card or a study's report in this session, keep it, and return its id and its PDF."""
    moment = now()
    composed = compose(session, kind, scope, at=moment)
    done = typeset(composed.document, made_at=moment)
    new = NewReport(
        kind, scope.study_id, scope.site_id if kind is ReportKind.SITE else None, scope.since, scope.until,
        asked_by_id=actor.user_id,
    )  # fmt: skip
    return _keep(session, blobs, new, done, composed.versions, actor=actor, at=moment), done.pdf


def make_receipt(session: Session, blobs: BlobStore, batch_id: int, *, actor: Actor) -> tuple[ReportRow, bytes]:
    """The receipt of a batch as PDF; one of the same content that was made before is given again."""
    moment, head = now(), read_batch(session, batch_id)
    document, _ = receipt_document(session, batch_id, at=moment)
    chosen = ScanFilter(study_id=head.site.study_id, site_id=head.site.site_id)
    versions = read_versions(session, chosen, at=moment)
    new = NewReport(
        ReportKind.RECEIPT, head.site.study_id, head.site.site_id, batch_id=batch_id, asked_by_id=actor.user_id
    )
    return _give(session, blobs, new, Composed(document, versions), actor=actor, at=moment)


def make_tip_sheet(
    session: Session, blobs: BlobStore, study_id: int, code: ReasonCode, *, actor: Actor
) -> tuple[ReportRow, bytes]:
    """The tip sheet of a study about one cause as PDF; one of the same content is given again."""
    moment = now()
    versions = read_versions(session, ScanFilter(study_id=study_id), at=moment)
    new = NewReport(ReportKind.TIPS, study_id, reason=code, asked_by_id=actor.user_id)
    composed = Composed(tip_sheet(session, study_id, code, versions), versions)
    return _give(session, blobs, new, composed, actor=actor, at=moment)


def _give(
    session: Session, blobs: BlobStore, new: NewReport, composed: Composed, *, actor: Actor, at: datetime
) -> tuple[ReportRow, bytes]:
    done = typeset(composed.document, made_at=at)
    found = find_made(session, new.kind, done.content_sha256)
    if found is not None and found.made is not None:
        return found, blobs.get(found.made.pdf_sha256)
    report_id = _keep(session, blobs, new, done, composed.versions, actor=actor, at=at)
    return read_report(session, report_id), done.pdf


def _keep(
    session: Session,
    blobs: BlobStore,
    new: NewReport,
    done: SetDocument,
    versions: Versions,
    *,
    actor: Actor,
    at: datetime,
) -> int:
    made = _made(session, done, versions, blobs.put(done.pdf), at)
    report_id = add_made(session, new, made)
    _record(session, actor, new, report_id, made)
    return report_id


def _made(session: Session, done: SetDocument, versions: Versions, sha256: str, at: datetime) -> Made:
    record_blob(session, sha256=sha256, size_bytes=len(done.pdf), media_type=MEDIA_TYPE)
    return Made(at, sha256, done.content_sha256, done.n_pages, versions.document)


def _record(session: Session, actor: Actor, what: NewReport | ReportRow, report_id: int, made: Made) -> None:
    record_event(
        session, actor=actor, action="report.made", entity="report", entity_id=report_id, study_id=what.study_id,
        site_id=what.site_id,
        after={
            "kind": what.kind.value, "since": f"{what.since or ''}", "until": f"{what.until or ''}",
            "sha256": made.pdf_sha256, "content_sha256": made.content_sha256, "versions": dict(made.versions),
        },
    )  # fmt: skip


def _scope(row: ReportRow) -> Scope:
    assert row.since is not None, "what is asked for has a period (check constraint)"
    assert row.until is not None, "what is asked for has a period (check constraint)"
    return Scope(row.study_id, row.site_id, row.since, row.until)


def _words(error: Exception) -> str:
    # Other errors' texts may hold anything; the type is enough to find the place in the log.
    return str(error) if isinstance(error, OctauditError) else f"An error of the program ({type(error).__name__})."
