"""How the model's FAZ agrees with outlines by hand, in cards and sentences. Markup from frozen values."""

from core.charts.faz import metric_title
from core.measures.words import FAZ, MEASURES
from core.statistics.agreement_intervals import BlandAltman, IntraclassIntervals
from core.statistics.resampling import Interval
from core.usecases.compare_outlines import MethodAgreement, OutlineComparison
from core.wording import with_minus
from dashboard.components.markup import Html, count, tag

NOTHING = "No outlines by hand in this selection"
WHAT_NEXT = (
    "Take the images below, have them outlined, and bring the outlines back; or choose another slab, field or period."
)


def outline_cards(found: OutlineComparison) -> Html:
    """Model and people beside person and person, the yardstick."""
    return tag("div", _card("Model and people", found.model, found), _card("Person and person", found.people, found),
               class_="rates")  # fmt: skip


def _card(title: str, pair: MethodAgreement, found: OutlineComparison) -> Html:
    if not isinstance(pair.limits, BlandAltman):
        return tag("section", tag("h3", title), tag("p", f"Not computable: {pair.limits.reason}."), class_="rate")
    decimals, unit = MEASURES[FAZ][found.column].decimals, MEASURES[FAZ][found.column].unit
    lead = f"{_signed(pair.limits.bias.value, decimals)} {unit}".strip()
    figure = tag(
        "div", tag("strong", lead), tag("span", f"bias, {_span(pair.limits.bias, decimals)}", class_="muted"),
        class_="figure",
    )  # fmt: skip
    low, high = pair.limits.low, pair.limits.high
    limits = (
        f"95 % of differences lie from {_signed(low.value, decimals)} ({_span(low, decimals)}) to "
        f"{_signed(high.value, decimals)} ({_span(high, decimals)})"
    )
    what = f"{pair.other.capitalize()} minus {pair.reference}, {count(len(pair.pairs))} patients, one scan of each."
    words = tag("p", f"{limits}. {_correlation(pair)} {what}", class_="what")
    return tag("section", tag("h3", title), figure, words, class_="rate")


def _correlation(pair: MethodAgreement) -> str:
    if not isinstance(pair.correlation, IntraclassIntervals):
        return f"ICC not computable: {pair.correlation.reason}."
    agreement, consistency = pair.correlation.agreement, pair.correlation.consistency
    return f"ICC(2,1) {agreement.value:.2f} ({_span(agreement, 2)}), ICC(3,1) {consistency.value:.2f}."


def _span(interval: Interval, decimals: int) -> str:
    return with_minus(f"95 % interval {interval.low:.{decimals}f} to {interval.high:.{decimals}f}")


def _signed(value: float, decimals: int) -> str:
    return with_minus(f"{value:+.{decimals}f}")


def outline_words(found: OutlineComparison) -> Html:
    """Who outlined how many, what is left out, and what a difference must exceed to mean anything."""
    readers = ", ".join(f"{reader} {count(n)}" for reader, n in sorted(found.readers.items()))
    parts = [tag("b", f"{metric_title(found.column)}: {count(sum(found.readers.values()))} outlines by hand.")]
    parts.append(tag("span", f" By reader: {readers}."))
    if found.left_out:
        reasons = ", ".join(f"{count(n)} {reason}" for reason, n in sorted(found.left_out.items()))
        parts.append(tag("span", f" Left out: {reasons}."))
    if found.repeatability is not None:
        published = found.repeatability
        decimals = MEASURES[FAZ][found.column].decimals
        manual, automatic = f"{published.manual:.{decimals}f} by hand", f"{published.automatic:.{decimals}f} automatic"
        words = f" Published repeatability: {manual}, {automatic} ({published.source})."
        parts.append(tag("span", words, class_="muted"))
    return tag("p", *parts, class_="verdict", role="status")
