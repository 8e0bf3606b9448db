"""From the layers of a volume's B-scans to thickness, its map, and whether the capture is usable; NumPy only.

The other half of the lane, the forward pass, is core.scoring.torch_backend.volume.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.measures.bscan_quality import BscanQuality, bscan_quality
from core.measures.bscan_usable import DIM_BELOW, EDGE_PX, BscanCoverage
from core.measures.device_index import INDEX_LIMITS
from core.measures.etdrs import EtdrsThickness, etdrs_thickness
from core.measures.fovea import Fovea, find_fovea
from core.measures.indices import NO_LEVELS, image_indices
from core.measures.thickness import (
    NO_DEPTH_SCALE,
    TOTAL_THICKNESS,
    Rows,
    ThicknessAgreement,
    compare_with_device,
    device_thickness,
    mean_thickness_um,
    thickness_by_boundaries_um,
    thickness_by_runs_um,
)
from core.measures.thickness_map import FundusMap, lay_out
from core.scoring.contract import ScanInput
from core.scoring.lanes.bscan_canvas import fill_white_borders
from core.scoring.lanes.layer_output import Layers
from core.scoring.lanes.layer_scheme import BOUNDARY_NAMES, labels_of_boundaries, layers_png
from core.scoring.lanes.retina_likeness import is_like_retina
from core.scoring.layers_card import LayersCard
from core.values import Grade, ImageIndices, Measure, Measured, NotComputable, ScanScores
from core.vocabulary import GradeScale, LayerScheme, ReasonCode, StructuralGrade
from core.volume import OctVolume

LEAST_RETINA, MOST_CUT, MOST_DIM = 0.75, 0.05, 0.25
"""Shares of a B-scan's columns: with retina at least (the optic nerve head and a vessel may take the rest), leaving the
frame at most, and less than half as bright as the others at most. Ours: OSCAR-IB (Tewarie et al. 2012,
doi:10.1371/journal.pone.0034823) names the criteria O and I without numbers."""
LEAST_QUALITY_DB = INDEX_LIMITS["Quality (dB)"].limit
"""The device's own signal-to-noise figure that OSCAR-IB asks for (criterion S)."""
LEAST_USABLE = 0.9
"""Share of a volume's B-scans that must pass."""
FAR_FROM_CENTRE_MM = 0.75
"""A fovea farther from the middle of the field leaves less than 95 % of an outer ETDRS sector within 6 mm: our choice
of when a person must look."""
BOUNDARIES_NAME, MAP_NAME, LAYERS_NAME = "boundaries.npy", "thickness.npy", "layers.png"
UNLIKE_RETINA = NotComputable("what was found looks like no retina in any B-scan")
NO_HEAT_MAP = NotComputable("a layer network has no heat map")
_DIGITS = 6
_MM_PER_UM = 1e-3


@dataclass(frozen=True)
class VolumeFindings:
    """What the lane says of a volume, or of a single B-scan as a volume of one.

    Attributes
    ----------
    boundary_row_px : float32 (n, boundaries, width)
        Rows from 0 at the top pixel's centre, from the innermost boundary outwards; NaN where no retina was found.
    coverage : per B-scan
    is_like_retina : per B-scan
        Whether what was found in it looks like a retina at all.
    indices : per B-scan
        By which it is chosen for a mask (core.measures.selection), within the retina where one was found.
    quality : of the central B-scan
    """

    scheme: LayerScheme
    volume: OctVolume
    boundary_row_px: NDArray[np.float32]
    coverage: tuple[BscanCoverage, ...]
    is_like_retina: tuple[bool, ...]
    indices: tuple[ImageIndices, ...]
    quality: BscanQuality

    @cached_property
    def thickness_um(self) -> Rows | NotComputable:
        """Total thickness of every A-scan, (n, width); NaN where no retina was found.

        What was found in B-scans none of which looks like a retina has no thickness.
        """
        if self.volume.z_um_per_px is None:
            return NO_DEPTH_SCALE
        if self.has_retina and not any(self.is_like_retina):
            return UNLIKE_RETINA
        rows = self.boundary_row_px
        return thickness_by_boundaries_um(rows[:, 0], rows[:, -1], self.volume.z_um_per_px)

    @cached_property
    def map_um(self) -> FundusMap | NotComputable:
        """Total thickness over the fundus, between B-scans on the millimetre grid of the file."""
        thickness = self.thickness_um
        return thickness if isinstance(thickness, NotComputable) else lay_out(thickness, self.volume)

    @cached_property
    def fovea(self) -> Fovea | NotComputable:
        """The deepest point of the foveal pit."""
        return self.map_um if isinstance(self.map_um, NotComputable) else find_fovea(self.map_um)

    @cached_property
    def etdrs(self) -> EtdrsThickness | NotComputable:
        """The nine sectors around the fovea."""
        if isinstance(self.map_um, NotComputable):
            return self.map_um
        return etdrs_thickness(self.map_um, self.fovea, self.volume.laterality)

    @cached_property
    def mean_um(self) -> Measure:
        """Mean thickness of all A-scans: what a line or a circle scan can say."""
        thickness = self.thickness_um
        return thickness if isinstance(thickness, NotComputable) else mean_thickness_um(thickness)

    @cached_property
    def mean_by_runs_um(self) -> Measure:
        """The same by the rule of paper 004: the runs of the retina's mask, which are whole rows."""
        z_um, thickness = self.volume.z_um_per_px, self.thickness_um
        if isinstance(thickness, NotComputable):
            return thickness
        assert z_um is not None, "without a depth scale there is no thickness"
        runs = [thickness_by_runs_um(self.labels(index) > 0, z_um) for index in range(self.volume.n_bscans)]
        return mean_thickness_um(np.stack(runs))

    @cached_property
    def device(self) -> ThicknessAgreement | NotComputable:
        """Ours against the device's own boundaries; a difference where it stops elsewhere is no error."""
        device, thickness = device_thickness(self.volume), self.thickness_um
        if isinstance(device, NotComputable):
            return device
        return thickness if isinstance(thickness, NotComputable) else compare_with_device(thickness, device)

    def labels(self, index: int) -> NDArray[np.uint8]:
        """Class of every pixel (height, width) of one B-scan."""
        return labels_of_boundaries(self.boundary_row_px[index], self.volume.height_px)

    @property
    def has_retina(self) -> bool:
        """Whether any B-scan shows retina."""
        return any(found.retina > 0 for found in self.coverage)

    @property
    def usable_share(self) -> float:
        """Share of the B-scans that pass every criterion a program can read."""
        return float(np.mean([not self._faults(index) for index in range(len(self.coverage))]))

    def _faults(self, index: int) -> set[ReasonCode]:
        """The criteria of OSCAR-IB that one B-scan fails."""
        found, quality = self.coverage[index], self.volume.quality_db
        faults = set()
        if found.retina < LEAST_RETINA or found.cut > MOST_CUT or not self.is_like_retina[index]:
            faults.add(ReasonCode.IB_OBVIOUS)
        if found.dim > MOST_DIM:
            faults.add(ReasonCode.IB_ILLUMINATION)
        if quality is not None and quality[index] < LEAST_QUALITY_DB:
            faults.add(ReasonCode.IB_SIGNAL)
        return faults

    @property
    def causes(self) -> tuple[ReasonCode, ...]:
        """Criteria that more than a tenth of the B-scans fail, the most frequent first."""
        faults = [code for index in range(len(self.coverage)) for code in self._faults(index)]
        shares = {code: faults.count(code) / len(self.coverage) for code in sorted(set(faults))}
        often = [code for code, share in shares.items() if share > 1.0 - LEAST_USABLE]
        return tuple(sorted(often, key=lambda code: -shares[code]))

    @property
    def doubts(self) -> tuple[ReasonCode, ...]:
        """Why a person must look: the fovea lies far from the middle of the field, or none was found in a volume."""
        if isinstance(self.map_um, NotComputable):
            return ()
        if isinstance(self.fovea, NotComputable):
            return (ReasonCode.NO_CENTRATION,)
        middle = [float(axis[[0, -1]].mean()) for axis in (self.map_um.x_mm, self.map_um.y_mm)]
        off_mm = np.hypot(self.fovea.x_mm - middle[0], self.fovea.y_mm - middle[1])
        return (ReasonCode.IB_CENTRATION,) if off_mm > FAR_FROM_CENTRE_MM else ()

    def document(self) -> dict[str, Any]:
        """The findings as JSON: layers, thickness, agreement with the device, what was scanned and how well."""
        return {
            "layers": {
                "scheme": self.scheme.value,
                "mask": LAYERS_NAME,
                "boundaries": BOUNDARIES_NAME,
                "boundary_names": list(BOUNDARY_NAMES[self.scheme]),
            },
            "thickness": self._thickness(),
            "device": self._device(),
            "capture": self._capture(),
            "quality": {"snr_db": _measure(self.quality.snr_db), "contrast": _measure(self.quality.contrast)},
            "bscan_indices": {name: self._index(name) for name in ImageIndices.__slots__},
        }

    def _index(self, name: str) -> list[float | None]:
        """One index of every B-scan, in order; None where it is not computable."""
        measures = [getattr(indices, name) for indices in self.indices]
        return [_number(measure.value) if isinstance(measure, Measured) else None for measure in measures]

    def _thickness(self) -> dict[str, Any]:
        found = {
            "definition": TOTAL_THICKNESS,
            "mean_um": _measure(self.mean_um),
            "mean_by_runs_um": _measure(self.mean_by_runs_um),
            "map": self._grid(),
            "fovea": _reason(self.fovea)
            if isinstance(self.fovea, NotComputable)
            else {"x_mm": _number(self.fovea.x_mm), "y_mm": _number(self.fovea.y_mm)},
        }
        if isinstance(self.etdrs, NotComputable):
            return found | {"etdrs_um": _reason(self.etdrs), "central_subfield_um": _reason(self.etdrs),
                            "total_volume_mm3": _reason(self.etdrs)}  # fmt: skip
        return found | {
            "etdrs_um": {sector.value: _measure(mean) for sector, mean in self.etdrs.sectors.items()},
            "sampled_fraction": {sector.value: _number(v) for sector, v in self.etdrs.sampled_fraction.items()},
            "central_subfield_um": _measure(self.etdrs.central_subfield_um),
            "total_volume_mm3": _measure(self.etdrs.total_volume_mm3),
        }

    def _grid(self) -> dict[str, Any]:
        """Where the cells of the map lie on the fundus image."""
        if isinstance(self.map_um, NotComputable):
            return _reason(self.map_um)
        x, y = self.map_um.x_mm, self.map_um.y_mm
        return {
            "file": MAP_NAME,
            "unit": "mm",
            "n_rows": len(y),
            "n_columns": len(x),
            "first_x_mm": _number(float(x[0])),
            "first_y_mm": _number(float(y[0])),
            "step_mm": _number(float(x[1] - x[0])) if len(x) > 1 else 0.0,
        }

    def _device(self) -> dict[str, Any]:
        if isinstance(self.device, NotComputable):
            return _reason(self.device)
        names = ("bias_um", "low_um", "high_um", "mean_absolute_um")
        return {name: _number(getattr(self.device, name)) for name in names} | {
            "n_ascans": self.device.n_ascans,
            "outer_boundary": self.device.outer_boundary,
        }

    def _capture(self) -> dict[str, Any]:
        quality = self.volume.quality_db
        without = sum(found.retina == 0.0 for found in self.coverage)
        return {
            "scan_pattern": self.volume.scan_pattern.value,
            "n_bscans": self.volume.n_bscans,
            "n_without_retina": int(without),
            "n_unlike_retina": self.is_like_retina.count(False),
            "retina_fraction": _number(float(np.mean([found.retina for found in self.coverage]))),
            "leaving_fraction": _number(float(np.mean([found.cut for found in self.coverage]))),
            "dim_fraction": _number(float(np.mean([found.dim for found in self.coverage]))),
            "usable_bscans_fraction": _number(self.usable_share),
            "device_quality_db": {"not_computable": "the file states none"}
            if quality is None
            else {"median": _number(float(np.median(quality))), "least": _number(min(quality))},
        }

    def pictures(self) -> dict[str, bytes]:
        """The central B-scan's label map, all boundaries, and the thickness map in mm where there is one."""
        found = {
            LAYERS_NAME: layers_png(self.labels(self.volume.central_index)),
            BOUNDARIES_NAME: _npy(self.boundary_row_px),
        }
        if isinstance(self.map_um, FundusMap):
            found[MAP_NAME] = _npy(self.map_um.values * np.float32(_MM_PER_UM))
        return found

    def exports(self) -> dict[str, bytes]:
        """A label map per B-scan of a volume; a single one stands among the pictures."""
        if self.volume.n_bscans == 1:
            return {}
        return {f"{index:03d}.{LAYERS_NAME}": layers_png(self.labels(index)) for index in range(self.volume.n_bscans)}


def scores_of(
    scan: ScanInput,
    volume: OctVolume,
    layers: list[Layers],
    card: LayersCard,
    *,
    seconds: float,
    qs: Sequence[Measure] = (),
) -> ScanScores:
    """Everything the lane says of one volume, from the layers of its B-scans in order.

    ``qs`` are the level agreements of the B-scans, where the network has levels; else empty. A picture in which nothing
    looks like a retina is no scan of this lane; a volume file says itself that it holds B-scans, so there it is a
    fault.
    """
    rows = np.stack([found.boundary_row_px for found in layers])
    findings = VolumeFindings(
        scheme=card.scheme,
        volume=volume,
        boundary_row_px=rows,
        coverage=tuple(coverage_of(found, image) for found, image in zip(layers, volume.bscans, strict=True)),
        is_like_retina=tuple(is_like_retina(found.features, card.likeness) for found in layers),
        indices=tuple(
            _indices(image, own, q) for image, own, q in zip(volume.bscans, rows, qs or repeat(NO_LEVELS), strict=False)
        ),
        quality=bscan_quality(volume.central_bscan),
    )
    return ScanScores(
        key=scan.key,
        shape_px=(volume.height_px, volume.width_px),
        grade=grade_of(findings, card),
        artifacts=(),
        centration=None,
        findings=findings,
        indices=findings.indices[volume.central_index],
        cam=NO_HEAT_MAP,
        cam_mask_agreement=NO_HEAT_MAP,
        is_of_kind=findings.has_retina and (scan.volume is not None or any(findings.is_like_retina)),
        model=card.identity,
        seconds=seconds,
    )


def _indices(image: NDArray[np.uint8], boundary_row_px: NDArray[np.float32], q: Measure) -> ImageIndices:
    """The indices of one B-scan (height, width) within its retina, or of its field where none was found."""
    retina = labels_of_boundaries(boundary_row_px, image.shape[0]) > 0
    return image_indices(image, retina if retina.any() else None, q)


def coverage_of(layers: Layers, image: NDArray[np.uint8]) -> BscanCoverage:
    """Shares of one B-scan's columns that show retina, leave the frame, and are dim (core.measures.bscan_usable)."""
    inner, outer = layers.boundary_row_px[0], layers.boundary_row_px[-1]
    found = np.isfinite(inner)
    if not found.any():
        return BscanCoverage(0.0, 0.0, 0.0)
    height = image.shape[0]
    cut = layers.cut_top | layers.cut_bottom | (inner < EDGE_PX) | (outer > height - 1 - EDGE_PX)
    inside = layers.labels > 0
    n_rows = np.maximum(inside.sum(axis=0), 1)
    light = (image.astype(np.float32) * inside).sum(axis=0)[found] / n_rows[found] - float(np.percentile(image, 5))
    return BscanCoverage(
        retina=float(found.mean()),
        cut=float(cut[found].mean()),
        dim=float((light < DIM_BELOW * np.median(light)).mean()),
    )


def grade_of(findings: VolumeFindings, card: LayersCard) -> Grade:
    """Usable or not by OSCAR-IB's machine-readable criteria; always abstained, as no scan calibrates it.

    What stands in the place of probabilities is the share of B-scans that pass, and the rest.
    """
    share = findings.usable_share
    ordinal = StructuralGrade.USABLE if share >= LEAST_USABLE else StructuralGrade.NOT_USABLE
    return Grade(
        scale=GradeScale.STRUCTURAL_2,
        ordinal=int(ordinal),
        label=ordinal.label,
        probabilities={
            StructuralGrade.NOT_USABLE.label: 1.0 - share,
            StructuralGrade.USABLE.label: share,
        },
        abstained=card.calibration is None,
    )


def volume_of(scan: ScanInput) -> OctVolume:
    """The scan's volume; a single B-scan image is a volume of one, its white borders filled, without millimetres."""
    if scan.volume is not None:
        return scan.volume
    return OctVolume.of_image(fill_white_borders(scan.image), laterality=scan.laterality)


def _npy(values: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values), allow_pickle=False)
    return buffer.getvalue()


def _number(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _measure(measure: Measure) -> float | dict[str, str]:
    return _number(measure.value) if isinstance(measure, Measured) else _reason(measure)


def _reason(absent: NotComputable) -> dict[str, str]:
    return {"not_computable": absent.reason}
