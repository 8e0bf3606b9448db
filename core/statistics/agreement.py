"""How far two raters or two methods agree: weighted kappa, limits of agreement, intraclass correlation. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NORMAL_95 = 1.96
"""Two-sided 95 % of a normal distribution; the limits of agreement are bias -/+ 1.96 standard deviations."""

MIN_RATED = 3
"""Below three objects neither spread nor correlation says anything."""

Ratings = NDArray[np.integer]
Values = NDArray[np.floating]


def quadratic_kappa(first: Ratings, second: Ratings, n_classes: int = 3) -> float | None:
    """Quadratically weighted kappa of two ratings (n,), -1..1 (Cohen 1968, doi:10.1037/h0026256).

    None where either side never varies: agreement beyond chance is not defined then. It depends on how often each
    class occurs: values of two data sets are not comparable as they stand.
    """
    if len(first) == 0 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    ranks = np.arange(n_classes)
    penalty = (ranks[:, None] - ranks[None, :]) ** 2
    observed = np.bincount(first * n_classes + second, minlength=n_classes**2).reshape(n_classes, n_classes)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / len(first)
    return float(1 - (penalty * observed).sum() / (penalty * expected).sum())


def cohen_kappa(first: Ratings, second: Ratings, n_classes: int) -> float | None:
    """Cohen's unweighted kappa of two nominal ratings (n,), -1..1 (Cohen 1960, doi:10.1177/001316446002000104).

    None where both sides always give the same single class: agreement beyond chance is not defined then.
    """
    if len(first) == 0:
        return None
    counts = np.bincount(first * n_classes + second, minlength=n_classes**2).reshape(n_classes, n_classes)
    by_chance = float((counts.sum(axis=1) * counts.sum(axis=0)).sum()) / len(first) ** 2
    observed = float(np.trace(counts)) / len(first)
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else None


def exact_agreement(first: Ratings, second: Ratings) -> float | None:
    """Share of objects that both gave the same class, 0..1; None without objects."""
    return float((first == second).mean()) if len(first) else None


def gwet_ac1(first: Ratings, second: Ratings, n_classes: int = 3) -> float | None:
    """Gwet's AC1 of two ratings (n,), -1..1 (Gwet 2008, doi:10.1348/000711006X126600, eq. 12 and 13).

    Agreement beyond chance like kappa, but with a chance that does not collapse where nearly all objects are of one
    class: pe = sum pi_k (1 - pi_k) / (q - 1), pi_k the mean share of class k. Classes are nominal: it does not weight
    how far apart two ratings are. None without objects.
    """
    if len(first) == 0:
        return None
    shares = np.bincount(np.concatenate([first, second]), minlength=n_classes) / (2 * len(first))
    by_chance = float((shares * (1 - shares)).sum()) / (n_classes - 1)
    return (float((first == second).mean()) - by_chance) / (1 - by_chance)


@dataclass(frozen=True, slots=True)
class LimitsOfAgreement:
    """Bias of method minus reference and the 95 % limits of agreement, in the unit of the measurements."""

    bias: float
    half_width: float

    @property
    def low(self) -> float:
        """Lower limit."""
        return self.bias - self.half_width

    @property
    def high(self) -> float:
        """Upper limit."""
        return self.bias + self.half_width


def limits_of_agreement(method: Values, reference: Values) -> LimitsOfAgreement | None:
    """Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8; None with fewer than three pairs.

    ``half_width`` is 1.96 s.d. of the differences. It compares with a repeatability coefficient 2.77 Sw (within-subject
    s.d.), which is 1.96 s.d. of the differences of two repeats.
    """
    if len(method) < MIN_RATED:
        return None
    difference = method - reference
    return LimitsOfAgreement(float(difference.mean()), NORMAL_95 * float(difference.std(ddof=1)))


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """Single-rating correlations, at most 1: absolute agreement ICC(2,1) and consistency ICC(3,1)."""

    agreement: float
    consistency: float


def intraclass_correlation(ratings: Values) -> IntraclassCorrelation | None:
    """ICC(2,1) and ICC(3,1) of ratings (objects, raters) from the two-way analysis of variance.

    Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420, from the mean squares between objects (B), between raters
    (J) and of the residual (E): ICC(2,1) = (B - E) / (B + (k - 1) E + k (J - E) / n) counts a bias between the raters
    as disagreement, ICC(3,1) = (B - E) / (B + (k - 1) E) does not. None with fewer than three objects, or where all
    ratings are equal. Depends on the spread of the objects: a varied sample scores higher.
    """
    n_objects, n_raters = ratings.shape
    if n_objects < MIN_RATED:
        return None
    between, raters, error = mean_squares(ratings)
    consistency_base = between + (n_raters - 1) * error
    agreement_base = consistency_base + n_raters * (raters - error) / n_objects
    if consistency_base <= 0 or agreement_base <= 0:
        return None
    return IntraclassCorrelation(float((between - error) / agreement_base), float((between - error) / consistency_base))


def mean_squares(ratings: Values) -> tuple[float, float, float]:
    """Mean squares between objects, between raters and of the residual of ratings (objects, raters), two at least."""
    n_objects, n_raters = ratings.shape
    grand = ratings.mean()
    of_objects, of_raters = ratings.mean(axis=1), ratings.mean(axis=0)
    residual = ratings - of_objects[:, None] - of_raters[None, :] + grand
    between = n_raters * ((of_objects - grand) ** 2).sum() / (n_objects - 1)
    raters = n_objects * ((of_raters - grand) ** 2).sum() / (n_raters - 1)
    error = (residual**2).sum() / ((n_objects - 1) * (n_raters - 1))
    return float(between), float(raters), float(error)
