"""Thickness along one B-scan, ours and the device's: for captures that have no surface between their B-scans."""

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from core.charts.inline import chart_of
from core.charts.palette import AMBER, CALM
from core.charts.strip import Row
from core.volume import OctVolume

OURS, DEVICE = "octaudit", "device"
MOST_POINTS = 400
"""Points of a line: more than the column is wide, fewer than a browser feels."""


def profile_rows(
    volume: OctVolume, index: int, ours_um: NDArray[np.float32], device_um: NDArray[np.float32] | None
) -> list[Row]:
    """One row per A-scan and source: place along the B-scan in mm (A-scan number without a scale), thickness in um.

    ``ours_um`` and ``device_um`` are (n, width); A-scans without a thickness have no row.
    """
    step = max(1, -(-volume.width_px // MOST_POINTS))
    places = np.arange(volume.width_px) * (volume.x_mm_per_px or 1.0)
    sources = [(OURS, ours_um)] + ([] if device_um is None else [(DEVICE, device_um)])
    return [
        {"place": round(float(places[at]), 3), "thickness": round(float(rows[index, at]), 1), "source": source}
        for source, rows in sources
        for at in range(0, volume.width_px, step)
        if np.isfinite(rows[index, at])
    ]


def draw_profile(rows: Sequence[Row], *, has_scale: bool) -> alt.Chart:
    """Lines of thickness along the B-scan; the device's is dashed."""
    title = "Along the B-scan, mm" if has_scale else "A-scan"
    colour = alt.Color(
        "source:N", title=None, scale=alt.Scale(domain=[OURS, DEVICE], range=[CALM, AMBER]),
        legend=alt.Legend(orient="top") if any(row["source"] == DEVICE for row in rows) else None,
    )  # fmt: skip
    dashes = alt.Scale(domain=[OURS, DEVICE], range=[[1, 0], [5, 3]])
    chart: alt.Chart = (
        chart_of(rows)
        .mark_line(strokeWidth=1.8)
        .encode(
            x=alt.X("place:Q", title=title),
            y=alt.Y("thickness:Q", title="Thickness, µm", scale=alt.Scale(zero=False)),
            color=colour,
            strokeDash=alt.StrokeDash("source:N", scale=dashes, legend=None),
            tooltip=[
                alt.Tooltip("source:N", title="Source"),
                alt.Tooltip("place:Q", title=title, format=".2f" if has_scale else ".0f"),
                alt.Tooltip("thickness:Q", title="µm", format=".0f"),
            ],
        )
        .properties(height=220)
    )
    return chart
