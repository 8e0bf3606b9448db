"""B-scans of volumes, the fundus image they lie on, and the borders of their layers: by site, as other images are.

``/scans/{id}/bscans/{n}.png`` is the n-th B-scan from 0, ``.json`` its borders as rows per A-scan, null where there is
none; ``/scans/{id}/slo.png`` is the fundus image. What the model drew is held back from who must not see it yet; who
grades a volume masked gets its B-scans alone.
"""

import json
from collections.abc import Callable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from core.database.session import session_scope
from core.store.scan_image import ScanImages, read_scan_images
from core.store.volume_files import BORDERS
from core.volume import OctVolume
from dashboard.filters import MAX_ID
from dashboard.images import nothing_here, private_blob
from dashboard.installation import Installation
from dashboard.volume_shelf import shelf_over


def volume_routes(installation: Installation) -> list[BaseRoute]:
    """The routes of what a volume is made of."""
    door = _VolumeDoor(installation)
    return [
        Route("/scans/{scan_id:int}/bscans/{index:int}.png", door.bscan),
        Route("/scans/{scan_id:int}/bscans/{index:int}.json", door.borders),
        Route("/scans/{scan_id:int}/slo.png", door.slo),
    ]


class _VolumeDoor:
    """Handlers of the routes; plain functions, so Starlette runs them in its thread pool."""

    def __init__(self, installation: Installation) -> None:
        self._database = installation.database
        self._shelf = shelf_over(installation.blobs)

    def bscan(self, request: Request) -> Response:
        """One B-scan as 8-bit PNG of its own size."""
        index = request.path_params["index"]
        return self._answer(request, lambda _, volume: bscan_png(volume, index))

    def slo(self, request: Request) -> Response:
        """The fundus image as 8-bit PNG."""
        return self._answer(request, lambda images, volume: None if images.is_pixels_only else fundus_png(volume))

    def borders(self, request: Request) -> Response:
        """The model's and the device's borders of one B-scan, the innermost first."""
        index = request.path_params["index"]
        return self._answer(
            request, lambda images, volume: self._borders(images, volume, index), media_type="application/json"
        )

    def _answer(
        self,
        request: Request,
        draw: Callable[[ScanImages, OctVolume], bytes | None],
        *,
        media_type: str = "image/png",
    ) -> Response:
        images = self._images(request)
        if images is None or images.volume_sha256 is None:
            return nothing_here()
        sha256, drawn = images.volume_sha256, images.picture_sha256.get(BORDERS, "")
        etag = "-".join((sha256[:32], drawn[:32], str(request.path_params.get("index", "slo"))))
        return private_blob(
            request, etag=etag, content=lambda: draw(images, self._shelf.volume(sha256)), media_type=media_type
        )

    def _images(self, request: Request) -> ScanImages | None:
        if request.path_params["scan_id"] > MAX_ID:
            return None
        with session_scope(self._database, token=request.state.session_token) as session:
            return read_scan_images(session, request.path_params["scan_id"])

    def _borders(self, images: ScanImages, volume: OctVolume, index: int) -> bytes | None:
        if images.is_pixels_only or index >= volume.n_bscans:
            return None
        drawn = images.picture_sha256.get(BORDERS)
        model = None if drawn is None else [rows_of(border) for border in self._shelf.array(drawn)[index]]
        device = [rows_of(border[index]) for border in (volume.device_boundaries or {}).values()]
        return json.dumps({"model": model, "device": device or None}, allow_nan=False).encode()


def bscan_png(volume: OctVolume, index: int) -> bytes | None:
    """A B-scan as 8-bit PNG of its own size; None where there is no such B-scan."""
    return _png(volume.bscans[index]) if index < volume.n_bscans else None


def fundus_png(volume: OctVolume) -> bytes | None:
    """The fundus image as 8-bit PNG; None where the file has none."""
    return None if volume.slo is None else _png(volume.slo)


def _png(grey: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    # It is made anew for each asking, and somebody who runs through a volume waits for it: speed before size.
    Image.fromarray(grey, "L").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def rows_of(border: NDArray[np.float32]) -> list[float | None]:
    """Rows to a tenth of a pixel; None where there is no border."""
    return [round(float(row), 1) if np.isfinite(row) else None for row in border]
