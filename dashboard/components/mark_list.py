"""What the dashed lines of a trend stand for, in words. Markup from frozen values."""

from collections.abc import Sequence

from core.store.mark import Mark
from dashboard.components.markup import Html, join, tag


def mark_list(marks: Sequence[Mark]) -> Html:
    """One line per mark: when, what, where."""
    return tag("ul", *(_mark(mark) for mark in marks), class_="marks-list", aria_label="Marked on the chart")


def _mark(mark: Mark) -> Html:
    when = tag("time", f"{mark.happened_at:%d %b %Y}", datetime=mark.happened_at.isoformat())
    where = f"{mark.kind} at {mark.site_code}: " if mark.site_code else f"{mark.kind}: "
    return tag("li", join([when, " ", tag("b", where[:1].upper() + where[1:]), mark.text]))
