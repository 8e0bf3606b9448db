"""What a volume says: its surfaces, ETDRS sectors, the device's own reading, and the same of another eye or visit."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.measures.etdrs import EtdrsThickness, etdrs_thickness
from core.measures.fovea import Fovea, find_fovea, marked_fovea
from core.measures.retina_surfaces import RetinaSurfaces, difference_at_fovea
from core.measures.thickness import (
    NO_DEPTH_SCALE,
    Rows,
    ThicknessAgreement,
    compare_with_device,
    device_thickness,
    mean_thickness_um,
    thickness_by_boundaries_um,
)
from core.measures.thickness_map import FundusMap, lay_out
from core.store.volume_files import VolumeFiles
from core.values import Measure, NotComputable
from core.volume import OctVolume

NO_BORDERS = NotComputable("the scan has no layer borders: it is not scored yet, or they are hidden from you")


class VolumeSource(Protocol):
    """Where decoded volumes come from; surfaces are laid once and kept."""

    def volume(self, sha256: str) -> OctVolume:
        """The volume of a blob."""
        ...

    def array(self, sha256: str) -> NDArray[np.float32]:
        """An array that the model drew: of the borders (B-scan, border, A-scan)."""
        ...

    def surfaces(self, volume_sha256: str, borders_sha256: str) -> RetinaSurfaces | NotComputable:
        """The surfaces of the first and the last border."""
        ...


@dataclass(frozen=True)
class VolumeLook:
    """One volume as a person looks at it. What is measured is worked out when it is asked for, once.

    ``borders`` is float32 (B-scan, border, A-scan), None where the model drew none or it must not be seen.
    """

    files: VolumeFiles
    volume: OctVolume
    borders: NDArray[np.float32] | None
    surfaces: RetinaSurfaces | NotComputable

    @cached_property
    def thickness_um(self) -> Rows | NotComputable:
        """Total thickness of every A-scan, (n, width), NaN where there is no retina."""
        if self.borders is None:
            return NO_BORDERS
        if self.volume.z_um_per_px is None:
            return NO_DEPTH_SCALE
        return thickness_by_boundaries_um(self.borders[:, 0], self.borders[:, -1], self.volume.z_um_per_px)

    @cached_property
    def mean_um(self) -> Measure:
        """Mean thickness of all A-scans: what a line or a circle scan can say."""
        found = self.thickness_um
        return found if isinstance(found, NotComputable) else mean_thickness_um(found)

    @cached_property
    def fovea(self) -> Fovea | NotComputable:
        """Where a person marked it, else where the pit is found."""
        if isinstance(self.surfaces, NotComputable):
            return self.surfaces
        mark = self.files.fovea
        if mark is not None and mark.x_mm is not None and mark.y_mm is not None:
            return marked_fovea(self.surfaces.thickness, mark.x_mm, mark.y_mm)
        return find_fovea(self.surfaces.thickness)

    @cached_property
    def etdrs(self) -> EtdrsThickness | NotComputable:
        """The nine sectors around the fovea that counts."""
        if isinstance(self.surfaces, NotComputable):
            return self.surfaces
        return etdrs_thickness(self.surfaces.thickness, self.fovea, self.files.laterality)

    @cached_property
    def agreement(self) -> ThicknessAgreement | NotComputable:
        """Ours against the device's own borders, A-scan by A-scan."""
        ours, device = self.thickness_um, device_thickness(self.volume)
        if isinstance(device, NotComputable):
            return device
        return ours if isinstance(ours, NotComputable) else compare_with_device(ours, device)

    @cached_property
    def device_difference(self) -> FundusMap | NotComputable:
        """Ours minus the device's thickness in um, over the fundus."""
        ours, device = self.thickness_um, device_thickness(self.volume)
        if isinstance(ours, NotComputable):
            return ours
        if isinstance(device, NotComputable):
            return device
        return lay_out((ours - device.thickness_um).astype(np.float32), self.volume)

    def difference_from(self, other: "VolumeLook") -> FundusMap | NotComputable:
        """Its thickness minus another's, laid on each other at the fovea; a fellow eye is turned over."""
        for side in (self, other):
            for found in (side.surfaces, side.fovea):
                if isinstance(found, NotComputable):
                    return found
        assert isinstance(self.surfaces, RetinaSurfaces)
        assert isinstance(other.surfaces, RetinaSurfaces)
        assert isinstance(self.fovea, Fovea)
        assert isinstance(other.fovea, Fovea)
        return difference_at_fovea(
            self.surfaces.thickness, self.fovea, other.surfaces.thickness, other.fovea,
            is_mirrored=self.files.laterality is not other.files.laterality,
        )  # fmt: skip


def look_at_volume(files: VolumeFiles, source: VolumeSource) -> VolumeLook:
    """Fetch one volume and what the model drew in it.

    Raises
    ------
    StorageError
        The blob store cannot give what the database names.
    """
    volume = source.volume(files.volume_sha256)
    if files.borders_sha256 is None:
        return VolumeLook(files, volume, None, NO_BORDERS)
    return VolumeLook(
        files, volume, source.array(files.borders_sha256), source.surfaces(files.volume_sha256, files.borders_sha256)
    )
