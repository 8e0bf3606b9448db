"""Heat maps and surfaces of the retina, drawn from maps with known values."""

import numpy as np
import pytest

from core.charts.fundus import EtdrsMark, Fundus, thinned
from core.charts.retina_surface import END_NAME, MOST_LINES, START_NAME, draw_retina_surfaces, draw_thickness_surface
from core.charts.thickness_map import (
    LEAST_DIFFERENCE_UM,
    LEAST_RANGE_UM,
    MOST_CELLS,
    colour_range_um,
    draw_difference_map,
    draw_thickness_map,
    sector_centre_mm,
)
from core.measures.retina_surfaces import RetinaSurfaces
from core.measures.thickness_map import FundusMap


def fundus_map(values: np.ndarray) -> FundusMap:
    rows, columns = values.shape
    return FundusMap(values.astype(np.float32), 1.0 + 0.02 * np.arange(columns), 2.0 + 0.02 * np.arange(rows))


def slope(size: int = 300) -> FundusMap:
    return fundus_map(np.tile(np.linspace(220.0, 480.0, size), (size, 1)))


def test_a_map_is_drawn_where_it_lies_on_the_fundus():
    figure = draw_thickness_map(slope(), fundus=Fundus("/scans/7/slo.png", 9.0, 8.0))
    heat, image = figure.data[0], figure.layout.images[0]
    assert (heat.x[0], heat.y[0]) == pytest.approx((1.0, 2.0))
    assert (image.source, image.sizex, image.sizey, image.layer) == ("/scans/7/slo.png", 9.0, 8.0, "below")
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # down is down, as on the fundus
    assert figure.layout.yaxis.scaleanchor == "x"  # a millimetre is as long both ways


def test_the_grid_of_nine_sectors_lies_at_the_fovea():
    figure = draw_thickness_map(slope(), etdrs=EtdrsMark(4.0, 5.0, {"central": "251", "outer_up": "–"}))
    circles = {(s.x0, s.x1, s.y0, s.y1) for s in figure.layout.shapes if s.type == "circle"}
    assert circles == {(4.0 - r, 4.0 + r, 5.0 - r, 5.0 + r) for r in (0.5, 1.5, 3.0)}
    lines = [s for s in figure.layout.shapes if s.type == "line"]
    assert [np.hypot(line.x1 - 4.0, line.y1 - 5.0) for line in lines] == pytest.approx([3.0] * 8)
    words = {note.text: (note.x, note.y) for note in figure.layout.annotations}
    assert words == {"<b>251</b>": (4.0, 5.0), "<b>–</b>": (4.0, 2.75)}


@pytest.mark.parametrize("place", ["inner_right", "inner_left", "inner_up", "inner_down"])
def test_the_words_of_a_sector_stand_in_the_middle_of_its_ring(place: str):
    assert np.hypot(*sector_centre_mm(place)) == 1.0
    assert np.hypot(*sector_centre_mm(place.replace("inner", "outer"))) == 2.25


def test_colours_of_two_maps_mean_the_same_thickness():
    thin, thick = fundus_map(np.full((50, 50), 180.0)), fundus_map(np.full((50, 50), 611.0))
    span = colour_range_um(thin, thick)
    assert span == (180.0, 620.0)
    drawn = [draw_thickness_map(each, range_um=span).data[0] for each in (thin, thick)]
    assert {(heat.zmin, heat.zmax) for heat in drawn} == {span}
    assert draw_thickness_surface(thick, range_um=span).data[0].cmax == 620.0


def test_a_flat_retina_is_no_landscape_and_an_empty_map_no_fault():
    assert colour_range_um(fundus_map(np.full((9, 9), 300.0))) == LEAST_RANGE_UM
    empty = fundus_map(np.full((9, 9), np.nan))
    assert colour_range_um(empty) == LEAST_RANGE_UM
    assert draw_difference_map(empty).data[0].zmax == LEAST_DIFFERENCE_UM


def test_nought_is_the_middle_of_a_difference():
    heat = draw_difference_map(fundus_map(np.linspace(-90.0, 30.0, 400).reshape(20, 20))).data[0]
    assert heat.zmin == -heat.zmax
    assert 80.0 < heat.zmax < 90.0


def test_large_maps_are_thinned_for_drawing_and_keep_their_place():
    drawn = thinned(slope(300), MOST_CELLS)
    assert drawn.values.shape == (150, 150)
    assert drawn.x_mm[1] - drawn.x_mm[0] == pytest.approx(0.04)
    assert thinned(slope(100), MOST_CELLS).values.shape == (100, 100)


def test_both_borders_of_the_retina_are_surfaces_with_the_vitreous_above():
    start, end = fundus_map(np.full((300, 200), 400.0)), fundus_map(np.full((300, 200), 700.0))
    figure = draw_retina_surfaces(RetinaSurfaces(start, end, fundus_map(np.full((300, 200), 300.0))))
    assert [(surface.type, surface.name) for surface in figure.data] == [("surface", START_NAME), ("surface", END_NAME)]
    assert figure.layout.scene.zaxis.autorange == "reversed"
    assert figure.layout.scene.dragmode == "turntable"
    assert max(figure.data[0].z.shape) <= MOST_LINES
    assert figure.layout.scene.aspectratio.x / figure.layout.scene.aspectratio.y == pytest.approx(2 / 3, rel=0.01)
