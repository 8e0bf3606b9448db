"""The matrix of sites by indicator in words and figures, alike on the page and in reports. Draws no markup."""

from core.usecases.flag_sites import Cell, Change, FlagMatrix, Indicator, Light
from core.wording import count, days_words, percent

HEADS = {
    Indicator.POOR: ("Ungradable", "Share of decided first captures that are ungradable"),
    Indicator.MOTION: ("Motion", "Share of decided first captures with severe motion"),
    Indicator.LOW_SIGNAL: ("Low signal", "Share of decided first captures with severe loss of signal"),
    Indicator.DECENTRATION: ("Off centre", "Share of decided first captures with the fovea far off centre"),
    Indicator.DEVIATION: ("Off protocol", "Share of decided first captures that are not as the protocol says"),
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


def matrix_sentences(matrix: FlagMatrix) -> tuple[str, str]:
    """How many sites are flagged, which, and how many of them newly; and how many are to be watched."""
    red = matrix.red
    n_new = sum(site.is_newly_red for site in red)
    n_amber = sum(any(cell.light is Light.AMBER for cell in site.cells) and not site.is_red for site in matrix.judged)
    names = f" ({', '.join(site.site.label for site in red)})" if red else ""
    lead = f"{len(red)} of {len(matrix.judged)} sites flagged red{names}, {n_new} newly."
    return lead, f"{n_amber} more to watch."


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


def cell_words(cell: Cell) -> tuple[str, str]:
    """What stands in the cell, and what hovers over it."""
    match cell.indicator:
        case Indicator.OVERDUE:
            return f"{count(cell.k)} of {count(cell.n)}", f"{cell.k} of {cell.n} open requests are past their day"
        case Indicator.TURN_AROUND if cell.days is None:
            words = f"{count(cell.k)} of the latest {count(cell.n)} scans are decided"
            return ("–", "no scan yet") if not cell.n else ("still open", words)
        case Indicator.TURN_AROUND:
            return days_words(cell.days or 0.0), f"nine of ten of the latest {count(cell.n)} scans"
        case _:
            share = percent(cell.k / cell.n) if cell.n else "–"
            return share, f"{count(cell.k)} of {count(cell.n)}, {LIGHT_WORDS[cell.light]}"
