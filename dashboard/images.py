"""Images of scans and of what the model saw in them, as PNG: authenticated by the gate, by site through the database.

Every answer is `private, no-cache` with the blob's hash as ETag: a browser may keep its copy, but the site is checked
again each time it is shown. What the database names and the blob store cannot give is a 503 and one line in the log.
"""

import logging
from collections.abc import Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from core.database.session import session_scope
from core.errors import StorageError
from core.scoring.pictures import MEDIA_TYPE, media_type_of
from core.store.scan_image import ScanImages, read_scan_images
from core.vocabulary import ArtifactType
from dashboard.filters import MAX_ID
from dashboard.installation import Installation
from dashboard.overlay import (
    LAYERS_PICTURE,
    MASKS_SHOWN,
    shrink,
    tint_artifacts,
    tint_cam,
    tint_findings,
    tint_layers,
    trace_outline,
)

_LOG = logging.getLogger(__name__)
MAX_TILE_PX = 512
RENDERED_TILES = 512
"""Tiles kept in memory, 10-60 kB each: some ten pages of a gallery, well under 32 MB."""


def image_routes(installation: Installation) -> list[BaseRoute]:
    """The image routes. Paths: ``image``, ``masks/{type}``, ``faz``, ``cam`` are stored blobs; the rest is drawn."""
    door = _ImageDoor(installation)
    return [
        Route("/scans/{scan_id:int}/image.png", door.image),
        Route("/scans/{scan_id:int}/faz.png", door.faz),
        Route("/scans/{scan_id:int}/cam.png", door.cam),
        Route("/scans/{scan_id:int}/masks/{type}.png", door.mask),
        Route("/scans/{scan_id:int}/pictures/{name}", door.picture),
        Route("/scans/{scan_id:int}/tile.png", door.tile),
        Route("/scans/{scan_id:int}/tile/{layer}.png", door.layer_tile),
    ]


class _ImageDoor:
    """Handlers of the image routes; plain functions, so Starlette runs them in its thread pool."""

    def __init__(self, installation: Installation) -> None:
        self._database = installation.database
        self._read = installation.blobs.get
        self._tile = lru_cache(maxsize=RENDERED_TILES)(self._draw_tile)

    def image(self, request: Request) -> Response:
        """The scan itself."""
        return self._stored(request, lambda images: images.image_sha256)

    def faz(self, request: Request) -> Response:
        """The FAZ mask, 0/255."""
        return self._stored(request, lambda images: images.faz_sha256)

    def cam(self, request: Request) -> Response:
        """The Grad-CAM as grey levels."""
        return self._stored(request, lambda images: images.cam_sha256)

    def mask(self, request: Request) -> Response:
        """The mask of one artifact type, 0/255."""
        type_ = request.path_params["type"]
        return self._stored(request, lambda images: images.mask_sha256.get(type_))

    def picture(self, request: Request) -> Response:
        """A picture of the lane's findings, by its file name."""
        name = request.path_params["name"]
        return self._stored(request, lambda images: images.picture_sha256.get(name), media_type=media_type_of(name))

    def tile(self, request: Request) -> Response:
        """The scan, reduced to ``?size=`` px (at most 512)."""
        return self._drawn(request, "image", lambda images: (images.image_sha256,))

    def layer_tile(self, request: Request) -> Response:
        """One overlay over a tile: ``artifacts``, ``findings`` and ``layers`` in colour, ``cam``, ``faz`` (outline)."""
        layer = request.path_params["layer"]
        sources: dict[str, Callable[[ScanImages], tuple[str | None, ...]]] = {
            "artifacts": lambda images: tuple(images.mask_sha256.get(type_) for type_ in ArtifactType),
            "findings": lambda images: tuple(images.picture_sha256.get(name) for name in MASKS_SHOWN),
            "layers": lambda images: (images.picture_sha256.get(LAYERS_PICTURE),),
            "cam": lambda images: (images.cam_sha256,),
            "faz": lambda images: (images.faz_sha256,),
        }
        if layer not in sources:
            return nothing_here()
        return self._drawn(request, layer, sources[layer])

    def _images(self, request: Request) -> ScanImages | None:
        if request.path_params["scan_id"] > MAX_ID:
            return None
        with session_scope(self._database, token=request.state.session_token) as session:
            return read_scan_images(session, request.path_params["scan_id"])

    def _stored(
        self, request: Request, choose: Callable[[ScanImages], str | None], *, media_type: str = MEDIA_TYPE
    ) -> Response:
        images = self._images(request)
        sha256 = choose(images) if images else None
        if sha256 is None:
            return nothing_here()
        return private_blob(request, etag=sha256, content=lambda: self._read(sha256), media_type=media_type)

    def _drawn(self, request: Request, layer: str, choose: Callable[[ScanImages], tuple[str | None, ...]]) -> Response:
        images = self._images(request)
        sources = choose(images) if images else ()
        if not any(sources):
            return nothing_here()
        size_px = _size_px(request.query_params.get("size"))
        etag = "-".join((layer, str(size_px), *(source[:16] if source else "0" for source in sources)))
        return private_png(request, etag=etag, content=lambda: self._tile(layer, size_px, sources))

    def _draw_tile(self, layer: str, size_px: int, sources: tuple[str | None, ...]) -> bytes:
        blobs = [self._read(source) if source else None for source in sources]
        if layer == "artifacts":
            return tint_artifacts(dict(zip(ArtifactType, blobs, strict=True)), size_px)
        if layer == "findings":
            return tint_findings(dict(zip(MASKS_SHOWN, blobs, strict=True)), size_px)
        blob = blobs[0]
        assert blob is not None
        return {"image": shrink, "layers": tint_layers, "cam": tint_cam, "faz": trace_outline}[layer](blob, size_px)


def _size_px(text: str | None) -> int:
    """The asked size within 32 to 512 px, in steps of 32, so that the cache is not filled by odd sizes."""
    asked = int(text) if text and text.isdecimal() and len(text) <= 5 else 256  # noqa: PLR2004 - five digits
    return min(MAX_TILE_PX, max(32, -(-asked // 32) * 32))


def private_png(request: Request, *, etag: str, content: Callable[[], bytes]) -> Response:
    """A PNG that a browser may keep, and whose right to be seen is asked again each time it is shown."""
    return private_blob(request, etag=etag, content=content, media_type=MEDIA_TYPE)


def private_blob(request: Request, *, etag: str, content: Callable[[], bytes | None], media_type: str) -> Response:
    """The same of any content; None says that there is no such picture after all."""
    headers = {"ETag": f'"{etag}"', "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}
    if request.headers.get("if-none-match") == f'"{etag}"':
        return Response(status_code=304, headers=headers)
    try:
        found = content()
    except (StorageError, OSError) as error:
        return _not_in_store(request, error)
    return nothing_here() if found is None else Response(found, media_type=media_type, headers=headers)


def _not_in_store(request: Request, error: Exception) -> Response:
    """Not 404: the scan is there, and a page that shows it must not say that it never had a picture."""
    _LOG.error("%s: %s", request.url.path, error)
    answer = {
        "code": "storage",
        "message": "The picture is recorded, but the blob store cannot give it.",
        "remedy": "Tell your administrator: the server's log names the stored file. Then load the page again.",
    }
    return JSONResponse(answer, status_code=503, headers={"Cache-Control": "no-store", "Retry-After": "60"})


def nothing_here() -> Response:
    """The same answer for "no such scan", "not your site" and "no such layer": existence is not revealed."""
    answer = {
        "code": "not_found",
        "message": "There is no such image, or your role does not show it to you.",
        "remedy": "Open the scan from the worklist or the examples.",
    }
    return JSONResponse(answer, status_code=404, headers={"Cache-Control": "no-store"})
