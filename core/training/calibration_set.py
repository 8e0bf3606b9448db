"""The calibration block of a model card from out-of-fold probabilities, and whether its promise holds over splits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.scoring.acceptance import LIKELIER_THAN_NOT
from core.scoring.card import Calibration, CalibrationScan
from core.statistics.conformal import SplitCheck, check_over_splits
from core.vocabulary import CoipsGrade

_DIGITS = 6


def calibration_set(
    probabilities: NDArray[np.float64],
    truth: Sequence[int],
    groups: Sequence[str],
    *,
    ordinals: Sequence[int] | None = None,
    **about: Any,
) -> Calibration:
    """The block for ``ModelCard.calibration``.

    Parameters
    ----------
    probabilities : float array (n, 3)
        Calibrated probability of each grade, from a model that saw no scan of the same group.
    truth : sequence of n
        The consensus, as ordinals of CoipsGrade.
    groups : sequence of n
        Image source and near-duplicate group.
    ordinals : sequence of n, optional
        The model's grades, where they are not simply the likeliest ones.
    **about
        The other fields of Calibration: labels, method, sources, devices, fields_mm, slabs.

    Raises
    ------
    ValueError
        The three do not have one row per scan.
    """
    if not len(probabilities) == len(truth) == len(groups):
        raise ValueError(f"{len(probabilities)} probabilities, {len(truth)} grades, {len(groups)} groups: not one each")
    decided = np.argmax(probabilities, axis=1) if ordinals is None else np.asarray(ordinals)
    scans = tuple(
        CalibrationScan(
            group=group,
            p_ungradable=round(float(row[CoipsGrade.UNGRADABLE]), _DIGITS),
            ordinal=int(ordinal),
            is_ungradable=grade == CoipsGrade.UNGRADABLE,
        )
        for row, ordinal, grade, group in zip(probabilities, decided, truth, groups, strict=True)
    )
    return Calibration(scans=scans, **about)


def check_promise(calibration: Calibration, level: float, *, n_splits: int = 200, seed: int = 0) -> SplitCheck:
    """Mean risk over random splits of the calibration scans by group, beside the level (arXiv:2208.02814)."""
    scans = calibration.scans
    p_ungradable = np.array([scan.p_ungradable for scan in scans])
    is_gradable = np.array([scan.ordinal >= CoipsGrade.GRADABLE for scan in scans])
    return check_over_splits(
        p_ungradable,
        np.array([scan.is_ungradable for scan in scans]),
        is_gradable & (p_ungradable < LIKELIER_THAN_NOT),
        [scan.group for scan in scans],
        level=level,
        n_splits=n_splits,
        seed=seed,
    )
