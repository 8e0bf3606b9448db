"""The matrix of sites by indicators: lights with figures, arrows and how long; every cell leads on. Markup only."""

from collections.abc import Mapping

from core.store.worklist import WorklistTab
from core.usecases.flag_sites import Cell, Change, FlagMatrix, Indicator, Light, SiteFlags
from dashboard.components.action_table import seen_by
from dashboard.components.markup import Content, Html, chip, count, join, page_link, percent, tag
from dashboard.filters import Field

HEADS = {
    Indicator.POOR: ("Ungradable", "Share of decided first captures that are ungradable"),
    Indicator.MOTION: ("Motion", "Share of decided first captures with severe motion"),
    Indicator.LOW_SIGNAL: ("Low signal", "Share of decided first captures with severe loss of signal"),
    Indicator.DECENTRATION: ("Off centre", "Share of decided first captures with the fovea far off centre"),
    Indicator.OVERDUE: ("Overdue repeats", "Open requests past the end of their visit window, of all that are open"),
    Indicator.TURN_AROUND: ("Turn-around", "By when nine of ten of the latest 30 scans were decided, from submission"),
}
LIGHT_WORDS = {
    Light.RED: "above the 99.8 % limit",
    Light.AMBER: "above the 95 % limit",
    Light.GREEN: "within the limits",
    Light.UNKNOWN: "too few to judge",
}
SIGNS = {Light.RED: "◆", Light.AMBER: "▲", Light.GREEN: "●", Light.UNKNOWN: "○"}
"""Shapes say what the colours say."""
ARROWS = {Change.WORSE: "↗", Change.BETTER: "↘", Change.SAME: "→"}
ARROW_WORDS = {
    Change.WORSE: "more than in the period before",
    Change.BETTER: "less than in the period before",
    Change.SAME: "as in the period before",
}


def matrix_words(matrix: FlagMatrix) -> Html:
    """How many sites are flagged, which, and how many of them newly."""
    red = matrix.red
    n_new = sum(site.is_newly_red for site in red)
    n_amber = sum(any(cell.light is Light.AMBER for cell in site.cells) and not site.is_red for site in matrix.judged)
    names = f" ({', '.join(site.site.label for site in red)})" if red else ""
    lead = f"{len(red)} of {len(matrix.judged)} sites flagged red{names}, {n_new} newly."
    return tag("p", tag("b", lead), f" {n_amber} more to watch.", class_="verdict", role="status")


def flag_matrix(matrix: FlagMatrix, filters: Mapping[str, str]) -> Html:
    """One row per site, the worst first."""
    heads = [tag("th", name, scope="col", title=hint) for name, hint in HEADS.values()]
    rows = [_row(site, filters) for site in matrix.sites]
    head = tag("thead", tag("tr", tag("th", "Site", scope="col"), *heads, tag("th", scope="col")))
    return tag(
        "div", tag("table", head, tag("tbody", *rows), class_="matrix"), class_="scroll", tabindex="0", role="region",
        aria_label="Sites by indicator",
    )  # fmt: skip


def matrix_rows(matrix: FlagMatrix) -> list[dict[str, object]]:
    """One row per site and indicator, as the download has it."""
    return [
        {
            "site": row.site.label,
            "name": row.site.name,
            "indicator": HEADS[cell.indicator][0],
            "light": cell.light.value,
            "k": cell.k,
            "n": cell.n,
            "share": cell.k / cell.n if cell.n else None,
            "days": cell.days,
            "change": cell.change.value if cell.change else "",
            "in_a_row": cell.n_in_a_row,
            "seen": cell.acknowledged is not None,
        }
        for row in matrix.sites
        for cell in row.cells
    ]


def _row(row: SiteFlags, filters: Mapping[str, str]) -> Html:
    own = {**filters, Field.SITE.value: str(row.site.within.site_id)}
    name = join([page_link(row.site.label, "trends", {**own, "by": "site"}), tag("span", row.site.name, class_="name")])
    cells = [_cell(cell, own) for cell in row.cells]
    act = page_link("Act", "sites", {**filters, "by": "site", "unit": row.site.key})
    return tag("tr", tag("th", name, scope="row"), *cells, tag("td", act), class_=None if row.is_judged else "unsure")


def _cell(cell: Cell, own: Mapping[str, str]) -> Html:
    value, words = _value(cell)
    sign = tag("span", SIGNS[cell.light], class_=f"sign {cell.light}", aria_hidden="true")
    arrow = tag("span", ARROWS[cell.change], title=ARROW_WORDS[cell.change], class_="arrow") if cell.change else None
    link = page_link(join([sign, " ", value]), *_target(cell, own))
    return tag("td", link, arrow, _badge(cell), class_=f"light {cell.light}", title=words)


def _value(cell: Cell) -> tuple[Content, str]:
    """What stands in the cell, and what hovers over it."""
    match cell.indicator:
        case Indicator.OVERDUE:
            return f"{count(cell.k)} of {count(cell.n)}", f"{cell.k} of {cell.n} open requests are past their day"
        case Indicator.TURN_AROUND if cell.days is None:
            words = f"{count(cell.k)} of the latest {count(cell.n)} scans are decided"
            return ("–", "no scan yet") if not cell.n else ("still open", words)
        case Indicator.TURN_AROUND:
            return _days(cell.days or 0.0), f"nine of ten of the latest {count(cell.n)} scans"
        case _:
            share = percent(cell.k / cell.n) if cell.n else "–"
            return share, f"{count(cell.k)} of {count(cell.n)}, {LIGHT_WORDS[cell.light]}"


def _badge(cell: Cell) -> Html | None:
    if cell.acknowledged is not None:
        return chip("seen", "good", title=f"Acknowledged by {seen_by([cell.acknowledged])}")
    if cell.n_in_a_row == 1:
        return chip("new", "warn", title="Not flagged four weeks ago")
    if cell.n_in_a_row > 1:
        return chip(f"{cell.n_in_a_row}× in a row", title="Looks four weeks apart that flagged it without a break")
    return None


def _target(cell: Cell, own: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Where a cell leads: rates to trend or causes, work to its list."""
    site = {Field.SITE.value: own[Field.SITE.value]}
    match cell.indicator:
        case Indicator.POOR:
            return "trends", {**own, "by": "site"}
        case Indicator.OVERDUE:
            return "worklist", {**site, "tab": WorklistTab.REACQUIRE.value}
        case Indicator.TURN_AROUND:
            return "worklist", {**site, "tab": WorklistTab.TO_DECIDE.value}
        case _:
            return "why", dict(own)


def _days(days: float) -> str:
    if days < 1.0:
        minutes = days * 24 * 60
        return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"  # noqa: PLR2004 - two hours
    return f"{days:.1f} days"
