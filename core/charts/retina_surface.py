"""The retina in three dimensions, to turn and to zoom: its two borders, and its thickness. Pure functions of maps."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.charts.fundus import thinned
from core.charts.palette import FAINT
from core.charts.thickness_map import THICKNESS_SCALE, colour_range_um
from core.measures.retina_surfaces import RetinaSurfaces
from core.measures.thickness_map import FundusMap

MOST_LINES = 110
"""Lines of a surface along each axis: 110 x 110 corners turn smoothly on an office computer without a graphics card."""
_HEIGHT_PX = 470
_DEPTH_SHARE = 0.42
"""Height of the box by its longer side: the retina is a twentieth as deep as wide, and true to scale it is a sheet."""
_EYE = {"x": 0.82, "y": -1.5, "z": 0.92}
"""Where the camera stands at first: in front of the fundus image's lower edge, to the right, looking down."""
START_NAME, END_NAME = "Start: inner limiting membrane", "End: Bruch's membrane"


def draw_retina_surfaces(surfaces: RetinaSurfaces) -> go.Figure:
    """Where the retina starts and where it ends, two surfaces at their depth in the B-scan; the vitreous is above."""
    figure = go.Figure(
        [
            _surface(surfaces.start, START_NAME, colorscale="Teal", showscale=False, showlegend=True),
            _surface(surfaces.end, END_NAME, colorscale="Oryel", showscale=False, showlegend=True),
        ]
    )
    figure.update_layout(legend={"x": 0, "y": 1, "itemsizing": "constant"})
    return _framed(figure, surfaces.start, depth_title="Depth, µm", is_downward=True)


def draw_thickness_surface(thickness: FundusMap, *, range_um: tuple[float, float] | None = None) -> go.Figure:
    """Thickness in um as height and colour. ``range_um`` is that of the map beside it: a colour then means the same."""
    low, high = range_um or colour_range_um(thickness)
    surface = _surface(
        thickness, "Thickness", colorscale=THICKNESS_SCALE, cmin=low, cmax=high,
        colorbar={"title": {"text": "µm", "side": "top"}, "thickness": 12, "outlinewidth": 0, "len": 0.7},
    )  # fmt: skip
    return _framed(go.Figure(surface), thickness, depth_title="Thickness, µm", is_downward=False)


def _surface(surface: FundusMap, name: str, **look: Any) -> go.Surface:
    drawn = thinned(surface, MOST_LINES)
    return go.Surface(
        x=np.round(drawn.x_mm, 3), y=np.round(drawn.y_mm, 3), z=drawn.values, name=name,
        hovertemplate=f"{name}<br>%{{z:.0f}} µm<br>%{{x:.2f}} mm right, %{{y:.2f}} mm down<extra></extra>",
        lighting={"ambient": 0.62, "diffuse": 0.7, "specular": 0.08, "roughness": 0.9}, **look,
    )  # fmt: skip


def _framed(figure: go.Figure, surface: FundusMap, *, depth_title: str, is_downward: bool) -> go.Figure:
    """Equal millimetres to both sides, the fundus image's top at the back, depth stretched."""
    width, height = float(np.ptp(surface.x_mm)), float(np.ptp(surface.y_mm))
    longer = max(width, height)
    plain = {"showbackground": False, "gridcolor": FAINT, "zeroline": False}
    figure.update_layout(
        height=_HEIGHT_PX, margin={"l": 0, "r": 0, "t": 0, "b": 0}, uirevision="surface",
        scene={
            "xaxis": {"title": {"text": "Right, mm"}} | plain,
            "yaxis": {"title": {"text": "Down, mm"}, "autorange": "reversed"} | plain,
            "zaxis": {"title": {"text": depth_title}, "autorange": "reversed" if is_downward else True} | plain,
            "aspectmode": "manual",
            "aspectratio": {"x": width / longer, "y": height / longer, "z": _DEPTH_SHARE},
            "camera": {"eye": _EYE, "center": {"x": 0, "y": 0, "z": -0.12}, "projection": {"type": "perspective"}},
            "dragmode": "turntable",
        },
    )  # fmt: skip
    return figure
