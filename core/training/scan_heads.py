"""Fits the scan heads on graded scans, and judges them by cross-validation in which near duplicates stay together.

Extremely randomised trees (Geurts, Ernst and Wehenkel 2006, doi:10.1007/s10994-006-6226-1), and a kernel machine
where the recipe says so, half each: with two hundred scans and less than two hundred statistics they did best of what
was tried (docs/experiments.md).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from core.phantom.strength import severity_of_share
from core.scoring.lanes.forest import LEAF, Forest
from core.scoring.lanes.kernel_machine import KernelMachine
from core.scoring.lanes.scan_heads import Cuts, GradeScaling, ScanHeads, degree_of_shares
from core.scoring.lanes.scan_statistics import statistic_names
from core.scoring.lanes.texture_statistics import texture_names
from core.statistics.agreement import quadratic_kappa
from core.training.balance import N_CLASSES, UNKNOWN, balanced_weights
from core.training.kernel_machine import fit_machine
from core.vocabulary import OCTA_ARTIFACTS, CoipsGrade, Severity

N_FOLDS = 5
N_TREES, MIN_LEAF, FEATURE_SHARE = 200, 2, 0.3
_ORDER = tuple(Severity)
MILD_CUTS, SEVERE_CUTS = np.linspace(0.2, 0.95, 16), np.linspace(0.8, 1.75, 20)
"""Degrees tried as the borders of mild and severe."""
MIDDLE_CUTS: Cuts = (0.5, 1.5)
Ordinals = NDArray[np.int64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadData:
    """What is known of n scans; UNKNOWN (-1) where nothing is.

    Attributes
    ----------
    statistics : float64 (n, S)
    grade : int64 (n,)
    severities : int64 (n, 4), in OCTA_ARTIFACTS order
    weight : float64 (n,)
        How much a scan counts; classes are balanced among scans of the same weight.
    """

    statistics: Matrix
    grade: Ordinals
    severities: Ordinals
    weight: Matrix

    def take(self, index: NDArray[np.intp]) -> "HeadData":
        """Some of the scans."""
        return HeadData(self.statistics[index], self.grade[index], self.severities[index], self.weight[index])

    def of_maps(self) -> "HeadData":
        """The same scans without the picture's own numbers, which are the last of the statistics."""
        n_maps = len(statistic_names()) - len(texture_names())
        return replace(self, statistics=self.statistics[:, :n_maps])

    def joined(self, other: "HeadData") -> "HeadData":
        """These scans and others."""
        return HeadData(
            np.concatenate([self.statistics, other.statistics]),
            np.concatenate([self.grade, other.grade]),
            np.concatenate([self.severities, other.severities]),
            np.concatenate([self.weight, other.weight]),
        )


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What heads fitted without a scan, and without its near duplicates, say of it."""

    grade: Matrix  # (n, 3) shares
    severities: Ordinals  # (n, 4)
    fold: Ordinals  # (n,)


def fit_heads(data: HeadData, *, seed: int = 0, with_machine: bool = True) -> ScanHeads:
    """The forests and the kernel machine for these scans; without it the heads of version 2.2.

    Those are forests alone, on the statistics of then (``HeadData.of_maps``): such weights are judged so.
    A severity's cuts are those at which the scans of full weight, each judged by the trees that did not draw it and by
    the machine without it, agree best with the truth.
    """
    data = data if with_machine else data.of_maps()
    machine, left_out = _fit_machine(data) if with_machine else (None, None)
    forests, cuts = {}, {}
    for number, kind in enumerate(OCTA_ARTIFACTS):
        truth = data.severities[:, number]
        forests[kind], degree = _fit_severity(data.statistics, truth, data.weight, seed)
        is_judge = (truth != UNKNOWN) & (data.weight == data.weight.max())
        both = degree if left_out is None else (degree + degree_of_shares(left_out[:, 1 + number])) / 2
        cuts[kind] = _best_cuts(both[is_judge], truth[is_judge]) if degree.any() else MIDDLE_CUTS
    grade = _fit_grade(data.statistics, data.grade, data.weight, seed)
    return ScanHeads(grade, forests, cuts, machine)


def _fit_machine(data: HeadData) -> tuple[KernelMachine, Matrix]:
    """The machine for grade and severities, and the shares (n, 5, 3) of each scan by the others."""
    return fit_machine(data.statistics, np.column_stack([data.grade, data.severities]).astype(np.int64), data.weight)


def cross_validate(
    data: HeadData,
    groups: Sequence[str],
    strata: Sequence[str],
    *,
    extra: HeadData | None = None,
    seed: int = 0,
    with_machine: bool = True,
) -> OutOfFold:
    """Shares by heads fitted on the other folds; ``extra`` (phantoms) is added to every fit.

    Folds keep groups together and hold the strata (source and grade) in equal shares.
    """
    n_scans = len(groups)
    grade = np.full((n_scans, N_CLASSES), np.nan)
    severities = np.full((n_scans, len(OCTA_ARTIFACTS)), UNKNOWN)
    fold = np.full(n_scans, UNKNOWN)
    for number, (fitted, left_out) in enumerate(folds_of(data, groups, strata, seed=seed)):
        rest = data.take(fitted) if extra is None else data.take(fitted).joined(extra)
        heads = fit_heads(rest, seed=seed, with_machine=with_machine)
        for index in left_out:
            shares = heads.shares(data.statistics[index])
            grade[index] = shares.grade
            severities[index] = [_ORDER.index(shares.severities[kind]) for kind in OCTA_ARTIFACTS]
        fold[left_out] = number
    return OutOfFold(grade, severities, fold)


def folds_of(
    data: HeadData, groups: Sequence[str], strata: Sequence[str], *, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """For each fold the places of the scans to fit on and of those left out.

    A stratum of fewer scans than there are folds reaches as many folds as it can.
    """
    parts = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Rare grades are what they are: nobody at the terminal can mend that.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        folds = list(parts.split(data.statistics, np.asarray(strata), np.asarray(groups)))
    yield from folds


def fit_grade_scaling(shares: Matrix, truth: Ordinals, *, by_mean_grade: bool = True) -> GradeScaling:
    """Platt scaling of out-of-fold shares (n, 3), P(gradable or better) by their mean grade or by its own share.

    Four numbers from all scans, so that reporting on the same scans flatters hardly.
    """
    raw = GradeScaling(by_mean_grade=by_mean_grade).inputs(shares)
    slopes, intercepts = zip(*(_platt(raw[:, level], truth > level) for level in range(2)), strict=True)
    return GradeScaling((slopes[0], slopes[1]), (intercepts[0], intercepts[1]), by_mean_grade)


def severity_ordinals(shares_of_area: Matrix) -> Ordinals:
    """Severities (n, 4) that known areas (n, 4) in 0..1 stand for."""
    return np.array([[_ORDER.index(severity_of_share(share)) for share in row] for row in shares_of_area], np.int64)


def _platt(raw: Matrix, is_reached: NDArray[np.bool_]) -> tuple[float, float]:
    if is_reached.all() or not is_reached.any():
        return 1.0, 0.0
    model = LogisticRegression(C=1e3).fit(raw[:, None], is_reached)
    return round(max(float(model.coef_[0, 0]), 0.05), 4), round(float(model.intercept_[0]), 4)


def _fit_grade(statistics: Matrix, truth: Ordinals, weight: Matrix, seed: int) -> Forest:
    """The grade's forest for the scans whose truth is known; without two classes, one leaf that says what there is."""
    known = truth != UNKNOWN
    classes = np.unique(truth[known])
    if len(classes) < 2:  # noqa: PLR2004 - nothing to tell apart
        return _single_leaf(int(classes[0]) if len(classes) else int(CoipsGrade.UNGRADABLE))
    trees = ExtraTreesClassifier(
        N_TREES,
        min_samples_leaf=MIN_LEAF,
        max_features=FEATURE_SHARE,
        random_state=seed,
        n_jobs=1,
    ).fit(
        statistics[known].astype(np.float32), truth[known], sample_weight=balanced_weights(truth[known], weight[known])
    )

    def shares_of(tree: Any) -> Matrix:
        shares = np.zeros((tree.node_count, N_CLASSES))
        counts = tree.value[:, 0, :]
        shares[:, classes] = counts / counts.sum(axis=1, keepdims=True)
        return shares

    return _joined([(estimator.tree_, shares_of(estimator.tree_)) for estimator in trees.estimators_])


def _fit_severity(statistics: Matrix, truth: Ordinals, weight: Matrix, seed: int) -> tuple[Forest, Matrix]:
    """An artifact's forest for the scans whose truth is known, and its degrees (n,) by the trees that did not draw it.

    Each tree regresses both indicators, mild or worse and severe, so that a split's worth knows their order (Frank and
    Hall 2001, doi:10.1007/3-540-44795-4_13, with one tree for both). Where there is nothing to tell apart, and for
    scans of unknown truth, the degrees are 0.
    """
    known = truth != UNKNOWN
    classes = np.unique(truth[known])
    degree = np.zeros(len(truth))
    if len(classes) < 2:  # noqa: PLR2004 - nothing to tell apart
        return _single_leaf(int(classes[0]) if len(classes) else 0), degree
    reached = np.stack([truth[known] >= 1, truth[known] >= 2], axis=1).astype(np.float64)  # noqa: PLR2004 - severe
    trees = ExtraTreesRegressor(
        N_TREES,
        min_samples_leaf=MIN_LEAF,
        max_features=FEATURE_SHARE,
        bootstrap=True,
        oob_score=True,
        random_state=seed,
        n_jobs=1,
    ).fit(statistics[known].astype(np.float32), reached, sample_weight=weight[known])
    degree[known] = trees.oob_prediction_.sum(axis=1)

    def shares_of(tree: Any) -> Matrix:
        mild, severe = tree.value[:, 0, 0], tree.value[:, 1, 0]
        return np.stack([1 - mild, mild - severe, severe], axis=1)

    return _joined([(estimator.tree_, shares_of(estimator.tree_)) for estimator in trees.estimators_]), degree


def _best_cuts(degree: Matrix, truth: Ordinals) -> Cuts:
    """The cuts of best quadratic kappa; of equally good ones those in the middle of their range."""
    pairs = [(mild, severe) for mild in MILD_CUTS for severe in SEVERE_CUTS if mild < severe]
    scored = [(quadratic_kappa(np.greater(degree[:, None], pair).sum(axis=1), truth), pair) for pair in pairs]
    best = max((kappa for kappa, _ in scored if kappa is not None), default=None)
    if best is None:
        return MIDDLE_CUTS
    mild, severe = np.median([pair for kappa, pair in scored if kappa == best], axis=0)
    return float(mild), float(severe)


def _single_leaf(ordinal: int) -> Forest:
    values = np.zeros((1, N_CLASSES), np.float32)
    values[0, ordinal] = 1.0
    nothing = np.zeros(1, np.int32)
    return Forest(np.full(1, LEAF, np.int16), np.zeros(1, np.float32), nothing, nothing, values, nothing)


def _joined(trees: Sequence[tuple[Any, Matrix]]) -> Forest:
    """scikit-learn's trees, each with its nodes' shares, as one list of nodes; leaves are marked by a child of -1."""
    columns: dict[str, list[NDArray[np.generic]]] = {name: [] for name in ("feature", "threshold", "left", "right")}
    values, roots, first = [], [], 0
    for tree, shares in trees:
        left, right = tree.children_left, tree.children_right
        is_leaf = left < 0
        columns["feature"].append(np.where(is_leaf, LEAF, tree.feature))
        columns["threshold"].append(np.where(is_leaf, 0.0, tree.threshold))
        columns["left"].append(np.where(is_leaf, 0, left + first))
        columns["right"].append(np.where(is_leaf, 0, right + first))
        values.append(shares)
        roots.append(first)
        first += len(left)
    return Forest(
        np.concatenate(columns["feature"]).astype(np.int16),
        np.concatenate(columns["threshold"]).astype(np.float32),
        np.concatenate(columns["left"]).astype(np.int32),
        np.concatenate(columns["right"]).astype(np.int32),
        np.concatenate(values).astype(np.float32),
        np.array(roots, np.int32),
    )
