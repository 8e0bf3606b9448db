"""The matrix of sites by indicators: lights with figures, arrows and how long; every cell leads on. Markup only."""

from collections.abc import Mapping, Sequence

from core.charts.matrix import ARROW_WORDS, ARROWS, HEADS, SIGNS, cell_words, matrix_sentences
from core.store.worklist import WorklistTab
from core.usecases.flag_sites import Cell, FlagMatrix, Indicator, SiteFlags
from dashboard.components.action_table import seen_by
from dashboard.components.markup import Html, chip, join, page_link, tag
from dashboard.filters import Field


def matrix_words(matrix: FlagMatrix) -> Html:
    """How many sites are flagged, which, and how many of them newly."""
    lead, rest = matrix_sentences(matrix)
    return tag("p", tag("b", lead), f" {rest}", class_="verdict", role="status")


def flag_matrix(sites: Sequence[SiteFlags], filters: Mapping[str, str]) -> Html:
    """One row per site in the given order."""
    heads = [tag("th", name, scope="col", title=hint) for name, hint in HEADS.values()]
    rows = [_row(site, filters) for site in sites]
    head = tag("thead", tag("tr", tag("th", "Site", scope="col"), *heads, tag("th", scope="col")))
    return tag(
        "div", tag("table", head, tag("tbody", *rows), class_="matrix"), class_="scroll", tabindex="0", role="region",
        aria_label="Sites by indicator",
    )  # fmt: skip


def _row(row: SiteFlags, filters: Mapping[str, str]) -> Html:
    own = {**filters, Field.SITE.value: str(row.site.within.site_id)}
    name = join([page_link(row.site.label, "trends", {**own, "by": "site"}), tag("span", row.site.name, class_="name")])
    cells = [_cell(cell, own) for cell in row.cells]
    why = page_link("Why", "why", own)
    act = page_link("Act", "sites", {**filters, "by": "site", "unit": row.site.key})
    report = page_link("Report", "reports", {Field.SITE.value: own[Field.SITE.value]})
    links = tag("td", join([why, act, report], " "), class_="links")
    return tag("tr", tag("th", name, scope="row"), *cells, links, class_=None if row.is_judged else "unsure")


def _cell(cell: Cell, own: Mapping[str, str]) -> Html:
    value, words = cell_words(cell)
    sign = tag("span", SIGNS[cell.light], class_=f"sign {cell.light}", aria_hidden="true")
    arrow = tag("span", ARROWS[cell.change], title=ARROW_WORDS[cell.change], class_="arrow") if cell.change else None
    link = page_link(join([sign, " ", value]), *_target(cell, own))
    return tag("td", link, arrow, _badge(cell), class_=f"light {cell.light}", title=words)


def _badge(cell: Cell) -> Html | None:
    if cell.acknowledged is not None:
        return chip("seen", "good", title=f"Acknowledged by {seen_by([cell.acknowledged])}")
    if cell.n_in_a_row == 1:
        return chip("new", "warn", title="Not flagged four weeks ago")
    if cell.n_in_a_row > 1:
        return chip(f"{cell.n_in_a_row}× in a row", title="Looks four weeks apart that flagged it without a break")
    return None


def _target(cell: Cell, own: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Where a cell leads: rates to their trend, work to its list."""
    site = {Field.SITE.value: own[Field.SITE.value]}
    match cell.indicator:
        case Indicator.OVERDUE:
            return "worklist", {**site, "tab": WorklistTab.REACQUIRE.value}
        case Indicator.TURN_AROUND:
            return "worklist", {**site, "tab": WorklistTab.TO_DECIDE.value}
        case Indicator.POOR:
            return "trends", {**own, "by": "site"}
        case _:
            return "trends", {**own, "by": "site", "of": cell.indicator.value}
