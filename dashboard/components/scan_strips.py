"""Single scans by device: the model's score and the devices' own indices as strips, each mark leading to its scan."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from core.charts.dictionaries import SCAN_INDEX_COLUMNS, SCAN_SCORE_COLUMNS
from core.charts.scan_score import draw_index, draw_model_scores, index_rows, limit_words, score_rows
from core.charts.strip import SELECTED
from core.store.scan_score import MOST_DEVICES, ScanScores
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.panel import go_to

SCORE_CAPTION = (
    "**Model score.** Each mark is one scan (slab), the bar the middle half of its device, the tick the median; the "
    "device with the highest median stands first. Click a mark for its scan."
)
INDEX_CAPTION = (
    "**Device's quality index.** The same of what the device itself says of a capture. Indices of different names are "
    "different measures and stand in different charts. Index low, score high: the scans are poor. Index as usual, "
    "score high: look for what no index sees, such as motion or a wrong centre, then at the model."
)


def draw_scan_strips(found: ScanScores) -> None:
    """Both kinds of strips, with captions, data and links; nothing may be empty."""
    alt = "Model's probability of ungradable of single scans, by device."
    picked = draw_chart(
        draw_model_scores(found), alt=alt, selection=SELECTED,
        key="octaudit.strips.score",
    )  # fmt: skip
    st.caption(SCORE_CAPTION)
    draw_chart_data(ChartData("scores-by-device", partial(score_rows, found.scans), SCAN_SCORE_COLUMNS))
    open_picked(picked)
    for name, scans in found.by_index().items():
        picked = draw_chart(
            draw_index(name, scans), alt=f"Quality index {name} of single captures, by device.",
            selection=SELECTED, key=f"octaudit.strips.index.{name}",
        )  # fmt: skip
        st.caption(f"{INDEX_CAPTION} {limit_words(name)}")
        draw_chart_data(ChartData(f"index-{name}-by-device", partial(index_rows, scans), SCAN_INDEX_COLUMNS))
        open_picked(picked)
    few = f" The {MOST_DEVICES} devices with most scans of {found.n_devices}." if found.n_devices > MOST_DEVICES else ""
    st.caption(
        f"As of {found.as_of:%d %b %Y, %H:%M} UTC. Of each device the latest {found.per_device} captures of the "
        f"period, replacements included.{few}"
    )


def open_picked(picked: Mapping[str, object] | None) -> None:
    """Switch to the scan whose mark was clicked, if any was."""
    if picked:
        go_to(f"/scan?id={picked.get('scan')}")
