"""Completeness by site, and visits with what each should have brought. Markup from frozen values."""

from collections.abc import Sequence
from datetime import date

from core.store.completeness import SiteCompleteness, SlotCell, SlotState, VisitRow
from core.wording import EYE_NAMES, days_left_words, scan_type_words
from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag

STATE_WORDS = {
    SlotState.GRADABLE: "Gradable",
    SlotState.WAITING: "Received, not decided",
    SlotState.REQUESTED: "To be taken again",
    SlotState.UNGRADABLE: "Ungradable",
    SlotState.NOT_POSSIBLE: "Not possible",
    SlotState.MISSING: "Missing",
}
_TONES = {
    SlotState.GRADABLE: "good",
    SlotState.WAITING: "info",
    SlotState.REQUESTED: "warn",
    SlotState.UNGRADABLE: "bad",
    SlotState.NOT_POSSIBLE: "calm",
}


def site_table(sites: Sequence[SiteCompleteness]) -> Html:
    """One row per site: received of expected, and what is missing."""
    heads = ("Received", "Expected", "Completeness", "Missing, window open", "Missing, window closed")
    head = tag("tr", tag("th", "Site", scope="col"), *(tag("th", words, scope="col", class_="num") for words in heads))
    rows = [
        tag(
            "tr",
            tag("th", page_link(site.site_code, "completeness", {"site": site.site_id}),
                tag("span", f"{site.study_code}, {site.site_name}", class_="name"), scope="row"),
            tag("td", count(site.n_received), class_="num"),
            tag("td", count(site.n_expected), class_="num"),
            tag("td", _rate(site), class_="num"),
            tag("td", count(site.n_missing_open), class_="num"),
            tag("td", count(site.n_missing_closed), class_="num"),
        )
        for site in sites
    ]  # fmt: skip
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label="Completeness by site",
    )  # fmt: skip


def _rate(site: SiteCompleteness) -> str:
    return percent(site.n_received / site.n_expected, 1) if site.n_expected else "nothing expected"


def completeness_words(sites: Sequence[SiteCompleteness]) -> Html:
    """All sites together, with what can still be taken."""
    received, expected = sum(site.n_received for site in sites), sum(site.n_expected for site in sites)
    still = sum(site.n_missing_open for site in sites)
    if not expected:
        return tag("p", "Nothing is expected so far.", class_="verdict", role="status")
    lead = (
        f"{percent(received / expected, 1)} complete: {count(received)} of {count(expected)} expected scans received."
    )
    rest = f" {count(still)} missing can still be taken." if still else ""
    return tag("p", tag("b", lead), rest, class_="verdict", role="status")


def visit_table(visits: Sequence[VisitRow], today: date, *, may_upload: bool) -> Html:
    """One row per visit: its window, and each expected scan with its state; a missing one leads to the upload."""
    head = tag("tr", *(tag("th", words, scope="col") for words in ("Subject, visit", "Plan, window", "Expected scans")))
    rows = [
        tag(
            "tr",
            tag("th", f"{visit.subject_code} · {visit.visit_code}", tag("span", visit.site_code, class_="name"),
                scope="row"),
            tag("td", _plan(visit, today), _window(visit, today)),
            tag("td", *(_slot(slot, visit, today, may_upload=may_upload) for slot in visit.slots)),
        )
        for visit in visits
    ]  # fmt: skip
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label="Visits with what is expected of them",
    )  # fmt: skip


def _plan(visit: VisitRow, today: date) -> Html | None:
    """The planned day, and why the visit does not take place."""
    if visit.called_off_reason:
        return tag("div", chip("called off", "calm"), tag("span", visit.called_off_reason, class_="name"))
    if visit.planned_on is None:
        return None
    ahead = (visit.planned_on - today).days
    words = f"planned {visit.planned_on:%d %b %Y}"
    return tag(
        "div", words, tag("span", f"in {ahead} day{'' if ahead == 1 else 's'}", class_="name") if ahead > 0 else None
    )


def _window(visit: VisitRow, today: date) -> Html | None:
    if visit.called_off_reason:
        return None
    if visit.window_ends_on is None:
        return join(["always open"])
    day = f"{visit.window_ends_on:%d %b %Y}"
    if not visit.is_window_open(today):
        return join([chip("closed", "calm"), tag("span", f"since {day}", class_="name")])
    left = days_left_words((visit.window_ends_on - today).days)
    return join([f"open until {day}", tag("span", left, class_="name")])


def state_words(slot: SlotCell, visit: VisitRow, today: date) -> str:
    """What became of one expected scan, in words."""
    if slot.state is SlotState.MISSING and not visit.is_due(today):
        return "Called off" if visit.called_off_reason else "Planned"
    return STATE_WORDS[slot.state]


def _slot(slot: SlotCell, visit: VisitRow, today: date, *, may_upload: bool) -> Html:
    words = f"{slot.laterality}, {scan_type_words(slot.scan_type)}"
    title = f"{EYE_NAMES[slot.laterality]}, {scan_type_words(slot.scan_type)}"
    if slot.state is SlotState.MISSING and not visit.is_due(today):
        return tag("div", words, " ", chip(state_words(slot, visit, today), "calm", title=title))
    if slot.state is SlotState.MISSING:
        is_open = visit.is_window_open(today)
        mark = chip("Missing" if is_open else "Missing, window closed", "bad" if is_open else "calm", title=title)
        link = page_link("upload it", "upload", {"missing": slot.slot_id}) if may_upload else None
        return tag("div", words, " ", mark, " ", link)
    mark = chip(STATE_WORDS[slot.state], _TONES[slot.state], title=title)
    name = page_link(words, "scan", {"id": slot.scan_id}) if slot.scan_id is not None else words
    return tag("div", name, " ", mark)
