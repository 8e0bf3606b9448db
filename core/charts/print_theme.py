"""How charts look on paper: the colours of the light pages and the font of the reports, as a Vega-Lite config."""

from typing import Any

FONT = "Source Sans Pro"
INK, MUTED, LINE, PANEL, PAPER = "#16222c", "#51606c", "#d8e0e6", "#f3f6f8", "#ffffff"
BRAND = "#0b6c86"
SERIES = (BRAND, "#d55e00", "#7a4fa3", "#0a7f5f", "#b26a00", "#1f6fb2", "#5d6b78")
"""Colours of series that have none of their own, in the order of the pages' theme (dashboard/.streamlit)."""
TONES = {
    "bad": ("#9c1f18", "#fbeae8"),
    "warn": ("#8a5200", "#fdf2e0"),
    "good": ("#07664c", "#e3f4ee"),
    "info": ("#175a92", "#e8f1f9"),
    "calm": (MUTED, "#eef2f5"),
}
"""Text and background of a chip by what it says, as on the light pages."""
PRINT_CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": PAPER,
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 11, "titleFontSize": 11.5, "labelColor": MUTED, "titleColor": INK, "titleFontWeight": 600,
        "gridColor": "#e6ecf0", "domainColor": LINE, "tickColor": LINE, "titlePadding": 8, "labelPadding": 4,
    },
    "legend": {
        "labelFontSize": 11, "titleFontSize": 11, "labelColor": INK, "titleColor": MUTED, "titleFontWeight": 600,
        "symbolStrokeWidth": 1.5,
    },
    "text": {"fontSize": 11, "color": INK},
    "range": {"category": list(SERIES)},
    "mark": {"color": BRAND},
}  # fmt: skip
