"""Small multiples: every unit's trend as a small picture that leads to the large one. SVG from frozen values."""

from collections.abc import Mapping, Sequence
from datetime import date

from core.statistics.control_chart import ChartPoint
from core.statistics.funnel import Side
from core.store.unit import UnitKind
from core.usecases.watch_units import UnitTrend
from dashboard.components.markup import Html, chip, count, join, page_link, percent, tag
from dashboard.filters import filter_query

WIDTH, HEIGHT, EDGE = 220, 64, 5
"""In the picture's own units; the page scales it."""


def small_multiples(units: Sequence[UnitTrend], kind: UnitKind, filters: Mapping[str, str]) -> Html:
    """One card per unit in the order given; a click shows the unit's trend alone."""
    return tag("div", *(_card(unit, kind, filters) for unit in units), class_="multiples")


def multiple_rows(units: Sequence[UnitTrend]) -> list[dict[str, object]]:
    """One row per unit and point, as the download has it."""
    return [
        {
            "unit": unit.unit.label,
            "breaks_a_rule": unit.trend.is_worse,
            "from": point.period.starts_on.isoformat(),
            "to": point.period.ends_on.isoformat(),
            "ungradable": point.period.count.k,
            "decided": point.period.count.n,
            "visits": point.period.count.n_clusters,
            "rate": point.value,
            "centre": unit.trend.chart.baseline.centre,
            "low": point.low,
            "high": point.high,
        }
        for unit in units
        for point in unit.trend.chart.points
    ]


def _card(unit: UnitTrend, kind: UnitKind, filters: Mapping[str, str]) -> Html:
    query = {**filters, **filter_query(unit.unit.within), "by": kind.value}
    chart = unit.trend.chart
    k = sum(point.period.count.k for point in chart.points)
    n = sum(point.period.count.n for point in chart.points)
    state = chip("breaks a rule", "bad") if unit.trend.is_worse else Html("")
    head = tag("div", tag("b", unit.unit.label), state, class_="head")
    foot = f"{percent(k / n)} of {count(n)} {unit.trend.what}" if n else ""
    body = join([head, _picture(unit), tag("span", foot, class_="small muted")])
    return page_link(body, "trends", query, class_="multiple")


def _picture(unit: UnitTrend) -> Html:
    points = unit.trend.chart.points
    if not points:
        return Html("")
    first, last = points[0].period.starts_on, points[-1].period.ends_on
    judged = set(unit.trend.judged)
    at = [(_x(_middle(point), first, last), _y(point.value)) for point in points]
    limits = [
        tag(
            "rect", x=round(_x(point.period.starts_on, first, last), 1), y=round(_y(point.high), 1),
            width=round(max(1.0, _x(point.period.ends_on, first, last) - _x(point.period.starts_on, first, last)), 1),
            height=round(max(0.5, _y(point.low) - _y(point.high)), 1), class_="limits",
        )
        for point in points
    ]  # fmt: skip
    centre = _y(unit.trend.chart.baseline.centre)
    return tag(
        "svg",
        *limits,
        tag("line", x1=0, x2=WIDTH, y1=round(centre, 1), y2=round(centre, 1), class_="centre"),
        tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in at), class_="line"),
        *(_dot(point, x, y, is_judged=point in judged) for point, (x, y) in zip(points, at, strict=True)),
        viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=_words(unit),
    )  # fmt: skip


def _dot(point: ChartPoint, x: float, y: float, *, is_judged: bool) -> Html:
    is_bad = is_judged and any(signal.side is Side.HIGH for signal in point.signals)
    if is_bad:
        corners = f"{x:.1f},{y - 4:.1f} {x + 4:.1f},{y:.1f} {x:.1f},{y + 4:.1f} {x - 4:.1f},{y:.1f}"
        return tag("polygon", points=corners, class_="bad")
    return tag("circle", cx=round(x, 1), cy=round(y, 1), r=2, class_="dot")


def _words(unit: UnitTrend) -> str:
    rates = ", ".join(percent(point.value) for point in unit.trend.chart.points[-6:])
    return f"Trend of {unit.unit.label}; {unit.trend.what} in the latest points: {rates}"


def _middle(point: ChartPoint) -> date:
    return point.period.starts_on + (point.period.ends_on - point.period.starts_on) / 2


def _x(day: date, first: date, last: date) -> float:
    return EDGE + (WIDTH - 2 * EDGE) * (day - first).days / max(1, (last - first).days)


def _y(rate: float) -> float:
    return EDGE + (HEIGHT - 2 * EDGE) * (1.0 - rate)
