"""Reports and their schedules as tables. Markup from frozen values."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.reports.parts import period_words
from core.store.report import ReportRow
from core.store.report_schedule import Schedule, Sending, Timing
from core.vocabulary import DeliveryState, ReportState, SchedulePace, ScheduleState
from core.wording import REPORT_NAMES, REPORT_STATE_NAMES
from dashboard.components.markup import Content, Html, chip, count, join, tag

_TONES = {ReportState.ASKED: "info", ReportState.MADE: "good", ReportState.FAILED: "bad"}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SENT = {
    DeliveryState.WAITING: ("to be sent to", "info"),
    DeliveryState.SENT: ("sent to", "good"),
    DeliveryState.FAILED: ("not sent to", "bad"),
    DeliveryState.WITHDRAWN: ("withdrawn from", "warn"),
}
SHOWN_HASH = 12


def report_table(reports: Sequence[ReportRow], sendings: Sequence[Sending]) -> Html:
    """One row per report, with its PDF, its hash and to whom it went."""
    by_report: Mapping[int, list[Sending]] = defaultdict(list)
    for sending in sendings:
        by_report[sending.report_id].append(sending)
    heads = ("Report", "About", "Period", "Asked by", "Made", "Pages", "SHA-256", "")
    classes = {"Pages": "num"}
    head = tag("thead", tag("tr", *(tag("th", words, scope="col", class_=classes.get(words)) for words in heads)))
    rows = [_row(report, by_report[report.id]) for report in reports]
    return _scroll("Reports", tag("table", head, tag("tbody", *rows)))


def _row(report: ReportRow, sendings: Sequence[Sending]) -> Html:
    made = report.made
    name = join([REPORT_NAMES[report.kind], tag("span", f"Report {report.id}", class_="name")])
    about = f"{report.study_code} · {report.site_code}" if report.site_code else report.study_code
    period = period_words(report.since, report.until) if report.since and report.until else "–"
    asked_by = "a schedule" if report.schedule_id is not None else report.asked_by or "command line"
    save = _pdf_link(report) if made else ""
    sha256: Content = "–"
    if made:
        sha256 = tag("code", made.pdf_sha256[:SHOWN_HASH], title=f"Of the PDF: {made.pdf_sha256}")
    return tag(
        "tr",
        tag("th", name, scope="row"),
        tag("td", about),
        tag("td", period),
        tag("td", join([asked_by, *(_sending(each) for each in sendings)])),
        tag("td", _state(report)),
        tag("td", count(made.n_pages) if made else "–", class_="num"),
        tag("td", sha256),
        tag("td", save),
    )


def _pdf_link(report: ReportRow) -> Html:
    words = f"PDF of report {report.id}"
    return tag("a", "PDF", href=f"/reports/{report.id}.pdf", download=report.file_name, aria_label=words)


def _state(report: ReportRow) -> Html:
    if report.made:
        return tag("span", f"{report.made.made_at:%d %b %Y, %H:%M} UTC")
    why = tag("div", report.error, class_="small muted") if report.error else None
    return join([chip(REPORT_STATE_NAMES[report.state], _TONES[report.state]), why])


def _sending(sending: Sending) -> Html:
    words, _ = _SENT[sending.state]
    why = f": {sending.error}" if sending.error else ""
    return tag("div", f"{words} {sending.name}{why}", class_="small muted")


def schedule_table(schedules: Sequence[Schedule]) -> Html:
    """One row per schedule that has not ended."""
    heads = ("Schedule", "When", "Period", "To", "Next", "By")
    head = tag("thead", tag("tr", *(tag("th", words, scope="col") for words in heads)))
    return _scroll("Schedules", tag("table", head, tag("tbody", *(_schedule_row(each) for each in schedules))))


def _schedule_row(schedule: Schedule) -> Html:
    is_paused = schedule.state is ScheduleState.PAUSED
    following = chip("paused", "warn") if is_paused else f"{schedule.next_at:%a %d %b %Y, %H:%M} UTC"
    return tag(
        "tr",
        tag("th", schedule_words(schedule), scope="row"),
        tag("td", timing_words(schedule.timing)),
        tag("td", f"{schedule.n_weeks} weeks"),
        tag("td", ", ".join(schedule.recipients)),
        tag("td", following),
        tag("td", schedule.created_by),
    )


def schedule_words(schedule: Schedule) -> str:
    """``Site report card · DEMO · ALDER``, what a schedule is about."""
    parts = (REPORT_NAMES[schedule.kind], schedule.study_code, schedule.site_code or "")
    return " · ".join(part for part in parts if part)


def timing_words(timing: Timing) -> str:
    """``Mondays, 06:00 UTC`` or ``day 1 of the month, 06:00 UTC``."""
    day = f"{_WEEKDAYS[timing.on_day - 1]}s" if timing.every is SchedulePace.WEEK else f"day {timing.on_day} of a month"
    return f"{day}, {timing.hour:02d}:00 UTC"


def _scroll(name: str, table: Html) -> Html:
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=name)
