"""Fits the scan heads on graded scans, and judges them by cross-validation in which near duplicates stay together.

Grade: two ridge logistic regressions, gradable or not and, among the gradable, outstanding or not. Extent of each
artifact: a regression of the logarithm of its area on interval-censored data, since readers give severities (none,
mild, severe), which are bands of area, and phantoms give the area itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from core.scoring.lanes.scan_heads import N_OUTPUTS, ScanHeads
from core.vocabulary import ArtifactType, CoipsGrade

N_FOLDS, N_INNER_FOLDS = 5, 3
INVERSE_RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3)
"""Candidates for C of the logistic regressions, on standardised features; chosen inside each training part."""
RIDGES = (1.0, 4.0, 16.0, 64.0)
POOLED_SCALE = 0.5
"""Pooled features are four times as many as the statistics and say much the same of each other: scaled down, they
do not crowd out the statistics."""
MILD, SEVERE = np.log(0.01), np.log(0.10)
"""Where the bands of the severities meet (contracts: none < 1 %, mild 1 to 10 %, severe > 10 %)."""
CLIP_SPREADS = 3.5
"""Statistics are clipped this many standard deviations from their mean."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadData:
    """What is known of n scans; UNKNOWN (-1) in ``grade`` and NaN in the bounds where nothing is."""

    pooled: Matrix  # (n, C)
    statistics: Matrix  # (n, S)
    grade: NDArray[np.int64]  # (n,)
    low: Matrix  # (n, 4), log area at least, per ArtifactType
    high: Matrix  # (n, 4), log area at most

    def take(self, index: NDArray[np.intp]) -> "HeadData":
        """Some of the scans."""
        return HeadData(
            self.pooled[index], self.statistics[index], self.grade[index], self.low[index], self.high[index]
        )

    def joined(self, other: "HeadData") -> "HeadData":
        """These scans and others."""
        names = ("pooled", "statistics", "grade", "low", "high")
        return HeadData(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What heads fitted without a scan, and without its near duplicates, say of it."""

    outputs: Matrix  # (n, 6)
    fold: NDArray[np.int64]  # (n,)


def bounds_of_severities(severities: Sequence[dict[ArtifactType, int] | None]) -> tuple[Matrix, Matrix]:
    """The bands of log area (n, 4) that the readers' severities stand for."""
    bands = {0: (-np.inf, MILD), 1: (MILD, SEVERE), 2: (SEVERE, np.inf)}
    unknown = (np.nan, np.nan)
    rows = [
        [unknown if judged is None else bands[judged[kind]] for kind in ArtifactType] for judged in severities
    ]
    both = np.array(rows, float).reshape(len(severities), len(ArtifactType), 2)
    return both[..., 0], both[..., 1]


def bounds_of_areas(areas: Matrix) -> tuple[Matrix, Matrix]:
    """Narrow bands of log area round known areas (n, 4); an absent artifact may take a thousandth by mistake."""
    middle = np.log(np.maximum(areas, 1e-6))
    is_there = areas > 0.001  # noqa: PLR2004 - less cannot be seen
    return np.where(is_there, middle - 0.2, -np.inf), np.where(is_there, middle + 0.2, np.log(0.003))


def fit_heads(data: HeadData, groups: Sequence[str]) -> ScanHeads:
    """The heads for these scans; the strength of the ridges is chosen by grouped cross-validation inside them."""
    scaling = _Scaling.of(data)
    features, names = scaling.apply(data), np.asarray(groups)
    weights, bias = np.zeros((N_OUTPUTS, features.shape[1])), np.zeros(N_OUTPUTS)
    graded = data.grade >= 0
    gradable = data.grade > CoipsGrade.UNGRADABLE
    weights[0], bias[0] = _logistic(features[graded], gradable[graded], names[graded])
    outstanding = data.grade[gradable] == CoipsGrade.OUTSTANDING
    weights[1], bias[1] = _logistic(features[gradable], outstanding, names[gradable])
    for number in range(len(ArtifactType)):
        known = ~np.isnan(data.high[:, number])
        low, high = data.low[known, number], data.high[known, number]
        weights[2 + number], bias[2 + number] = _interval_regression(features[known], low, high, names[known])
    return scaling.folded_into(weights, bias)


def cross_validate(
    data: HeadData, groups: Sequence[str], strata: Sequence[str], *, extra: HeadData | None = None, seed: int = 0
) -> OutOfFold:
    """Outputs of heads fitted on the other folds; ``extra`` (phantoms) is added to every fit.

    Folds keep groups together and hold the strata (source and grade) in equal shares.
    """
    outputs, fold = np.full((len(groups), N_OUTPUTS), np.nan), np.full(len(groups), -1)
    names = np.asarray(groups)
    parts = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    for number, (fitted, left_out) in enumerate(parts.split(data.pooled, np.asarray(strata), names)):
        rest, members = data.take(fitted), names[fitted].tolist()
        if extra is not None:
            rest, members = rest.joined(extra), members + [f"extra {index}" for index in range(len(extra.grade))]
        heads = fit_heads(rest, members)
        outputs[left_out] = heads.outputs(data.pooled[left_out].astype(np.float32), data.statistics[left_out])
        fold[left_out] = number
    return OutOfFold(outputs, fold)


def severity_of_output(log_area: NDArray[np.float64]) -> NDArray[np.int64]:
    """Severity 0, 1, 2 of a log area, any shape."""
    return (log_area >= MILD).astype(np.int64) + (log_area >= SEVERE)


@dataclass(frozen=True, slots=True)
class _Scaling:
    """Standardises features by the scans fitted on, and folds that into the weights afterwards."""

    pooled_mean: Matrix
    pooled_spread: Matrix
    mean: Matrix
    spread: Matrix

    @classmethod
    def of(cls, data: HeadData) -> "_Scaling":
        def spread(values: Matrix) -> Matrix:
            return np.asarray(np.maximum(values.std(axis=0), 1e-6))

        return cls(
            data.pooled.mean(axis=0),
            spread(data.pooled) / POOLED_SCALE,
            data.statistics.mean(axis=0),
            spread(data.statistics),
        )

    @property
    def limits(self) -> tuple[Matrix, Matrix]:
        return self.mean - CLIP_SPREADS * self.spread, self.mean + CLIP_SPREADS * self.spread

    def apply(self, data: HeadData) -> Matrix:
        statistics = (np.clip(data.statistics, *self.limits) - self.mean) / self.spread
        return np.concatenate([(data.pooled - self.pooled_mean) / self.pooled_spread, statistics], axis=1)

    def folded_into(self, weights: Matrix, bias: Matrix) -> ScanHeads:
        n_pooled = len(self.pooled_mean)
        pooled, statistics = weights[:, :n_pooled] / self.pooled_spread, weights[:, n_pooled:] / self.spread
        raw_bias = bias - pooled @ self.pooled_mean - statistics @ self.mean
        return ScanHeads(pooled, statistics, raw_bias, *self.limits)


def _inner_folds(groups: NDArray[np.str_], strata: NDArray[np.int64]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    folds = StratifiedGroupKFold(N_INNER_FOLDS, shuffle=True, random_state=1)
    return list(folds.split(strata, strata, groups))


def _logistic(features: Matrix, truth: NDArray[np.bool_], groups: NDArray[np.str_]) -> tuple[Matrix, float]:
    """Weights and bias of the logistic regression with the ridge of the least log loss on left-out groups."""
    if truth.all() or not truth.any():
        prior = (truth.sum() + 0.5) / (len(truth) + 1)
        return np.zeros(features.shape[1]), float(np.log(prior / (1 - prior)))
    folds = _inner_folds(groups, truth.astype(np.int64))

    def loss(inverse_ridge: float) -> float:
        total = 0.0
        for fitted, left_out in folds:
            model = LogisticRegression(C=inverse_ridge, max_iter=2000).fit(features[fitted], truth[fitted])
            margin = model.decision_function(features[left_out]) * np.where(truth[left_out], 1, -1)
            total += float(np.logaddexp(0, -margin).sum())
        return total

    best = min(INVERSE_RIDGES, key=loss)
    model = LogisticRegression(C=best, max_iter=2000).fit(features, truth)
    return model.coef_[0], float(model.intercept_[0])


def _interval_regression(
    features: Matrix, low: Matrix, high: Matrix, groups: NDArray[np.str_]
) -> tuple[Matrix, float]:
    """Weights and bias of the censored regression with the ridge of the best likelihood on left-out groups."""
    strata = severity_of_output(np.where(np.isfinite(low), low + 1e-6, -np.inf))
    folds = _inner_folds(groups, strata)

    def loss(ridge: float) -> float:
        total = 0.0
        for fitted, left_out in folds:
            weights, bias, sigma = _fit_interval(features[fitted], low[fitted], high[fitted], ridge)
            middle = features[left_out] @ weights + bias
            total += float(_interval_losses(middle, sigma, low[left_out], high[left_out])[0].sum())
        return total

    weights, bias, _ = _fit_interval(features, low, high, min(RIDGES, key=loss))
    return weights, bias


def _fit_interval(features: Matrix, low: Matrix, high: Matrix, ridge: float) -> tuple[Matrix, float, float]:
    """Maximum likelihood with a ridge on the weights; the noise is normal on the logarithm."""
    n_features = features.shape[1]

    def objective(parameters: Matrix) -> tuple[float, Matrix]:
        weights, bias, log_sigma = parameters[:n_features], parameters[-2], parameters[-1]
        sigma = float(np.exp(log_sigma))
        losses, by_middle, by_sigma = _interval_losses(features @ weights + bias, sigma, low, high)
        gradient = np.concatenate(
            [features.T @ by_middle + ridge * weights, [by_middle.sum()], [by_sigma.sum() * sigma + log_sigma]]
        )
        # The last term is a weak prior on the noise: one class alone would let it grow or vanish without end.
        return float(losses.sum() + 0.5 * ridge * weights @ weights + 0.5 * log_sigma**2), gradient

    start = np.concatenate([np.zeros(n_features), [MILD, 0.0]])
    bounds = [(None, None)] * (n_features + 1) + [(np.log(0.2), np.log(5.0))]
    best = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200}).x
    return best[:n_features], float(best[-2]), float(np.exp(best[-1]))


def _interval_losses(middle: Matrix, sigma: float, low: Matrix, high: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Minus the log likelihood of each interval, and its derivatives by the middle and by sigma."""
    upper, lower = (high - middle) / sigma, (low - middle) / sigma
    inside = np.maximum(ndtr(upper) - ndtr(lower), 1e-12)
    at_upper, at_lower = _density(upper), _density(lower)
    # 0 x inf at an open end is 0.
    pull = np.where(np.isfinite(upper), upper, 0) * at_upper - np.where(np.isfinite(lower), lower, 0) * at_lower
    return -np.log(inside), (at_upper - at_lower) / (sigma * inside), pull / (sigma * inside)


def _density(values: Matrix) -> Matrix:
    """The standard normal density; scipy.stats checks its arguments for ten times as long as this takes."""
    return np.asarray(np.exp(-0.5 * values**2) / np.sqrt(2 * np.pi))
