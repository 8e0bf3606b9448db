"""The tables by site and by device: first-pass and final rate side by side, worst first. Markup from frozen values."""

from collections.abc import Mapping, Sequence

from core.statistics.clustering import proportions
from core.statistics.funnel import MIN_COUNTED, MIN_PATIENTS
from core.statistics.proportions import Proportion
from core.store.overview import GroupTally
from dashboard.components.markup import Content, Html, chip, count, join, page_link, percent, tag
from dashboard.components.rate import interval_bar

TOO_FEW = f"Fewer than {MIN_COUNTED} decided captures or {MIN_PATIENTS} patients"


def group_table(
    groups: Sequence[GroupTally], field: str, title: str, filters: Mapping[str, str], factor: float
) -> Html:
    """One row per group in the given order; its name narrows the page to it, its counts lead to its scans.

    ``field`` is the filter's name in the URL, ``filters`` what the page is narrowed to already, ``factor`` the design
    effect on which the intervals rest.
    """
    head = tag(
        "thead",
        tag(
            "tr",
            tag("th", title, scope="col"),
            tag("th", "Received", scope="col", class_="num", title="First captures: those that replace no other"),
            tag("th", "First pass", scope="col", class_="num"),
            tag("th", "95 % interval", scope="col", aria_label="First pass, 95 % interval"),
            tag("th", "Gradable / decided", scope="col", class_="num"),
            tag("th", "Final", scope="col", class_="num"),
            tag("th", "95 % interval", scope="col", aria_label="Final, 95 % interval"),
            tag("th", "Gradable / received", scope="col", class_="num"),
        ),
    )
    rows = [_row(group, field, filters, first, final) for group, first, final in _with_rates(groups, factor)]
    return tag(
        "div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0", role="region", aria_label=title
    )


def worst_first(groups: Sequence[GroupTally]) -> list[GroupTally]:
    """Judged groups by first-pass rate, the lowest first; then those with too few, by code."""

    def order(group: GroupTally) -> tuple[bool, float, str]:
        rate = group.tally.gradable / group.tally.decided if group.is_judged else 0.0
        return (not group.is_judged, rate, group.code)

    return sorted(groups, key=order)


def group_rows(groups: Sequence[GroupTally], factor: float) -> list[dict[str, object]]:
    """One row per group in the order of the table, as the download has it."""
    return [
        {
            "group": group.code,
            "name": group.name,
            "is_judged": group.is_judged,
            "received": group.tally.received,
            "decided": group.tally.decided,
            "gradable": group.tally.gradable,
            **_bounds("first_pass", first),
            "final_received": group.tally.final_received,
            "final_gradable": group.tally.final_gradable,
            **_bounds("final", final),
        }
        for group, first, final in _with_rates(worst_first(groups), factor)
    ]


def _with_rates(
    groups: Sequence[GroupTally], factor: float
) -> list[tuple[GroupTally, Proportion | None, Proportion | None]]:
    """Each group with its first-pass and its final rate."""
    first = proportions([(group.tally.gradable, group.tally.decided) for group in groups], factor)
    final = proportions([(group.tally.final_gradable, group.tally.final_received) for group in groups], factor)
    return list(zip(groups, first, final, strict=True))


def _bounds(name: str, rate: Proportion | None) -> dict[str, object]:
    return {} if rate is None else {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}


def _row(
    group: GroupTally, field: str, filters: Mapping[str, str], first: Proportion | None, final: Proportion | None
) -> Html:
    tally = group.tally
    narrowed = {**filters, field: group.id}
    link = page_link(group.code, "overview", narrowed)
    few = None if group.is_judged else join([" ", chip("too few to judge", title=TOO_FEW)])
    name = join([link, few, tag("span", group.name, class_="name", title=group.name)])
    return tag(
        "tr",
        tag("th", name, scope="row"),
        tag("td", count(tally.received), class_="num"),
        *_rate_cells(first, narrowed, is_judged=group.is_judged),
        *_rate_cells(final, narrowed, is_judged=group.is_judged),
        class_=None if group.is_judged else "unsure",
    )


def _rate_cells(rate: Proportion | None, narrowed: Mapping[str, object], *, is_judged: bool) -> tuple[Html, Html, Html]:
    value: Content = "–" if rate is None else percent(rate.value)
    counts: Content = "0 / 0" if rate is None else _scans_link(f"{count(rate.k)} / {count(rate.n)}", narrowed)
    return (
        tag("td", value, class_="num"),
        tag("td", interval_bar(rate, is_judged=is_judged), class_="wide"),
        tag("td", counts, class_="num"),
    )


def _scans_link(counts: str, narrowed: Mapping[str, object]) -> Html:
    return page_link(tag("span", counts, title="Show these scans"), "examples", narrowed)
