"""Sends made reports to the recipients of their schedule, each once; what fails is tried again and stops nobody else's.

A sending is claimed in one transaction, sent outside of any, and written down in another, as alerts are. Whether the
person may still have the report is asked right before it goes.
"""

import logging
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime

from core.alerting.mail import send_mail
from core.clock import now
from core.database.session import Database, session_scope
from core.errors import NotDeliveredError
from core.reports.parts import period_words
from core.settings import Settings
from core.storage import BlobStore
from core.store.report import ReportRow, read_report
from core.store.report_schedule import MAX_ATTEMPTS, Parcel, claim_sendings, may_get_report, record_sending
from core.vocabulary import DeliveryState, ReportKind

_LOG = logging.getLogger(__name__)
PARCELS_PER_ROUND = 20
_TITLES = {ReportKind.SITE: "site report card", ReportKind.STUDY: "study quality report"}


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a round went, in messages."""

    n_sent: int
    n_not_sent: int


def send_reports(database: Database, settings: Settings, blobs: BlobStore) -> Delivered:
    """Send what is due, with the worker's rights; safe to run from several keepers at once."""
    with session_scope(database) as session:
        parcels = claim_sendings(session, at=now(), limit=PARCELS_PER_ROUND)
    outcomes = [_send(database, settings, blobs, parcel) for parcel in parcels]
    return Delivered(outcomes.count(True), outcomes.count(False))


def _send(database: Database, settings: Settings, blobs: BlobStore, parcel: Parcel) -> bool | None:
    """Whether it was sent; None where it is not to be sent any more."""
    with session_scope(database) as session:
        report = read_report(session, parcel.report_id)
        is_allowed = may_get_report(
            session, parcel.user_id, kind=report.kind, study_id=report.study_id, site_id=report.site_id
        )
        if not (is_allowed and parcel.is_wanted):
            why = "The schedule has ended." if is_allowed else "No role reaches it any more."
            record_sending(session, parcel.sending_id, DeliveryState.WITHDRAWN, why=why)
            return None
    try:
        _post(settings, blobs, parcel, report)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the others have their turn
        why, is_final = _reason(error)
        state = DeliveryState.FAILED if is_final or parcel.attempt >= MAX_ATTEMPTS else DeliveryState.WAITING
        _LOG.warning("Report %d was not sent: %s", parcel.report_id, why)
        with session_scope(database) as session:
            record_sending(session, parcel.sending_id, state, why=why)
        return False
    with session_scope(database) as session:
        record_sending(session, parcel.sending_id, DeliveryState.SENT, at=now())
    return True


def _post(settings: Settings, blobs: BlobStore, parcel: Parcel, report: ReportRow) -> None:
    if parcel.address is None:
        raise NotDeliveredError("No e-mail address is confirmed on the page Alerts.", is_final=True)
    assert report.made is not None, "a sending is planned once the report is made"
    pdf = blobs.get(report.made.pdf_sha256)
    name = f"octaudit-report-{parcel.report_id}-{parcel.sending_id}"
    send_mail(settings, compose_letter(settings, report, pdf, to=parcel.address, message_id=name))


def compose_letter(settings: Settings, report: ReportRow, pdf: bytes, *, to: str, message_id: str) -> EmailMessage:
    """The mail with the PDF attached; its text holds no figure, so that nothing leaks into a preview."""
    assert report.since is not None, "a scheduled report has a period"
    assert report.until is not None, "a scheduled report has a period"
    assert report.made is not None, "what is sent is made"
    where = f"{report.study_code}, {report.site_code}" if report.site_code else report.study_code
    message = EmailMessage()
    message["From"] = settings.smtp_sender
    message["To"] = to
    message["Subject"] = f"octaudit: {_TITLES[report.kind]} {where}"
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{message_id}@{settings.smtp_sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    page = f"{settings.public_url.rstrip('/')}/reports" if settings.public_url else "the page Reports of octaudit"
    message.set_content(
        f"The {_TITLES[report.kind]} of {where} is attached.\n\n"
        f"  Period   {period_words(report.since, report.until)}\n"
        f"  Report   {report.id}, made {report.made.made_at:%d %b %Y %H:%M} UTC\n"
        f"  SHA-256  {report.made.pdf_sha256}\n\n"
        f"It comes by a schedule; a manager of the study changes it on {page}.\n"
    )
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename=report.file_name)
    return message


def _reason(error: Exception) -> tuple[str, bool]:
    if isinstance(error, NotDeliveredError):
        return error.message, error.is_final
    # Its text may hold an address; the type is enough to find the place.
    return f"octaudit could not make the message ({type(error).__name__}).", False
