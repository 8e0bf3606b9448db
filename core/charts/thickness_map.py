"""Thickness and its differences as heat maps over the fundus, with the ETDRS grid: pure functions of maps."""

import math

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.charts.fundus import EtdrsMark, Fundus, thinned
from core.measures.etdrs import DIAMETERS_MM
from core.measures.thickness_map import FundusMap

THICKNESS_SCALE = "Viridis"
"""Its lightness rises evenly, so that the map reads the same with any colour vision and in grey."""
DIFFERENCE_SCALE = "PuOr_r"
"""Orange is thicker, purple is thinner, nought is pale: told apart without red and green."""
LEAST_RANGE_UM = (200.0, 400.0)
"""A map spans at least this, so that a flat retina is not drawn as a landscape of noise."""
LEAST_DIFFERENCE_UM = 20.0
"""Half range of a difference map at least: five pixels of a Spectralis B-scan, below which it is one of noise."""
MOST_CELLS = 160
"""Cells of a drawn map along each axis: finer than the screen shows at the size of a column."""
_MAP_OPACITY = 0.78
_MARGIN_MM = 0.5
HEIGHT_PX, SMALL_PX = 430, 300
"""Height of a map that has its column to itself, and of one of two side by side."""
_GRID_INK, _GRID_EDGE = "#ffffff", "rgba(8, 14, 20, 0.85)"
"""White lines over a dark edge: seen on pale and on dark tissue."""
_LABEL_RADIUS_MM = {"inner": 1.0, "outer": 2.25}
_DIRECTIONS = {"right": (1.0, 0.0), "left": (-1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}


def draw_thickness_map(
    thickness: FundusMap,
    *,
    fundus: Fundus | None = None,
    etdrs: EtdrsMark | None = None,
    range_um: tuple[float, float] | None = None,
    height_px: int = HEIGHT_PX,
) -> go.Figure:
    """Total thickness in um as colour over the fundus image; the ETDRS grid at the fovea with each sector's mean.

    ``range_um`` holds the colours of several maps alike; without one they span the map's own middle 96 %.
    """
    low, high = range_um or colour_range_um(thickness)
    layer = _heat(thickness, low, high, scale=THICKNESS_SCALE, name="Thickness", sign="")
    return _over_fundus(layer, thickness, fundus, etdrs).update_layout(height=height_px)


def draw_difference_map(
    difference: FundusMap, *, fundus: Fundus | None = None, etdrs: EtdrsMark | None = None
) -> go.Figure:
    """A difference in um over the fundus image; nought is the middle of the colours."""
    known = np.abs(difference.values[difference.sampled])
    limit = max(LEAST_DIFFERENCE_UM, float(np.quantile(known, 0.98)) if known.size else 0.0)
    layer = _heat(difference, -limit, limit, scale=DIFFERENCE_SCALE, name="Difference", sign="+")
    return _over_fundus(layer, difference, fundus, etdrs)


def colour_range_um(*maps: FundusMap) -> tuple[float, float]:
    """What the colours of these maps span together: their middle 96 %, rounded to 10 um, never less than the least."""
    values = np.concatenate([each.values[each.sampled] for each in maps])
    if not values.size:
        return LEAST_RANGE_UM
    low, high = (float(edge) for edge in np.quantile(values, (0.02, 0.98)))
    return min(LEAST_RANGE_UM[0], 10.0 * math.floor(low / 10.0)), max(LEAST_RANGE_UM[1], 10.0 * math.ceil(high / 10.0))


def sector_centre_mm(place: str) -> tuple[float, float]:
    """Where a sector's words stand, in mm right of and below the fovea. ``central``, else ``inner_right`` and so on."""
    if place == "central":
        return 0.0, 0.0
    ring, _, direction = place.partition("_")
    across, down = _DIRECTIONS[direction]
    return across * _LABEL_RADIUS_MM[ring], down * _LABEL_RADIUS_MM[ring]


def _heat(surface: FundusMap, low: float, high: float, *, scale: str, name: str, sign: str) -> go.Heatmap:
    drawn = thinned(surface, MOST_CELLS)
    return go.Heatmap(
        x=np.round(drawn.x_mm, 3), y=np.round(drawn.y_mm, 3), z=drawn.values, zmin=low, zmax=high, colorscale=scale,
        name=name, opacity=_MAP_OPACITY, hoverongaps=False, zsmooth=False,
        colorbar={"title": {"text": "µm", "side": "top"}, "thickness": 12, "outlinewidth": 0, "tickformat": f"{sign}d"},
        hovertemplate=f"{name} %{{z:{sign}.0f}} µm<br>%{{x:.2f}} mm right, %{{y:.2f}} mm down<extra></extra>",
    )  # fmt: skip


def _over_fundus(layer: go.Heatmap, surface: FundusMap, fundus: Fundus | None, etdrs: EtdrsMark | None) -> go.Figure:
    figure = go.Figure(layer)
    if fundus is not None:
        figure.add_layout_image(
            source=fundus.address, xref="x", yref="y", x=0, y=0, sizex=fundus.width_mm, sizey=fundus.height_mm,
            sizing="stretch", layer="below",
        )  # fmt: skip
    figure.update_layout(
        height=HEIGHT_PX, margin={"l": 44, "r": 8, "t": 8, "b": 40}, uirevision="map", dragmode="pan",
        hovermode="closest",
    )  # fmt: skip
    plain = {"title": "mm", "constrain": "domain", "constraintoward": "center", "showgrid": False, "zeroline": False}
    (left, right), (top, bottom) = (_around(axis) for axis in (surface.x_mm, surface.y_mm))
    figure.update_xaxes(plain | {"range": [left, right], "constraintoward": "right"})  # beside its colours
    figure.update_yaxes(plain | {"range": [bottom, top], "scaleanchor": "x"})
    if etdrs is not None:
        _lay_etdrs(figure, etdrs)
    return figure


def _around(axis_mm: NDArray[np.float64]) -> tuple[float, float]:
    """What is shown along one axis: the map and a little of the fundus around it."""
    return float(axis_mm[0]) - _MARGIN_MM, float(axis_mm[-1]) + _MARGIN_MM


def _lay_etdrs(figure: go.Figure, etdrs: EtdrsMark) -> None:
    """The three circles, the four diagonals between the rings, and each sector's words."""
    radii = [diameter / 2.0 for diameter in DIAMETERS_MM]
    inner, outer = radii[0] / math.sqrt(2.0), radii[-1] / math.sqrt(2.0)
    x, y = etdrs.x_mm, etdrs.y_mm
    for ink, width in ((_GRID_EDGE, 3.2), (_GRID_INK, 1.4)):
        line = {"color": ink, "width": width}
        for radius in radii:
            figure.add_shape(type="circle", x0=x - radius, x1=x + radius, y0=y - radius, y1=y + radius, line=line)
        for across, down in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            figure.add_shape(
                type="line", x0=x + across * inner, y0=y + down * inner, x1=x + across * outer, y1=y + down * outer,
                line=line,
            )  # fmt: skip
    for place, words in etdrs.labels.items():
        right, below = sector_centre_mm(place)
        figure.add_annotation(
            x=x + right, y=y + below, text=f"<b>{words}</b>", showarrow=False, bgcolor=_GRID_EDGE, borderpad=2,
            font={"color": _GRID_INK, "size": 12},
        )  # fmt: skip
