"""Agreement with its uncertainty: kappa and AC1 over resampled patients, limits and ICC by exact tables. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, f, nct, t

from core.statistics.agreement import (
    MIN_RATED,
    NORMAL_95,
    Ratings,
    Values,
    gwet_ac1,
    intraclass_correlation,
    limits_of_agreement,
    mean_squares,
    quadratic_kappa,
)
from core.statistics.classification import confusion_matrix
from core.statistics.proportions import NOTHING_COUNTED
from core.statistics.resampling import MIN_VALID_SHARE, N_RESAMPLES, Interval, expanded_tail
from core.values import NotComputable

Floats = NDArray[np.float64]

CONSTANT_RATER = NotComputable("one rater gave every scan the same class: agreement beyond chance is not defined")
RARELY_DEFINED = NotComputable("defined in fewer than half of the resamples: it rests on a handful of patients")

MIN_PATIENTS = 3
"""Fewer patients cannot be resampled to any purpose."""

_SEED = 7
_MOST_KEPT = 256
"""Resampled figures that a process remembers, some 25 kB each, by all that they are computed from."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two ratings of the same scans agree.

    Attributes
    ----------
    confusion : int array (n_classes, n_classes)
        Rows are the first rating's classes, columns the second's.
    percent : Interval
        Share of equal ratings, 0..1.
    kappa : Interval or NotComputable
        Quadratically weighted, -1..1.
    ac1 : Interval
        Gwet's AC1, -1..1.
    """

    confusion: NDArray[np.int64]
    percent: Interval
    kappa: Interval | NotComputable
    ac1: Interval
    n_scans: int
    n_patients: int


def agreement(
    first: Ratings, second: Ratings, patients: Sequence[str], *, n_classes: int = 3, confidence: float = 0.95
) -> Agreement | NotComputable:
    """Confusion, percent agreement, kappa and AC1 of class indices (n,), with intervals over resampled patients.

    Patients are drawn with replacement, all their scans together (Davison and Hinkley 1997, section 3.8), and the
    percentiles are expanded (Hesterberg 2015, doi:10.1080/00031305.2015.1089789, section 5). Where no scan differs,
    resampling knows no doubt: the lower bounds are then those of the exact interval over patients (Clopper and Pearson
    1934), as if the disagreements still to come were by one class. Not computable below three patients.
    """
    if not len(first):
        return NOTHING_COUNTED
    _, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    n_patients = int(patient.max()) + 1
    if n_patients < MIN_PATIENTS:
        return NotComputable(f"fewer than {MIN_PATIENTS} patients rated twice")
    cells = np.zeros((n_patients, n_classes**2))
    np.add.at(cells, (patient, first * n_classes + second), 1.0)
    resampled = _resampled(cells.tobytes(), n_patients, n_classes)
    confusion = confusion_matrix(first, second, n_classes)
    tail, floors = expanded_tail(n_patients, confidence), _floors_without_doubt(confusion, n_patients, confidence)
    percent, ac1 = (
        _interval(float(value), resampled[name], tail, floors[name])
        for name, value in (("percent", (first == second).mean()), ("ac1", gwet_ac1(first, second, n_classes) or 0.0))
    )
    of_kappa = _kappa(quadratic_kappa(first, second, n_classes), resampled["kappa"], tail, floors["kappa"])
    return Agreement(confusion, percent, of_kappa, ac1, len(first), n_patients)


@lru_cache(maxsize=_MOST_KEPT)
def _resampled(cells: bytes, n_patients: int, n_classes: int) -> Mapping[str, Floats]:
    """The figures of resampled patients, of whom ``cells`` (patients, classes * classes) hold the pairs as bytes.

    Whoever changes a filter or opens the page again asks for most of them anew, and drawing takes longer than all else.
    """
    of_patients = np.frombuffer(cells, np.float64).reshape(n_patients, -1)
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(n_patients, np.full(n_patients, 1.0 / n_patients), size=N_RESAMPLES) @ of_patients
    return _figures(drawn.reshape(-1, n_classes, n_classes))


def _kappa(value: float | None, resampled: Floats, tail: float, floor: float | None) -> Interval | NotComputable:
    if value is None:
        return CONSTANT_RATER
    known = resampled[np.isfinite(resampled)]
    if len(known) < MIN_VALID_SHARE * N_RESAMPLES:
        return RARELY_DEFINED
    return _interval(value, known, tail, floor)


def _figures(confusions: Floats) -> dict[str, Floats]:
    """Percent agreement, kappa (NaN where not defined) and AC1 (...) of confusion matrices (..., classes, classes)."""
    n_classes = confusions.shape[-1]
    shares = confusions / confusions.sum(axis=(-2, -1), keepdims=True)
    rows, columns = shares.sum(axis=-1), shares.sum(axis=-2)
    ranks = np.arange(n_classes)
    penalty = (ranks[:, None] - ranks[None, :]) ** 2.0
    seen = (shares * penalty).sum(axis=(-2, -1))
    by_chance = np.einsum("...i,ij,...j->...", rows, penalty, columns)
    varies = (rows.max(axis=-1) < 1.0) & (columns.max(axis=-1) < 1.0)
    equal = np.trace(shares, axis1=-2, axis2=-1)
    mean = (rows + columns) / 2.0
    chance = (mean * (1.0 - mean)).sum(axis=-1) / (n_classes - 1)
    kappa = np.where(varies, 1.0 - seen / np.where(varies, by_chance, 1.0), np.nan)
    return {"percent": equal, "kappa": kappa, "ac1": (equal - chance) / (1.0 - chance)}


def _floors_without_doubt(confusion: NDArray[np.int64], n_patients: int, confidence: float) -> dict[str, float | None]:
    """Lower bounds where all scans agree; None each where some differ."""
    if np.trace(confusion) < confusion.sum():
        return dict.fromkeys(("percent", "kappa", "ac1"))
    low = float(beta.ppf((1.0 - confidence) / 2.0, n_patients, 1.0))
    shares = np.diag(confusion) / confusion.sum()
    chance = float((shares * (1.0 - shares)).sum()) / (len(shares) - 1)
    ranks = np.arange(len(shares))
    weighted = float(shares @ ((ranks[:, None] - ranks[None, :]) ** 2) @ shares)
    kappa = 1.0 - (1.0 - low) / weighted if weighted else -1.0
    return {"percent": low, "kappa": max(kappa, -1.0), "ac1": (low - chance) / (1.0 - chance)}


def _interval(value: float, resampled: Floats, tail: float, floor: float | None) -> Interval:
    if floor is not None:
        return Interval(value, min(floor, value), value)
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    return Interval(value, min(float(low), value), max(float(high), value))


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Bias and the two limits of agreement, each with its interval, in the unit of the measurements."""

    bias: Interval
    low: Interval
    high: Interval
    n: int


def bland_altman(method: Values, reference: Values, confidence: float = 0.95) -> BlandAltman | NotComputable:
    """Bias of method minus reference and the 95 % limits of agreement, of pairs (n,), each with its interval.

    Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8; the limits' intervals are exact for normal differences,
    by the noncentral t distribution (Carkeet 2015, doi:10.1097/OPX.0000000000000513). Assumes one pair per patient, or
    pairs that are independent, and a spread that does not depend on size. Not computable below three pairs.
    """
    found = limits_of_agreement(method, reference)
    if found is None:
        return NotComputable(f"fewer than {MIN_RATED} pairs")
    n, tail = len(method), (1.0 - confidence) / 2.0
    deviation = found.half_width / NORMAL_95
    swing = float(t.ppf(1.0 - tail, n - 1)) * deviation / np.sqrt(n)
    near, far = (
        float(nct.ppf(at, n - 1, NORMAL_95 * np.sqrt(n))) * deviation / np.sqrt(n) for at in (tail, 1.0 - tail)
    )
    bias = found.bias
    return BlandAltman(
        bias=Interval(bias, bias - swing, bias + swing),
        low=Interval(found.low, bias - far, bias - near),
        high=Interval(found.high, bias + near, bias + far),
        n=n,
    )


@dataclass(frozen=True, slots=True)
class IntraclassIntervals:
    """ICC(2,1), absolute agreement, and ICC(3,1), consistency, each with its interval."""

    agreement: Interval
    consistency: Interval


def intraclass_intervals(ratings: Values, confidence: float = 0.95) -> IntraclassIntervals | NotComputable:
    """ICC(2,1) and ICC(3,1) of ratings (objects, raters) with intervals.

    Consistency: exact by the F distribution; agreement: Satterthwaite's degrees of freedom (Shrout and Fleiss 1979,
    doi:10.1037/0033-2909.86.2.420, p. 424; McGraw and Wong 1996, doi:10.1037/1082-989X.1.1.30, table 7). Assumes
    normal ratings and one row per patient. Not computable below three objects or where all ratings are equal.
    """
    found = intraclass_correlation(ratings)
    if found is None:
        return NotComputable(f"fewer than {MIN_RATED} scans rated by everybody, or no spread between them")
    n, k = ratings.shape
    between, raters, error = mean_squares(ratings)
    if error <= 0.0:
        return NotComputable("the ratings differ by a constant only: the spread of the error is not known")
    tail = (1.0 - confidence) / 2.0
    df = (n - 1) * (k - 1)
    ratio = between / error
    low, high = ratio / f.ppf(1.0 - tail, n - 1, df), ratio * f.ppf(1.0 - tail, df, n - 1)
    consistency = Interval(found.consistency, (low - 1.0) / (low + k - 1.0), (high - 1.0) / (high + k - 1.0))
    a = k * found.agreement / (n * (1.0 - found.agreement))
    b = 1.0 + k * found.agreement * (n - 1) / (n * (1.0 - found.agreement))
    freedom = (a * raters + b * error) ** 2 / ((a * raters) ** 2 / (k - 1) + (b * error) ** 2 / df)
    return IntraclassIntervals(_absolute(found.agreement, (between, raters, error), (n, k), freedom, tail), consistency)


def _absolute(
    value: float, squares: tuple[float, float, float], shape: tuple[int, int], freedom: float, tail: float
) -> Interval:
    """The interval of ICC(2,1) from mean squares between objects, raters and of the residual."""
    (between, raters, error), (n, k) = squares, shape
    rest = k * raters + (k * n - k - n) * error
    low, high = f.ppf(1.0 - tail, n - 1, freedom), f.ppf(1.0 - tail, freedom, n - 1)
    bottom = n * (between - low * error) / (low * rest + n * between)
    top = n * (high * between - error) / (rest + n * high * between)
    return Interval(value, min(float(bottom), value), max(float(top), value))
