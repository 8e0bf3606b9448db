"""Volumes: what one says in numbers, its B-scans, the fundus image, and the borders of its layers."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from core.errors import NotFoundError
from core.store.volume_files import VolumeFiles, read_volume_files
from core.usecases.look_at_volume import look_at_volume
from core.volume import OctVolume
from dashboard.api.answers import PNG
from dashboard.api.documents.base import Id
from dashboard.api.documents.volumes import BordersDocument, VolumeDocument, volume_document
from dashboard.api.guard import Caller, ScanReader
from dashboard.images import private_png
from dashboard.volume_images import bscan_png, fundus_png, rows_of
from dashboard.volume_shelf import shelf_over

router = APIRouter(tags=["scans"])

ScanId = Annotated[Id, Path(description="Id of a scan of kind volume.")]
Index = Annotated[int, Path(ge=0, le=100_000, description="Number of the B-scan, from 0.")]


@router.get("/scans/{scan_id}/volume")
def read_volume(scan_id: ScanId, caller: ScanReader) -> VolumeDocument:
    """How it was scanned, its fovea, thickness by ETDRS sector, and agreement with the device's own borders."""
    return volume_document(look_at_volume(_files(caller, scan_id), shelf_over(caller.installation.blobs)))


@router.get("/scans/{scan_id}/bscans/{index}.png", response_class=Response, responses=PNG)
def read_bscan(scan_id: ScanId, index: Index, request: Request, caller: ScanReader) -> Response:
    """One B-scan, as the device shows it."""
    return _image(request, caller, scan_id, f"bscan-{index}", lambda volume: bscan_png(volume, index))


@router.get("/scans/{scan_id}/slo.png", response_class=Response, responses=PNG)
def read_fundus(scan_id: ScanId, request: Request, caller: ScanReader) -> Response:
    """The fundus image that the B-scans were placed on."""
    return _image(request, caller, scan_id, "slo", fundus_png)


@router.get("/scans/{scan_id}/bscans/{index}/borders")
def read_borders(scan_id: ScanId, index: Index, caller: ScanReader) -> BordersDocument:
    """The borders of one B-scan, by the model and by the device, to a tenth of a pixel."""
    files, shelf = _files(caller, scan_id), shelf_over(caller.installation.blobs)
    volume = shelf.volume(files.volume_sha256)
    if index >= volume.n_bscans:
        raise _nothing()
    drawn = None if files.borders_sha256 is None else shelf.array(files.borders_sha256)[index]
    device = {name: rows_of(border[index]) for name, border in (volume.device_boundaries or {}).items()}
    return BordersDocument(
        model=None if drawn is None else [rows_of(border) for border in drawn], device=device or None
    )


def _files(caller: Caller, scan_id: int) -> VolumeFiles:
    with caller.open_session() as session:
        files = read_volume_files(session, scan_id)
    if files is None:
        raise _nothing()
    return files


def _image(
    request: Request, caller: Caller, scan_id: int, what: str, draw: Callable[[OctVolume], bytes | None]
) -> Response:
    sha256, shelf = _files(caller, scan_id).volume_sha256, shelf_over(caller.installation.blobs)
    return private_png(request, etag=f"{sha256[:32]}-{what}", content=lambda: _drawn(draw(shelf.volume(sha256))))


def _drawn(found: bytes | None) -> bytes:
    if found is None:
        raise _nothing()
    return found


def _nothing() -> NotFoundError:
    """The same for no such scan, not the caller's site, no volume and no such B-scan: existence is not revealed."""
    return NotFoundError(
        "There is no such volume or B-scan, or your role does not show it to you.", remedy="See GET /scans/{scan_id}."
    )
