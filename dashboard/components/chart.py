"""Shows a chart on a page, with links that save it as PNG or SVG. The only door of charts onto the pages."""

import re
from typing import Any

import streamlit as st
from altair import SCHEMA_URL, Chart, LayerChart

from dashboard.components.markup import tag
from dashboard.components.panel import panel

_LONGEST_NAME = 60


def draw_chart(
    chart: Chart | LayerChart, *, alt: str, key: str | None = None, selection: str | None = None
) -> dict[str, Any] | None:
    """Show ``chart`` as wide as its column; return what a click selected of ``selection``, None where nothing is.

    ``alt`` is read to those who do not see the chart and names the files that are saved; unique on its page.
    """
    spec = chart_spec(chart)
    # Above some thousand marks Streamlit would draw on a canvas, of which no SVG can be saved.
    spec["usermeta"] = {"embedOptions": {"renderer": "svg"}}
    event: Any = None
    if selection is None:
        st.vega_lite_chart(spec=spec, width="stretch", alt=alt, key=key)
    else:
        event = st.vega_lite_chart(
            spec=spec, width="stretch", alt=alt, key=key, on_select="rerun", selection_mode=selection
        )
    links = [
        tag("a", kind.upper(), href="#", role="button", data_save=kind, data_chart=alt, data_name=file_name(alt))
        for kind in ("png", "svg")
    ]
    panel(tag("p", "Save as ", links[0], " ", links[1], class_="save"), key=f"save-{file_name(alt)}")
    picked = event.selection.get(selection) if event else None
    return dict(picked[0]) if picked else None


def chart_spec(chart: Chart | LayerChart) -> dict[str, Any]:
    """The chart as Vega-Lite has it, without altair's theme and without a check against the schema.

    A chart's form does not depend on the person who looks: tests check it, and each page would again, for longer than
    everything else takes to draw it.
    """
    datasets: dict[str, Any] = {}
    spec: dict[str, Any] = chart.to_dict(validate=False, context={"top_level": False, "datasets": datasets})
    return {"$schema": SCHEMA_URL, **spec, "datasets": datasets}


def file_name(alt: str) -> str:
    """The name, without its ending, under which a chart of this description is saved."""
    words = re.findall(r"[a-z0-9]+", alt.lower())
    while len("-".join(words)) > _LONGEST_NAME:
        words.pop()
    return "-".join(["octaudit", *words])
