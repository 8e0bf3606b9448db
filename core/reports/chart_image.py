"""A chart of the pages as an SVG for a report: drawn without a browser, in the fonts that the report carries."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import altair as alt
import vl_convert

from core.charts.print_theme import PRINT_CONFIG

FONTS = str(files("core.reports") / "fonts")
"""Folder of the fonts that every report carries (Source Sans Pro, SIL Open Font License)."""

_COUNTED = re.compile(r"\b(clip|gradient_)(\d+)")


def chart_svg(chart: alt.Chart | alt.LayerChart, *, width_px: int, height_px: int | None = None) -> str:
    """The chart as the pages draw it, in the colours of paper. Its plot is so wide; axes and legend come beside it.

    What only hovers over a mark on a page (tooltips, which name units) is left out of the file.
    """
    _register_fonts()
    spec: dict[str, Any] = _without_hover(chart.to_dict())
    spec |= {"width": width_px, "config": PRINT_CONFIG}
    if height_px is not None:
        spec["height"] = height_px
    return _renumbered(str(vl_convert.vegalite_to_svg(spec)))


def _renumbered(svg: str) -> str:
    """Vega counts clips and gradients through all drawings of a process; the same drawing shall be the same file."""
    places: dict[str, int] = {}
    return _COUNTED.sub(lambda found: f"{found[1]}{places.setdefault(found[0], len(places))}", svg)


def _without_hover(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _without_hover(value) for name, value in part.items() if name not in {"tooltip", "params"}}
    return [_without_hover(value) for value in part] if isinstance(part, list) else part


@cache
def _register_fonts() -> None:
    vl_convert.register_font_directory(FONTS)
