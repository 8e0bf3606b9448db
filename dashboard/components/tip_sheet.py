"""The tip sheet: per cause what it looks like, what cures it, how often it occurs, and example scans. Markup only."""

from collections.abc import Mapping
from urllib.parse import quote

from core.charts.causes import CURES, cure_counts, top_cause
from core.policy.reasons import REASON_TEXTS
from core.store.cause import FindingCounts
from core.vocabulary import OperatorFixable, ReasonCode
from core.wording import REASON_NAMES
from dashboard.components.markup import Content, Html, chip, count, join, page_link, percent, tag

_TONES = {OperatorFixable.YES: "info", OperatorFixable.UNKNOWN: "warn", OperatorFixable.NO: "calm"}


def tip_sheet(counts: FindingCounts, filters: Mapping[str, str], study_id: int | None = None) -> Html:
    """One entry per cause, the most frequent first; of one study each with its sheet to hand to a site."""
    ordered = sorted(counts.causes.items(), key=lambda item: (-counts.first_causes.get(item[0], 0), -item[1], item[0]))
    return tag("div", *(_tip(code, n, counts, filters, study_id) for code, n in ordered), class_="tips")


def _tip(code: ReasonCode, n: int, counts: FindingCounts, filters: Mapping[str, str], study_id: int | None) -> Html:
    words = REASON_TEXTS[code]
    scans = page_link("Example scans", "examples", {**filters, "reason": code.value, "grade": "0"})
    often = f"{count(n)} of {count(counts.failed)} failures ({percent(n / counts.failed)})"
    head = tag(
        "div", tag("b", words.label), chip(CURES[words.operator_fixable], _TONES[words.operator_fixable]), class_="head"
    )
    return tag(
        "article",
        head,
        tag("p", words.text),
        tag("p", tag("b", "What to do: "), words.remedy),
        tag("p", join([often, scans, *_sending(code, filters, study_id)], " · "), class_="small muted"),
        class_="tip",
    )


def _sending(code: ReasonCode, filters: Mapping[str, str], study_id: int | None) -> list[Html]:
    """The sheet as a file, and where one site is chosen the way to an issue with it, which its technicians see."""
    if study_id is None:
        return []
    links = [tag("a", "Tip sheet (PDF)", href=f"/tips/{study_id}/{quote(code.value)}.pdf", download=True)]
    if site := filters.get("site"):
        links.append(page_link("Open an issue with the site", "sites", {**filters, "by": "site", "unit": site}))
    return links


def cause_words(counts: FindingCounts) -> Html:
    """The main cause, operator or patient, and whether taking scans again helped, in sentences."""
    top = top_cause(counts)
    lead = f"{count(counts.failed)} of {count(counts.decided)} first captures are ungradable."
    parts: list[Content] = [tag("b", lead)]
    if top is not None:
        code, n = top
        parts.append(f"Most often: {REASON_NAMES[code].lower()} ({percent(n / counts.failed)} of the failures).")
    cures = cure_counts(counts)
    shares = [f"{percent(n / counts.failed)} {CURES[fixable]}" for fixable, n in cures.items() if n]
    parts.append(f"Operator or patient? {', '.join(shares)}.")
    if counts.repeated:
        share = percent(counts.repeated_gradable / counts.repeated)
        helped = f"{count(counts.repeated_gradable)} of {count(counts.repeated)} cases ({share})"
        parts.append(f"Taking scans again helped in {helped}.")
    else:
        parts.append("No scan was taken again yet.")
    return tag("p", join(parts, " "), class_="verdict", role="status")
