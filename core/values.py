"""Frozen values that the floors share: measures, scale, scores, judgement. Knows no file, network or database.

Absent, bad and unknown are three things: nothing here is NaN or -1.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.vocabulary import (
    ArtifactType,
    GradeScale,
    OperatorFixable,
    ReasonCode,
    ScaleSource,
    Severity,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A number that was measured, in the unit that the field's name carries."""

    value: float


@dataclass(frozen=True, slots=True)
class NotComputable:
    """A measure that has no value for this scan, and the reason in words a technician reads."""

    reason: str


Measure = Measured | NotComputable
"""What a measure returns. Match both; there is no third case."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Millimetres per pixel of an en-face image, with the source they were read from.

    Attributes
    ----------
    x_mm_per_px, y_mm_per_px : float, > 0
        Field width over image width, and field height over image height.
    axial_length_corrected : bool
        False means nominal: the device assumed a standard eye. The area error may reach 31 %
        (Linderman et al. 2017, doi:10.1167/tvst.6.3.16).
    """

    x_mm_per_px: float
    y_mm_per_px: float
    source: ScaleSource
    axial_length_corrected: bool = False

    @classmethod
    def of_field(cls, width_mm: float, height_mm: float, width_px: int, height_px: int, source: ScaleSource) -> "Scale":
        """The scale of an image of ``width_px`` x ``height_px`` that shows ``width_mm`` x ``height_mm``."""
        return cls(width_mm / width_px, height_mm / height_px, source)

    @property
    def area_mm2_per_px(self) -> float:
        """Area of one pixel in mm^2."""
        return self.x_mm_per_px * self.y_mm_per_px


@dataclass(frozen=True, slots=True)
class SeverityThresholds:
    """Borders between none, mild and severe for a share of the region of interest.

    ``mild_from`` and ``severe_above`` are shares, 0..1. Above 10 % is severe in Kamalipour et al. 2021, Table 1
    (PMC8463411); below 1 % counts as none by the contracts.
    """

    mild_from: float = 0.01
    severe_above: float = 0.10

    def severity(self, share: float) -> Severity:
        """Severity of a share of the region, 0..1."""
        if share > self.severe_above:
            return Severity.SEVERE
        return Severity.MILD if share >= self.mild_from else Severity.NONE


CENTRATION_LOSS = SeverityThresholds(mild_from=0.05, severe_above=0.10)
"""Borders for the share of the fovea-centred analysis circle that decentration cuts off.

Severe is Kamalipour et al. 2021, Table 1 (PMC8463411: more than 10 % of a sector lost); mild is half of it, our choice:
the fixation of nineteen in twenty scans of the public COIPS set stays below.
"""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which weights and which preprocessing made a score; stored with every assessment."""

    name: str
    version: str
    weights_sha256: str
    preprocessing: str


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade on a named ordinal scale. ``probabilities`` maps label to calibrated probability, in ordinal order."""

    scale: GradeScale
    ordinal: int
    label: str
    probabilities: dict[str, float]
    abstained: bool
    """True: the model declines to decide; a person must."""


@dataclass(frozen=True, slots=True)
class ArtifactScore:
    """One artifact type: how much of the region of interest it takes, and where.

    ``mask`` is boolean (height, width) at the input's own size; ``line_fraction`` is the share of scan lines
    hit and exists for motion only.
    """

    type: ArtifactType
    area_fraction: float
    line_fraction: float | None
    severity: Severity
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FazMetrics:
    """Metrics of the foveal avascular zone. See core.measures.faz for formulas and sources."""

    area_mm2: Measure
    perimeter_mm: Measure
    acircularity_index: Measure
    circularity: Measure
    axis_ratio: Measure
    touches_border: bool


@dataclass(frozen=True, slots=True)
class Centration:
    """How far the FAZ's centroid lies from the image centre. ``severity`` is None where not computable."""

    offset_mm: Measure
    offset_fraction: Measure
    severity: Severity | None


@dataclass(frozen=True, slots=True)
class VesselMetrics:
    """Vessel measures of the whole field. See core.measures.vessels for method, ranges and sources."""

    large_vessel_area_density_percent: Measure
    perfusion_density_percent: Measure
    skeleton_density_per_mm: Measure
    fd_300_percent: Measure


@dataclass(frozen=True, slots=True)
class ImageIndices:
    """QU-Net++'s image indices (core.measures.indices) and the level agreement where a network has it."""

    blurriness: Measure
    psnr_inverse: Measure
    cov: Measure
    mean: Measure
    q_level_agreement: Measure


@dataclass(frozen=True, slots=True)
class OctaFindings:
    """What only the OCTA en-face lane says of a scan; it has columns of its own in the database.

    ``faz_mask`` (height, width) and ``faz`` are always computed; whether the metrics are *released* is the policy's
    matter. ``faz`` is NotComputable where no FAZ was found.
    """

    faz_mask: NDArray[np.bool_]
    faz: FazMetrics | NotComputable
    vessels: VesselMetrics


class LaneFindings(Protocol):
    """What only one other lane says of a scan; a frozen dataclass in that lane's module."""

    @property
    def doubts(self) -> tuple[ReasonCode, ...]:
        """Why a person must look, whatever the grade says."""
        ...

    @property
    def causes(self) -> tuple[ReasonCode, ...]:
        """What is wrong with the scan, the weightiest first; explains a grade that is not usable."""
        ...

    def document(self) -> dict[str, Any]:
        """The findings as JSON-able values: stored with the assessment, part of the record of `octaudit score`."""
        ...

    def pictures(self) -> dict[str, bytes]:
        """What pages show, by file name ("onh.png", "thickness.npy"): stored with the assessment, written by score."""
        ...

    def exports(self) -> dict[str, bytes]:
        """Further files that only `octaudit score` writes, by file name."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedFindings:
    """Findings as they were stored: for judging again. Their pictures stay in the blob store."""

    doubts: tuple[ReasonCode, ...]
    causes: tuple[ReasonCode, ...]
    recorded: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """As it was stored."""
        return self.recorded

    def pictures(self) -> dict[str, bytes]:
        """None are loaded."""
        return {}

    def exports(self) -> dict[str, bytes]:
        """None are kept."""
        return {}


@dataclass(frozen=True, slots=True)
class ScanScores:
    """Everything a lane says of one scan.

    ``shape_px`` is (height, width) of the scan, and of its masks and ``cam``, float32 in [0, 1]. ``centration`` is None
    in a lane that does not judge it. ``is_of_kind`` is False where the image does not look at all like what its lane
    scores (a stranger).
    """

    key: str
    shape_px: tuple[int, int]
    grade: Grade
    artifacts: tuple[ArtifactScore, ...]
    centration: Centration | None
    findings: OctaFindings | LaneFindings
    indices: ImageIndices
    cam: NDArray[np.float32] | NotComputable
    cam_mask_agreement: Measure
    is_of_kind: bool
    model: ModelIdentity
    seconds: float

    @property
    def octa(self) -> OctaFindings:
        """The findings of a scan of the OCTA en-face lane; TypeError for any other."""
        if not isinstance(self.findings, OctaFindings):
            raise TypeError(f"{self.key} was not scored as an OCTA en-face scan.")
        return self.findings


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a scan is flagged, in words, and what a technician can do about it."""

    code: ReasonCode
    operator_fixable: OperatorFixable
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a protocol version concludes from scores. Reasons come weightiest first; accept may have none."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
