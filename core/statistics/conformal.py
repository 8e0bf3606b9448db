"""Conformal risk control of one rate: how often a scan is accepted although it is ungradable. Pure.

A scan is *accepted at lambda* where its score (calibrated probability of being ungradable) lies **below** lambda. The
loss L_i(lambda) = 1 where scan i is accepted at lambda and its truth is ungradable, else 0; it never falls with lambda,
and it is continuous from the left, so the largest lambda that keeps the bound exists. Angelopoulos, Bates, Fisch, Lei
and Schuster 2024, "Conformal Risk Control", arXiv:2208.02814, equation 4 and theorem 1 with B = 1, the sign of lambda
turned round.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError

ACCEPT_ALL = 1.0
"""The threshold where even accepting every scan keeps the bound: no probability lies above."""

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


def smallest_level(n_scans: int) -> float:
    """1/(n+1): the smallest level that ``n_scans`` calibration scans can vouch for (above 0, at most 1)."""
    if n_scans < 0:
        raise ValueError(f"a calibration set holds no {n_scans} scans")
    return 1.0 / (n_scans + 1)


def check_level(level: float, n_scans: int) -> None:
    """Refuse a level that a calibration set of this size can never vouch for.

    Raises
    ------
    UsageError
        ``level`` (a share, 0..1) is below 1/(n+1): even a set without any loss leaves that much open.
    """
    if not 0.0 < level < 1.0:
        raise UsageError(f"A level of {level:g} is no share between 0 and 1.", remedy="Write 0.01 for 1 %.")
    if _allowed_losses(level, n_scans) < 0:
        needed = math.ceil(1.0 / level - 1e-9) - 1
        raise UsageError(
            f"The level {100 * level:.3g} % cannot be promised: {n_scans} calibration scans vouch for "
            f"{100 * smallest_level(n_scans):.3g} % at the least (1/(n+1)), even where none was accepted wrongly.",
            remedy=f"Choose a higher level, or calibrate on {needed} scans or more.",
        )


def risk_threshold(scores: Scores, is_lossy: Flags, level: float) -> float:
    """Lambda-hat: the largest threshold at which (n R(lambda) + 1)/(n + 1) <= level holds on the calibration scans.

    Parameters
    ----------
    scores : float array (n,)
        Calibrated probability of each calibration scan to be ungradable, 0..1.
    is_lossy : bool array (n,)
        Whether accepting the scan would be a loss: ungradable in truth, and not refused for another reason anyway.
    level : float
        The share of all scans that may be accepted although ungradable, at least 1/(n+1).

    Returns
    -------
    float
        In 0..1; accept where the score lies below. For scans exchangeable with the calibration scans the expected
        share of accepted and ungradable ones is at most ``level`` (theorem 1); marginally, over draws of the
        calibration set too, and not within a site, device or source.

    Raises
    ------
    UsageError
        ``level`` is below 1/(n+1) (check_level).
    """
    check_level(level, len(scores))
    losing = np.sort(scores[is_lossy])
    n_allowed = _allowed_losses(level, len(scores))
    return float(losing[n_allowed]) if len(losing) > n_allowed else ACCEPT_ALL


def _allowed_losses(level: float, n_scans: int) -> int:
    """How many calibration scans may be lost: the largest k with (k + 1)/(n + 1) <= level; below 0: not even none."""
    # A level such as 0.03 times 100 is a hair below 3 in binary; the hair must not cost a whole scan.
    return math.floor(level * (n_scans + 1) + 1e-9) - 1


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """What the promise came to over many random splits of scans whose truth is known.

    Attributes
    ----------
    mean_risk : float
        Mean over splits of the share of test scans that were accepted and ungradable, 0..1.
    monte_carlo_error : float
        Standard error of that mean over splits.
    mean_abstained : float
        Mean share of test scans that would pass but for the threshold, 0..1.
    n_refused : int
        Splits whose calibration part was too small for the level; nothing is accepted there.
    """

    level: float
    n_splits: int
    mean_risk: float
    monte_carlo_error: float
    mean_abstained: float
    n_refused: int

    @property
    def holds(self) -> bool:
        """Whether the mean risk keeps the level within twice the Monte Carlo error."""
        return self.mean_risk <= self.level + 2.0 * self.monte_carlo_error


def check_over_splits(
    scores: Scores,
    is_ungradable: Flags,
    may_pass: Flags,
    groups: Sequence[Hashable],
    *,
    level: float,
    n_splits: int = 200,
    calibration_share: float = 0.7,
    seed: int = 0,
) -> SplitCheck:
    """Calibrate on a random part of the groups, count what is lost on the others, many times over.

    Parameters
    ----------
    scores, is_ungradable : arrays (n,)
        Probability of being ungradable, and the truth.
    may_pass : bool array (n,)
        False where the scan is refused whatever the threshold says (graded ungradable, for instance).
    groups : sequence of n
        Scans of one group (image source and near duplicates) are never parted.
    calibration_share : float
        Of the groups, this share calibrates. Its scans must number at least 1/level - 1, or nothing is accepted.
    """
    rng = np.random.default_rng(seed)
    members = _members(groups)
    risks, abstained, n_refused = [], [], 0
    for _ in range(n_splits):
        order = rng.permutation(len(members))
        n_calibration = round(calibration_share * len(members))
        tuned = np.concatenate([members[at] for at in order[:n_calibration]])
        tested = np.concatenate([members[at] for at in order[n_calibration:]])
        if _allowed_losses(level, len(tuned)) < 0:
            threshold, n_refused = 0.0, n_refused + 1
        else:
            threshold = risk_threshold(scores[tuned], (is_ungradable & may_pass)[tuned], level)
        accepted = may_pass[tested] & (scores[tested] < threshold)
        risks.append(float((accepted & is_ungradable[tested]).mean()))
        abstained.append(float((may_pass[tested] & ~accepted).mean()))
    error = float(np.std(risks, ddof=1) / math.sqrt(n_splits))
    return SplitCheck(level, n_splits, float(np.mean(risks)), error, float(np.mean(abstained)), n_refused)


def thresholds_without_each_group(
    scores: Scores, is_lossy: Flags, groups: Sequence[Hashable], level: float
) -> NDArray[np.float64]:
    """For every scan (n,) the threshold that the scans of all other groups give; 0 where those are too few.

    What is counted with these thresholds is not counted on the scans that chose them.
    """
    found = np.zeros(len(scores))
    everyone = np.ones(len(scores), np.bool_)
    for member in _members(groups):
        others = everyone.copy()
        others[member] = False
        if _allowed_losses(level, int(others.sum())) >= 0:
            found[member] = risk_threshold(scores[others], is_lossy[others], level)
    return found


def _members(groups: Sequence[Hashable]) -> list[NDArray[np.intp]]:
    """The places of each group's scans, groups in the order of their first scan."""
    places: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    return [np.array(found, np.intp) for found in places.values()]
