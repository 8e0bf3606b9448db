"""The heads that turn a scan's statistics into its grade and the severity of its artifacts.

The network never saw a grade that a person gave: its maps say where an artifact is. How much that matters is learned
from graded scans (core.training.scan_heads), of which a few hundred are enough: by forests, and by a kernel machine
whose opinion counts as much.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from core.scoring.lanes.forest import Forest, Grove
from core.scoring.lanes.kernel_machine import KernelMachine
from core.scoring.lanes.scan_statistics import statistic_names
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, Severity

PREFIX = "scan_heads"
"""Of the tensors' names in the weights file."""
MACHINE = f"{PREFIX}.kernel_machine"

AREA_BANDS = {Severity.NONE: (0.0, 0.008), Severity.MILD: (0.012, 0.095), Severity.SEVERE: (0.105, 1.0)}
"""The areas a severity stands for (contracts: none < 1 %, mild 1 to 10 %, severe above), kept off the very edges."""
LEAST_PROBABILITY = 0.001
"""Below this the network sees nothing, and nothing is marked whatever the severity. Above it its ranking of the pixels
still tells where an artifact is, even one that it takes for weak."""
_CERTAIN = 1e-3
"""A forest's share of 0 or 1 is a share of the few scans it knows, no certainty."""


Cuts = tuple[float, float]
"""Degrees above which an artifact is mild, and severe."""


@dataclass(frozen=True, slots=True)
class HeadShares:
    """What the heads say of one scan: shares (3,) of the grades, and how severe each artifact is."""

    grade: NDArray[np.float64]
    severities: Mapping[ArtifactType, Severity]


@dataclass(frozen=True, slots=True)
class ScanHeads:
    """The forests: grade (3 classes in CoipsGrade order), and per artifact severity (none, mild, severe).

    ``cuts`` are, per artifact, the degrees (0 to 2) above which it is mild and severe. ``machine`` judges the grade and
    then the artifacts in OCTA_ARTIFACTS order; its shares and the forests' are averaged. None: the forests alone, as in
    weights written before version 2.3.
    """

    grade: Forest
    severities: Mapping[ArtifactType, Forest]
    cuts: Mapping[ArtifactType, Cuts]
    machine: KernelMachine | None = None
    _all: Grove = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_all", Grove.of([self.grade, *self.severities.values()]))

    def shares(self, statistics: NDArray[np.float64]) -> HeadShares:
        """What the heads say of one scan's statistics (n,)."""
        said = np.stack(self._all.shares(statistics))
        if self.machine is not None:
            said = (said + self.machine.shares(statistics)) / 2
        grade, *severities = said
        kinds = zip(self.severities, severities, strict=True)
        return HeadShares(grade, {kind: severity_of_shares(shares, self.cuts[kind]) for kind, shares in kinds})

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """What is stored beside the network's weights."""
        found = self.grade.tensors(f"{PREFIX}.grade")
        for kind, forest in self.severities.items():
            found |= forest.tensors(f"{PREFIX}.{kind.value}")
            found[f"{PREFIX}.{kind.value}.cuts"] = np.array(self.cuts[kind], np.float32)
        return found | (self.machine.tensors(MACHINE) if self.machine is not None else {})

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]]) -> Self:
        """The heads of a weights file; ValueError where a part is missing or asks for statistics that are not there."""
        has_machine = any(name.startswith(MACHINE) for name in tensors)
        machine = KernelMachine.from_tensors(tensors, MACHINE) if has_machine else None
        heads = cls(
            Forest.from_tensors(tensors, f"{PREFIX}.grade"),
            {kind: Forest.from_tensors(tensors, f"{PREFIX}.{kind.value}") for kind in OCTA_ARTIFACTS},
            {kind: _stored_cuts(tensors, f"{PREFIX}.{kind.value}.cuts") for kind in OCTA_ARTIFACTS},
            machine,
        )
        if max(forest.feature.max() for forest in (heads.grade, *heads.severities.values())) >= len(statistic_names()):
            raise ValueError("the scan heads ask for statistics that this version does not have")
        if machine is not None and (len(machine.mean), len(machine.offset)) != (
            len(statistic_names()),
            1 + len(OCTA_ARTIFACTS),
        ):
            raise ValueError("the kernel machine asks for other statistics than this version has")
        return heads


@dataclass(frozen=True, slots=True)
class GradeScaling:
    """Turns the shares of the grades into calibrated probabilities (Platt 1999).

    A slope and an intercept for P(gradable or better) and for P(outstanding), on the logit of its share; with
    ``by_mean_grade`` the first one on the mean grade of the shares: a scan that is called outstanding by some is
    further from ungradable than one of which all say gradable. The heads are fitted as if every grade were equally
    frequent; scans do not come so.
    """

    slopes: tuple[float, float] = (1.0, 1.0)
    intercepts: tuple[float, float] = (0.0, 0.0)
    by_mean_grade: bool = False

    def inputs(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """What slope and intercept are of (..., 2), from shares (..., 3)."""
        found = logit(np.clip(at_least(shares), _CERTAIN, 1 - _CERTAIN))
        if self.by_mean_grade:
            found[..., 0] = degree_of_shares(shares)
        return np.asarray(found, np.float64)

    def probabilities(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities (..., 3) in CoipsGrade order from the shares (..., 3)."""
        reached = expit(self.inputs(shares) * np.array(self.slopes) + np.array(self.intercepts))
        gradable = reached[..., 0]
        outstanding = np.minimum(gradable, reached[..., 1])
        return np.stack([1 - gradable, gradable - outstanding, outstanding], axis=-1)


def degree_of_shares(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean ordinal, 0 to 2 (...,), of shares (..., 3)."""
    return np.asarray(at_least(shares).sum(axis=-1), np.float64)


def severity_of_shares(shares: NDArray[np.float64], cuts: Cuts) -> Severity:
    """The severity of one artifact from its forest's shares (3,)."""
    return tuple(Severity)[int((degree_of_shares(shares) > np.array(cuts)).sum())]


def _stored_cuts(tensors: Mapping[str, NDArray[np.generic]], name: str) -> Cuts:
    if name not in tensors or tensors[name].shape != (2,):
        raise ValueError(f"the weights hold no {name}")
    mild, severe = (float(cut) for cut in tensors[name].astype(np.float64))
    if not 0 <= mild < severe <= 2:  # noqa: PLR2004 - degrees
        raise ValueError(f"{name} are no cuts between 0 and 2, the lower first")
    return mild, severe


def at_least(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(second class or better) and P(third class), (..., 2), from shares (..., 3)."""
    return np.stack([shares[..., 1] + shares[..., 2], shares[..., 2]], axis=-1)


def ordinal_of_shares(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Grade 0, 1, 2 (...,): the median of the shares (..., 3).

    The forest weighs every grade equally, so this is what a scan is if each were as frequent: rare grades are not lost
    for being rare, and the grade need not be the one of the highest probability.
    """
    return np.asarray((at_least(shares) > 0.5).sum(axis=-1), np.int64)  # noqa: PLR2004 - likelier than not


def mask_of_severity(
    probability: NDArray[np.float32], severity: Severity, *, threshold: float, whole_lines: bool
) -> NDArray[np.bool_]:
    """The mask (height, width) at ``threshold``, grown or shrunk until its area is one that the severity stands for.

    The most probable pixels come first; with ``whole_lines`` (motion hits whole scan lines) the most probable lines.
    Pixels or lines the network gives less than LEAST_PROBABILITY are never taken.
    """
    ranked = np.broadcast_to(probability.mean(axis=1, keepdims=True), probability.shape) if whole_lines else probability
    low, high = AREA_BANDS[severity]
    mask = ranked >= max(threshold, LEAST_PROBABILITY)
    area = _share(mask)
    if low <= area <= high:
        return np.asarray(mask, np.bool_)
    wanted = min(max(area, low), high)
    at = _quantile(ranked, 1 - wanted) if wanted < 1 else 0.0
    above = ranked > at
    # Of equal pixels none or all are taken: whichever stays inside the band.
    taken = above if low <= _share(above) <= high else ranked >= at
    return np.asarray(taken & (ranked >= LEAST_PROBABILITY), np.bool_)


def _share(mask: NDArray[np.bool_]) -> float:
    return np.count_nonzero(mask) / mask.size


def _quantile(values: NDArray[np.float32], at: float) -> float:
    """The middle between the two values on either side; NumPy's quantile looks for NaN too, in twice the time."""
    below = int(at * (values.size - 1))
    parts = np.partition(values, below, axis=None)
    return float((parts[below] + parts[below + 1 :].min()) / 2)
