"""What lies behind and over a map of the retina: the fundus image and the ETDRS grid; and maps thinned for drawing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.measures.thickness_map import FundusMap


@dataclass(frozen=True, slots=True)
class Fundus:
    """The fundus image behind a map: where the browser fetches it, and how many millimetres it shows."""

    address: str
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class EtdrsMark:
    """The ETDRS grid as it lies on a map: its centre in mm of the fundus image, and what is written in each sector.

    ``labels`` maps the sector's place (``central``, ``inner_right``, ``outer_up`` ...) to its words. Places are those
    of the picture, because where nasal and temporal are depends on the eye.
    """

    x_mm: float
    y_mm: float
    labels: Mapping[str, str]


def thinned(surface: FundusMap, most_lines: int) -> FundusMap:
    """Every n-th cell along each axis, so that at most ``most_lines`` remain: for drawing, never for a measure."""
    rows = slice(None, None, max(1, -(-surface.y_mm.size // most_lines)))
    columns = slice(None, None, max(1, -(-surface.x_mm.size // most_lines)))
    return FundusMap(np.round(surface.values[rows, columns], 1), surface.x_mm[columns], surface.y_mm[rows])
