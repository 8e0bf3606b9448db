"""A rate as markup: number, interval bar, counts, and "too few to judge" where it is so. Computes no statistics."""

from datetime import datetime

from core.statistics.clustering import proportion_or_none
from core.statistics.proportions import Proportion
from core.store.overview import Overview
from core.store.tally import Tally
from dashboard.components.markup import Html, count, join, percent, tag


def interval_bar(rate: Proportion | None, *, is_judged: bool = True, is_tall: bool = False) -> Html:
    """A rate between 0 and 100 % with its interval; an empty bar where there is none."""
    classes = f"bar{' tall' if is_tall else ''}{'' if is_judged else ' unsure'}"
    if rate is None:
        return tag("div", class_=classes, aria_hidden="true")
    left, width = 100 * rate.low, 100 * (rate.high - rate.low)
    words = f"{percent(rate.value)}, 95 % interval {percent(rate.low)} to {percent(rate.high)}"
    return tag(
        "div",
        tag("span", class_="span", style=f"left:{left:.2f}%;width:{width:.2f}%"),
        tag("span", class_="dot", style=f"left:{100 * rate.value:.2f}%"),
        class_=classes,
        role="img",
        aria_label=words,
        title=words,
    )


def rate_card(title: str, rate: Proportion | None, *, delta: Html, unit: str, what: str) -> Html:
    """A large rate with interval, counts and the sentence that says what is divided by what."""
    if rate is None:
        figure = tag("div", tag("strong", "–"), tag("span", "nothing decided yet", class_="muted"), class_="figure")
        counts: Html = tag("p", what, class_="what")
    else:
        interval = f"95 % interval {percent(rate.low)} – {percent(rate.high)}"
        figure = tag(
            "div", tag("strong", percent(rate.value)), tag("span", interval, class_="muted"), delta, class_="figure"
        )
        fraction = tag("b", f"{count(rate.k)} of {count(rate.n)} {unit}")
        counts = tag("p", fraction, f". {what}", class_="what")
    axis = tag("div", *(tag("span", text) for text in ("0", "50", "100 %")), class_="axis", aria_hidden="true")
    return tag(
        "section", tag("h3", title), figure, join([interval_bar(rate, is_tall=True), axis]), counts, class_="rate"
    )


def rate_pair(overview: Overview, factor: float) -> Html:
    """First-pass and final rate side by side, each with its change against the period before."""
    first, final = _first_counts(overview.current), _final_counts(overview.current)
    before = overview.previous
    return tag(
        "div",
        rate_card(
            "Gradable at the first pass",
            proportion_or_none(*first, factor),
            delta=_change(first, _first_counts(before) if before else None),
            unit="first captures",
            what="Of those decided, replacements left out: how well the sites shoot." + _undecided(overview.current),
        ),
        rate_card(
            "Gradable in the end",
            proportion_or_none(*final, factor),
            delta=_change(final, _final_counts(before) if before else None),
            unit="expected scans",
            what="Received scans of subject, visit, eye and type with a gradable capture: what the study gets. "
            "One that is not decided yet counts as not gradable.",
        ),
        class_="rates",
    )


def footnote(as_of: datetime, factor: float) -> Html:
    """What the overview's rates mean, and of when they are."""
    return tag(
        "p",
        "Gradable means grade 1 or better on every slab that the protocol requires. Captures of one patient visit "
        f"resemble each other: {factor:.2f} of them tell as much as one alone (design effect, pooled within sites). "
        "Intervals are Wilson 95 % on that effective number. Weeks begin on Monday (UTC) and count by the day of "
        f"acquisition. As of {as_of:%d %b %Y, %H:%M} UTC.",
        class_="muted small",
    )


def _undecided(tally: Tally) -> str:
    """How many first captures stand beside the rate because nobody, and no model, has decided about them yet."""
    n = tally.received - tally.decided
    return f" {count(n)} more {'is' if n == 1 else 'are'} not decided yet." if n else ""


def _first_counts(tally: Tally) -> tuple[int, int]:
    return tally.gradable, tally.decided


def _final_counts(tally: Tally) -> tuple[int, int]:
    return tally.final_gradable, tally.final_received


def _change(now_: tuple[int, int], before: tuple[int, int] | None) -> Html:
    """The change in percentage points against the period before, where both periods have counts."""
    if before is None or now_[1] == 0 or before[1] == 0:
        return Html("")
    points = 100 * (now_[0] / now_[1] - before[0] / before[1])
    tone = "calm" if abs(points) < 0.5 else "good" if points > 0 else "bad"  # noqa: PLR2004 - rounds to no change
    sign = "+" if points > 0 else "−"
    words = f"{sign}{abs(points):.1f} points on the period before"
    return tag("span", words, class_=f"delta {tone}", title=f"Before: {count(before[0])} of {count(before[1])}")
