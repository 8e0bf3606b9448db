"""Certificates as a table with what each amounts to today, their evidence, their steps. Markup from frozen values."""

from collections.abc import Sequence
from datetime import date

from core.policy.certification import NOTICE_DAYS
from core.store.certificate import CertificateRow, CertificateStepRow
from core.store.evidence import EvidenceScan
from core.vocabulary import CertificateState
from core.wording import KIND_NAMES, SLAB_NAMES, grade_name, scan_type_words
from dashboard.components.markup import Content, Html, chip, count, join, page_link, tag

STATE_WORDS = {
    CertificateState.REQUESTED: "Asked for",
    CertificateState.UNDER_REVIEW: "Evidence under review",
    CertificateState.CERTIFIED: "Certified",
    CertificateState.REFUSED: "Refused",
    CertificateState.RECHECK_DUE: "To be checked anew",
    CertificateState.REPLACED: "Replaced",
    CertificateState.EXPIRED: "Expired",
    CertificateState.SUSPENDED: "Suspended",
}
_TONES = {
    CertificateState.REQUESTED: "info",
    CertificateState.UNDER_REVIEW: "info",
    CertificateState.CERTIFIED: "good",
    CertificateState.REFUSED: "calm",
    CertificateState.RECHECK_DUE: "bad",
    CertificateState.REPLACED: "calm",
    CertificateState.EXPIRED: "bad",
    CertificateState.SUSPENDED: "bad",
}


def is_ending(row: CertificateRow, today: date) -> bool:
    """Whether it holds and ends within the notice."""
    holds = row.standing_on(today) is CertificateState.CERTIFIED
    return holds and row.expires_on is not None and (row.expires_on - today).days <= NOTICE_DAYS


def certificate_words(rows: Sequence[CertificateRow], today: date) -> Html:
    """How many hold, and how many need somebody."""
    stands = [row.standing_on(today) for row in rows]
    asked = sum(state in {CertificateState.REQUESTED, CertificateState.UNDER_REVIEW} for state in stands)
    n_ending = sum(is_ending(row, today) for row in rows)
    ending = f" ({count(n_ending)} of them for at most {NOTICE_DAYS} days more)" if n_ending else ""
    parts = [f"{count(stands.count(CertificateState.CERTIFIED))} hold{ending}"]
    for n, words in (
        (stands.count(CertificateState.EXPIRED), "expired"),
        (stands.count(CertificateState.RECHECK_DUE), "to be checked anew"),
        (stands.count(CertificateState.SUSPENDED), "suspended"),
        (asked, "asked for"),
    ):
        if n:
            parts.append(f"{count(n)} {words}")
    return tag("p", tag("b", f"{', '.join(parts)}."), class_="verdict", role="status")


def certificate_table(rows: Sequence[CertificateRow], today: date) -> Html:
    """One row per certificate; the holder's code leads to its details."""
    heads = ("Holder", "Site", "For", "Serial, software", "State", "Until", "Captures shown")
    head = tag(
        "tr", *(tag("th", words, scope="col") for words in heads[:-1]), tag("th", heads[-1], scope="col", class_="num")
    )
    body = [_row(row, today) for row in rows]
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll", tabindex="0", role="region",
        aria_label="Certificates",
    )  # fmt: skip


def _row(row: CertificateRow, today: date) -> Html:
    state = row.standing_on(today)
    what = "device" if row.device_id is not None else "technician"
    name = f"{what}, {row.holder_name}" if row.holder_name.strip() else what
    device = f"{row.serial}, {row.software_version}" if row.device_id is not None else "–"
    link = page_link(row.holder_code, "certificates", {"certificate": row.id})
    return tag(
        "tr",
        tag("th", link, tag("span", name, class_="name"), scope="row"),
        tag("td", row.site_code),
        tag("td", KIND_NAMES[row.kind]),
        tag("td", device),
        tag("td", chip(STATE_WORDS[state], _TONES[state])),
        tag("td", _until(row, today)),
        tag("td", count(row.n_evidence), class_="num"),
    )


def _until(row: CertificateRow, today: date) -> Content:
    if row.expires_on is None:
        return f"asked {row.requested_at:%d %b %Y}"
    day = f"{row.expires_on:%d %b %Y}"
    if is_ending(row, today):
        days = (row.expires_on - today).days
        return join([day, " ", chip("today" if days == 0 else f"{days} day{'' if days == 1 else 's'} left", "warn")])
    return day


def steps_table(steps: Sequence[CertificateStepRow]) -> Html:
    """Every move, oldest first."""
    items = [
        tag(
            "li",
            tag("b", STATE_WORDS[step.state]),
            f" · {step.at:%d %b %Y, %H:%M} UTC · {step.who or 'octaudit'}",
            tag("p", step.note, class_="words muted") if step.note else None,
        )
        for step in steps
    ]
    return tag("ol", *items, class_="steps")


def evidence_table(scans: Sequence[EvidenceScan], n_needed: int) -> Html:
    """The scans that were shown, and how many captures of them are gradable against those asked for."""
    n_good = len({scan.acquisition_id for scan in scans if scan.is_gradable})
    lead = tag("p", tag("b", f"{count(n_good)} of {count(n_needed)} gradable captures shown."))
    if not scans:
        return lead
    rows = [
        tag(
            "tr",
            tag("th", page_link(evidence_words(scan), "scan", {"id": scan.scan_id}), scope="row"),
            tag("td", f"{scan.acquired_at:%d %b %Y}"),
            tag("td", scan.software_version or "not stated"),
            tag("td", _grade(scan)),
        )
        for scan in scans
    ]
    head = tag(
        "tr", *(tag("th", words, scope="col") for words in ("Scan", "Captured", "Software", "Grade that counts"))
    )
    table = tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll", tabindex="0")
    return join([lead, table])


def evidence_words(scan: EvidenceScan) -> str:
    """Which scan of whom."""
    what = f"{scan_type_words(scan.scan_type)}, {SLAB_NAMES[scan.slab].lower()}"
    return f"{scan.subject_code} · {scan.visit_code} · {scan.laterality} · {what}"


def _grade(scan: EvidenceScan) -> Html:
    if scan.ordinal is None:
        return chip("not decided", "warn")
    return chip(grade_name(scan.ordinal, scan.kind), "good" if scan.is_gradable else "bad")
