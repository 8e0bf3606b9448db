"""What a trend says, in sentences without markup: alike on the page and in reports."""

from collections.abc import Sequence
from datetime import date

from core.statistics.control_chart import ChartPoint, Period
from core.statistics.funnel import Side
from core.usecases.watch_units import BaselineSource, Trend
from core.wording import count, percent


def rising_points(trend: Trend) -> list[ChartPoint]:
    """The points that break a rule on the bad side."""
    return [point for point in trend.judged if any(signal.side is Side.HIGH for signal in point.signals)]


def lead_words(bad: Sequence[ChartPoint], who: str) -> str:
    """How many points break a rule on the bad side, and since when."""
    if not bad:
        return f"{who}: no point breaks a rule on the bad side."
    points = "1 point breaks" if len(bad) == 1 else f"{len(bad)} points break"
    return f"{who}: {points} a rule on the bad side, first from {days_span(bad[0].period)}."


def cusum_words(trend: Trend) -> str:
    """Whether evidence of a lasting rise has added up."""
    if trend.cusum is None or not any(point.is_signal for point in trend.cusum.points):
        return "CUSUM: no sign of a lasting rise."
    since = trend.cusum.changed_after
    assert since is not None, "a signal has a beginning"
    now = "and still does" if trend.cusum.points[-1].is_signal else "and has fallen back since"
    return f"CUSUM: evidence of doubled odds adds up after {day_words(since)}, passed its threshold {now}."


def baseline_words(trend: Trend) -> str:
    """What the points are held against: signed by whom, or provisional; and that nobody moves it silently."""
    baseline = trend.chart.baseline
    span = f"{day_words(baseline.starts_on)} to {day_words(baseline.ends_on)}"
    rate = f"{percent(baseline.centre)} {trend.what} of {count(baseline.n)}"
    if trend.signed is not None:
        version = trend.signed
        whose = "of the whole study, for its own points are too few, " if trend.source is BaselineSource.SHARED else ""
        return (
            f"Signed baseline {whose}version {version.number}: {span}, {rate}; signed by "
            f"{version.signed_by} on {day_words(version.signed_at.date())} ({version.meaning}). It stays until "
            "somebody signs another."
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


def days_span(period: Period) -> str:
    """From its first day to its last."""
    return f"{period.starts_on:%d %b} – {period.ends_on:%d %b %Y}"


def day_words(day: date) -> str:
    """``16 Nov 2026``, a day with its month's name."""
    return f"{day:%d %b %Y}"
