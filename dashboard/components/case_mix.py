"""Standardised rates in words and a table: observed against expected, and what was adjusted for. Markup from values."""

from core.charts.funnel import MOST_IN_FOREST, Estimate
from core.statistics.standardisation import StandardisedRate
from core.usecases.judge_units import UnitComparison
from core.usecases.standardise_units import MIN_STRATUM, StandardisedUnits
from core.values import NotComputable
from dashboard.components.markup import Html, count, page_link, percent, tag
from dashboard.components.plain_table import plain_table
from dashboard.components.unit_words import KIND_NAMES
from dashboard.filters import filter_query

ESTIMATE_NAMES = {
    Estimate.CRUDE: "Crude",
    Estimate.SHRUNKEN: "Shrunken",
    Estimate.STANDARDISED: "Standardised for case mix",
}
_HEADS = (
    ("Observed", "Ungradable first captures"), ("Expected", "As many as these cases would have at the usual rates"),
    ("Observed / expected", "1 is as expected, with its 95 % interval"),
    ("Standardised", "Observed / expected times the usual rate"), ("Crude", "Ungradable / decided in the same time"),
    ("p", "Two-sided, observed against expected, on the effective number"),
)  # fmt: skip
_SMALLEST_SHOWN = 0.001


def adjusted_words(cases: StandardisedUnits) -> str:
    """What was adjusted for, and on how many captures it rests."""
    adjusted = ["kind and field of the scan"]
    missing = []
    for name, n in (("age by decade", cases.n_with_age), ("diagnosis", cases.n_with_diagnosis)):
        if n:
            adjusted.append(f"{name} (given for {count(n)} of {count(cases.n_captures)})")
        else:
            missing.append(name)
    absent = f" Not given and so not adjusted for: {' and '.join(missing)}." if missing else ""
    extreme = f" {', '.join(cases.left_out)} has no say in the standard." if len(cases.left_out) == 1 else ""
    if len(cases.left_out) > 1:
        extreme = f" {', '.join(cases.left_out)} have no say in the standard."
    return (
        f"Adjusted for {', '.join(adjusted)}: {len(cases.strata)} kinds of cases, those with fewer than {MIN_STRATUM} "
        f"captures put together, of {count(cases.n_captures)} first captures since {cases.since:%d %b %Y}.{absent}"
        f"{extreme} Assumes one odds ratio of a unit over all kinds of cases; ratios of units with very different "
        "cases do not compare directly."
    )


def case_mix_table(comparison: UnitComparison, cases: StandardisedUnits, filters: dict[str, str]) -> Html:
    """One row per unit of the forest, in the order of concern: observed, expected, ratio, rates."""
    title = KIND_NAMES[comparison.kind]
    heads = [tag("th", name, scope="col", class_="num", title=hint) for name, hint in _HEADS]
    rows = []
    for unit in comparison.units[:MOST_IN_FOREST]:
        own = {**filters, **filter_query(unit.unit.within), "by": comparison.kind.value}
        name = tag("th", page_link(unit.unit.label, "trends", own), scope="row")
        found = cases.rates.get(unit.unit.key, NotComputable("no capture in this time"))
        cells = [tag("td", cell, class_="num") for cell in _cells(found, cases.counted.get(unit.unit.key, 0))]
        rows.append(tag("tr", name, *cells, class_=None if unit.is_judged else "unsure"))
    head = tag("thead", tag("tr", tag("th", title, scope="col"), *heads))
    return tag(
        "div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label="Observed and expected",
    )  # fmt: skip


def case_rows(cases: StandardisedUnits) -> list[dict[str, object]]:
    """One row per kind of case that was told apart, the most frequent first."""
    return [{"kind": kind, "decided": n, "ungradable": k, "rate": k / n} for kind, k, n in _most_frequent(cases)]


def _most_frequent(cases: StandardisedUnits) -> list[tuple[str, int, int]]:
    found = [(kind, k, n) for kind, (k, n) in cases.strata.items() if n]
    return sorted(found, key=lambda each: (-each[2], each[0]))


def case_kinds_table(cases: StandardisedUnits) -> Html:
    """The kinds of cases with their counts and their usual rates."""
    rows = [
        tag(
            "tr",
            tag("th", kind, scope="row"),
            *(tag("td", words, class_="num") for words in (count(n), count(k), rate)),
        )
        for kind, n, k, rate in ((kind, n, k, percent(k / n)) for kind, k, n in _most_frequent(cases))
    ]
    heads = ("Kind of case", "First captures", "Ungradable", "Usual rate")
    return plain_table(heads, rows, "Kinds of cases", numbers=(1, 2, 3))


def _cells(found: StandardisedRate | NotComputable, n: int) -> tuple[str, ...]:
    if isinstance(found, NotComputable):
        return found.reason, "–", "–", "–", "–", "–"
    p = f"< {_SMALLEST_SHOWN}" if found.p_value < _SMALLEST_SHOWN else f"{found.p_value:.3f}"
    return (
        count(found.observed), f"{found.expected:.1f}",
        f"{found.ratio:.2f} ({found.low_ratio:.2f} – {found.high_ratio:.2f})",
        f"{percent(found.value)} ({percent(found.low)} – {percent(found.high)})", percent(found.observed / n), p,
    )  # fmt: skip
