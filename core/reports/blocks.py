"""The blocks that a report of several pages is laid out from: sentences, tables, tiles and figures, as JSON."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import altair as alt

from core.reports.chart_image import chart_svg
from core.reports.parts import Part, rich

FULL_PX, HALF_PX = 670, 290
"""Width of a plot across the page and of one of two side by side, without axes. Charts are set in one scale, so that
their letters have one size: 750 px are the 180 mm of the text."""
_WIDTH = re.compile(r'<svg[^>]* width="([0-9.]+)"')


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it."""

    title: str
    parts: list[Part] = field(default_factory=list)

    @property
    def document(self) -> Part:
        """The same as JSON."""
        return {"title": self.title, "parts": self.parts}


def lead(text: str) -> Part:
    """A sentence that says what is to be seen."""
    return {"lead": rich(text)}


def note(text: str) -> Part:
    """A sentence in small: unit of analysis, moment, what is left out."""
    return {"note": rich(text)}


def figure(
    chart: alt.Chart | alt.LayerChart, *, alt_text: str, caption: str = "", width_px: int = FULL_PX,
    height_px: int | None = None,
) -> Part:  # fmt: skip
    """A chart with its caption; ``alt_text`` is read to those who do not see it."""
    svg = chart_svg(chart, width_px=width_px, height_px=height_px)
    drawn = _WIDTH.search(svg)
    assert drawn is not None, "an SVG says how wide it is"
    return {
        "svg": svg,
        "px": float(drawn[1]),
        "alt": alt_text,
        "caption": rich(caption),
    }


def figures(*drawn: Part, shares: Sequence[float] | None = None) -> Part:
    """Figures side by side, as wide as their ``shares`` say (all alike without)."""
    return {"figures": list(drawn), "shares": list(shares or [1] * len(drawn))}
