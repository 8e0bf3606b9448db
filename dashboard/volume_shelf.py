"""Volumes and layer borders that pages and images asked for last, decoded, within bounded memory. Knows no scan."""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.intake.volume_blob import decode_volume
from core.measures.retina_surfaces import RetinaSurfaces, lay_surfaces
from core.storage import BlobStore
from core.values import NotComputable
from core.volume import OctVolume

MOST_BYTES = 192 * 2**20
"""Five volumes of 97 B-scans of 496 x 768 px with their borders: whoever steps through one fetches a B-scan a time."""


class VolumeShelf:
    """Decoded blobs by hash; the one that was asked for longest ago goes first."""

    def __init__(self, read: Callable[[str], bytes], most_bytes: int = MOST_BYTES) -> None:
        self._read = read
        self._most_bytes = most_bytes
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()  # a page asks for many B-scans of one volume at once: it is decoded once

    def volume(self, sha256: str) -> OctVolume:
        """The volume of a blob; StorageError where the store cannot give it."""
        volume: OctVolume = self._get(sha256, decode_volume, _size)
        return volume

    def array(self, sha256: str) -> NDArray[np.float32]:
        """An array that the model drew, stored as .npy; never unpickled."""
        array: NDArray[np.float32] = self._get(
            sha256, lambda data: np.load(BytesIO(data), allow_pickle=False), lambda found: found.nbytes
        )
        return array

    def surfaces(self, volume_sha256: str, borders_sha256: str) -> RetinaSurfaces | NotComputable:
        """The surfaces of the first and the last border: laying them takes most of a second."""
        volume, borders = self.volume(volume_sha256), self.array(borders_sha256)
        surfaces: RetinaSurfaces | NotComputable = self._keep(
            f"{volume_sha256}/{borders_sha256}",
            lambda: lay_surfaces(borders[:, 0], borders[:, -1], volume),
            lambda found: 0 if isinstance(found, NotComputable) else 3 * found.thickness.values.nbytes,
        )
        return surfaces

    def _get(self, sha256: str, decode: Callable[[bytes], Any], size: Callable[[Any], int]) -> Any:
        return self._keep(sha256, lambda: decode(self._read(sha256)), size)

    def _keep(self, name: str, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name][0]
            found = make()
            self._kept[name] = found, size(found)
            while len(self._kept) > 1 and sum(n_bytes for _, n_bytes in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)
            return found


def _size(volume: OctVolume) -> int:
    device = (volume.device_boundaries or {}).values()
    slo = 0 if volume.slo is None else volume.slo.nbytes
    return int(volume.bscans.nbytes + slo + sum(rows.nbytes for rows in device))


@lru_cache(maxsize=1)
def shelf_over(blobs: BlobStore) -> VolumeShelf:
    """The one shelf of this process over its blob store."""
    return VolumeShelf(blobs.get)
