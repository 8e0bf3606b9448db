"""What a trend says, in sentences: since when, by which rule, held against what. Markup from frozen values."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from core.statistics.control_chart import ChartPoint, Period
from core.statistics.funnel import Side
from core.store.mark import Mark, MarkKind
from core.usecases.watch_units import BaselineSource, Trend
from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag
from dashboard.filters import Field, days_value

NEAR = timedelta(weeks=4)
"""Events so close to a change are named beside it: near enough to be asked about, no proof of a cause."""


CHANGES = frozenset({MarkKind.SOFTWARE, MarkKind.MODEL, MarkKind.PROTOCOL})
"""Kinds of mark after which a baseline may not hold any more; none of them moves it."""


def trend_words(trend: Trend, who: str, marks: Sequence[Mark], filters: Mapping[str, str]) -> Html:
    """Whether it got worse, since when, and by which points; every point leads to its scans."""
    bad = [point for point in trend.judged if any(signal.side is Side.HIGH for signal in point.signals)]
    parts = [tag("p", tag("b", _lead(bad, who)), " ", _cusum_words(trend), class_="verdict")]
    if bad:
        parts.append(tag("ul", *(_point(point, filters) for point in reversed(bad)), class_="signals"))
    began_on = _began_on(trend, bad)
    if began_on is not None:
        parts.append(tag("p", _near_words(began_on, marks)))
    parts.append(tag("p", baseline_words(trend), class_="muted small"))
    changes = changes_since(trend, marks)
    if changes:
        parts.append(tag("p", chip("look again", "warn"), f" {changes}"))
    return tag("div", *parts, class_="verdicts", role="status")


def _began_on(trend: Trend, bad: list[ChartPoint]) -> date | None:
    """When it began: as the CUSUM has it, else the first point that broke a rule; None where nothing got worse."""
    if trend.cusum is not None and trend.cusum.changed_after is not None:
        return trend.cusum.changed_after
    return bad[0].period.starts_on if bad else None


def _near_words(began_on: date, marks: Sequence[Mark]) -> str:
    near = [mark for mark in marks if abs(mark.happened_at.date() - began_on) <= NEAR]
    if not near:
        return f"Nothing is marked within {NEAR.days // 7} weeks of {_day(began_on)}."
    events = "; ".join(f"{mark.kind} on {_day(mark.happened_at.date())} ({mark.text.rstrip('.')})" for mark in near)
    return f"Marked within {NEAR.days // 7} weeks of {_day(began_on)}: {events}."


def _lead(bad: list[ChartPoint], who: str) -> str:
    if not bad:
        return f"{who}: no point breaks a rule on the bad side."
    points = "1 point breaks" if len(bad) == 1 else f"{len(bad)} points break"
    return f"{who}: {points} a rule on the bad side, first from {_days(bad[0].period)}."


def _cusum_words(trend: Trend) -> str:
    if trend.cusum is None or not any(point.is_signal for point in trend.cusum.points):
        return "CUSUM: no sign of a lasting rise."
    since = trend.cusum.changed_after
    assert since is not None, "a signal has a beginning"
    now = "and still does" if trend.cusum.points[-1].is_signal else "and has fallen back since"
    return f"CUSUM: evidence of doubled odds adds up after {_day(since)}, passed its threshold {now}."


def _point(point: ChartPoint, filters: Mapping[str, str]) -> Html:
    rate = point.period.count
    days = days_value(point.period.starts_on, point.period.ends_on)
    kept = {name: value for name, value in filters.items() if name not in {Field.PERIOD.value, "by"}}
    scans = page_link(_days(point.period), "examples", {**kept, Field.DAYS.value: days, "grade": "0"})
    rules = "; ".join(signal.rule for signal in point.signals if signal.side is Side.HIGH)
    return tag("li", join([scans, f": {percent(point.value)} ({count(rate.k)} of {count(rate.n)}) – {rules}"]))


def baseline_words(trend: Trend) -> str:
    """What the points are held against: signed by whom, or provisional; and that nobody moves it silently."""
    baseline = trend.chart.baseline
    span = f"{_day(baseline.starts_on)} to {_day(baseline.ends_on)}"
    rate = f"{percent(baseline.centre)} ungradable of {count(baseline.n)}"
    if trend.signed is not None:
        version = trend.signed
        whose = "of the whole study, for its own points are too few, " if trend.source is BaselineSource.SHARED else ""
        return (
            f"Signed baseline {whose}version {version.number}: {span}, {rate}; signed by "
            f"{version.signed_by} on {_day(version.signed_at.date())} ({version.meaning}). It stays until somebody "
            "signs another."
        )
    if trend.source is BaselineSource.OWN:
        return (
            f"Provisional baseline: its own first {baseline.n_points} points, {span}, {rate}. Nobody has signed one; "
            "later points do not move it."
        )
    return (
        f"Provisional baseline: all of the study together, {span}, {rate}; its own points are too few. Nobody has "
        "signed one; later points do not move it."
    )


def changes_since(trend: Trend, marks: Sequence[Mark]) -> str:
    """What happened after the baseline was signed that may have changed the process; empty where nothing is marked."""
    if trend.signed is None:
        return ""
    later = [mark for mark in marks if mark.kind in CHANGES and mark.happened_at > trend.signed.signed_at]
    if not later:
        return ""
    named = ", ".join(f"{mark.kind} on {_day(mark.happened_at.date())}" for mark in later)
    return f"Since the baseline was signed: {named}. Consider whether it still holds; nothing moves it by itself."


def _days(period: Period) -> str:
    return f"{period.starts_on:%d %b} – {period.ends_on:%d %b %Y}"


def _day(day: date) -> str:
    return f"{day:%d %b %Y}"
