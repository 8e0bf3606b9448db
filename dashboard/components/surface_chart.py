"""Shows a Plotly figure on a page: what turns in space and what lies over an image. The only door of such figures."""

from typing import Any

import streamlit as st

from dashboard.components.chart import file_name

_UNUSED = ["select2d", "lasso2d", "autoScale2d", "zoom2d", "tableRotation", "resetCameraLastSave3d", "hoverClosest3d"]


def draw_figure(figure: Any, *, alt: str, key: str) -> None:
    """Show a figure as wide as its column, with buttons to zoom, to turn back and to save it as PNG.

    ``alt`` is read to those who do not see it and names the file that is saved; unique on its page. Nothing is fetched
    from another host: the library is part of Streamlit's own pages.
    """
    config = {
        "displaylogo": False,
        "modeBarButtonsToRemove": _UNUSED,
        "toImageButtonOptions": {"filename": file_name(alt), "scale": 2},
    }
    st.plotly_chart(figure, width="stretch", theme="streamlit", config=config, alt=alt, key=key)
