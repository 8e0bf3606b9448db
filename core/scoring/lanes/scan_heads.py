"""The linear heads that turn a scan's pooled features and statistics into its grade and the extent of its artifacts.

The network itself never saw a grade that a person gave. The heads are fitted on graded scans (core.training.scan_heads);
being linear, they are small enough for two hundred scans, and Grad-CAM through them is closed-form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.scoring.lanes.scan_statistics import statistic_names
from core.vocabulary import ArtifactType, CoipsGrade

PREFIX = "scan_heads."
"""Of the tensors' names in the weights file."""

LOG_AREA_RANGE = (np.log(1e-4), 0.0)
"""An artifact takes between a ten-thousandth and all of the image."""


@dataclass(frozen=True, slots=True)
class ScanHeads:
    """Weights on raw values (standardising is folded in).

    Attributes
    ----------
    pooled : float64 (6, C)
        Of the encoder's pooled features. Rows: gradable, outstanding, then log area of each ArtifactType in order.
    statistics : float64 (6, S)
        Of the scan statistics, in the order of ``statistic_names``.
    bias : float64 (6,)
    lowest, highest : float64 (S,)
        Statistics are clipped to what the scans fitted on had, or a strange scan would be judged by extrapolation.
    """

    pooled: NDArray[np.float64]
    statistics: NDArray[np.float64]
    bias: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]

    def outputs(self, pooled: NDArray[np.float32], statistics: NDArray[np.float64]) -> NDArray[np.float64]:
        """The six linear outputs (..., 6) of pooled features (..., C) and statistics (..., S)."""
        clipped = np.clip(statistics, self.lowest, self.highest)
        return np.asarray(pooled @ self.pooled.T + clipped @ self.statistics.T + self.bias, np.float64)

    def class_weights(self) -> NDArray[np.float32]:
        """What Grad-CAM weighs the last feature map with for each grade (3, C): evidence for it, against the next."""
        gradable, outstanding = self.pooled[0], self.pooled[1]
        rows = {
            CoipsGrade.UNGRADABLE: -gradable,
            CoipsGrade.GRADABLE: gradable - outstanding,
            CoipsGrade.OUTSTANDING: outstanding,
        }
        return np.stack([rows[grade] for grade in CoipsGrade]).astype(np.float32)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """What is stored beside the network's weights."""
        names = ("pooled", "statistics", "bias", "lowest", "highest")
        return {f"{PREFIX}{name}": getattr(self, name).astype(np.float32) for name in names}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.float32]]) -> Self:
        """The heads of a weights file; ValueError where they were made for other statistics."""
        parts = {
            name: np.asarray(tensors[f"{PREFIX}{name}"], np.float64)
            for name in ("pooled", "statistics", "bias", "lowest", "highest")
        }
        if parts["statistics"].shape != (N_OUTPUTS, len(statistic_names())):
            raise ValueError(f"the scan heads take {parts['statistics'].shape[1]} statistics, not those of this version")
        return cls(**parts)


N_OUTPUTS = 2 + len(ArtifactType)


def grade_probabilities(outputs: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities (..., 3) in CoipsGrade order from the first two outputs (..., 2 or more).

    A continuation-ratio model (Fienberg 1980): the first output decides gradable or not, the second, among the
    gradable, outstanding or not; so the probabilities are always in order, whatever the outputs.
    """
    gradable, outstanding = expit(outputs[..., 0] / temperature), expit(outputs[..., 1] / temperature)
    return np.stack([1 - gradable, gradable * (1 - outstanding), gradable * outstanding], axis=-1)


def artifact_areas(outputs: NDArray[np.float64]) -> dict[ArtifactType, float]:
    """The share of the image (0 to 1) that each artifact is judged to take, from the outputs (6,)."""
    low, high = LOG_AREA_RANGE
    return {
        kind: float(np.exp(np.clip(value, low, high))) for kind, value in zip(ArtifactType, outputs[2:], strict=True)
    }


def mask_of_area(probability: NDArray[np.float32], area: float, *, least: float) -> NDArray[np.bool_]:
    """The most probable pixels (height, width) that together take ``area`` of the image.

    Pixels below the probability ``least`` are never taken: where the network sees nothing, nothing is marked.
    """
    if area >= 1:
        return probability >= least
    threshold = float(np.quantile(probability, 1 - area))
    return np.asarray((probability >= max(threshold, least)) & (probability > 0), np.bool_)
