"""Means of measurements of patients, differences of means, and what two measurements of one eye differ by. Pure.

Everything is resampled or summed by patient, because the eyes, visits and repeats of one patient are not independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from core.statistics.resampling import N_RESAMPLES, Interval, expanded_tail
from core.values import NotComputable

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_PATIENTS = 3
"""Fewer patients say nothing about the spread between patients."""
MIN_PATIENTS_COMPARED = 5
"""Fewer in one of two groups: their sandwich variance would be too small, by simulation (tests)."""
REPEATABILITY_FACTOR = 1.96
"""Times the root mean square difference of two measurements; the same as 2.77 within-subject standard deviations."""
ROBUST_SCALE = 0.6745
"""The median absolute deviation of a normal distribution, in standard deviations."""
FARTHEST_ROBUST_Z = 3.5
"""From here on Iglewicz and Hoaglin call a value an outlier."""
MIN_FOR_OUTLIERS = 10
"""With fewer values median and spread are guesses."""

_SEED = 11


def clustered_mean(values: Floats, patients: Sequence[str], confidence: float = 0.95) -> Interval | NotComputable:
    """The mean of measurements (n,) with its interval over patients, in the unit of the measurements.

    Variance of patients' sums of residuals (the sandwich for a mean), t with one degree of freedom less than patients
    (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13; Cameron and Miller 2015, doi:10.3368/jhr.50.2.317, section VI.D).
    Not computable below three patients.
    """
    patient, n_patients = _patients(patients)
    if n_patients < MIN_PATIENTS:
        return NotComputable(f"fewer than {MIN_PATIENTS} patients")
    value = float(values.mean())
    sums = np.bincount(patient, weights=(values - value) / len(values), minlength=n_patients)
    swing = _swing(sums, n_patients, n_patients - 1, confidence)
    return Interval(value, value - swing, value + swing)


def clustered_difference(
    values: Floats, is_first: Flags, patients: Sequence[str], confidence: float = 0.95
) -> Interval | NotComputable:
    """Mean of the first group minus mean of the others, of measurements (n,), with its interval over patients.

    A patient may have scans in both groups: what they share cancels, because the patients' sums of residuals are taken
    over both (sources as in ``clustered_mean``). Degrees of freedom are those of the group with fewer patients, the
    cautious choice. Assumes nothing about the spreads. Not computable below five patients in either group.
    """
    patient, n_patients = _patients(patients)
    smallest = min((len(np.unique(patient[group])) for group in (is_first, ~is_first)), default=0)
    if smallest < MIN_PATIENTS_COMPARED:
        return NotComputable(f"fewer than {MIN_PATIENTS_COMPARED} patients on one side")
    first, second = values[is_first], values[~is_first]
    value = float(first.mean() - second.mean())
    residuals = np.where(is_first, (values - first.mean()) / len(first), -(values - second.mean()) / len(second))
    sums = np.bincount(patient, weights=residuals, minlength=n_patients)
    swing = _swing(sums, n_patients, smallest - 1, confidence)
    return Interval(value, value - swing, value + swing)


@dataclass(frozen=True, slots=True)
class PairedDifferences:
    """What two measurements of the same differ by, in the unit of the measurements.

    Attributes
    ----------
    bias : Interval or NotComputable
        Mean of the signed differences.
    repeatability : Interval or NotComputable
        95 % of absolute differences lie below it, if differences are normal about 0.
    """

    n_pairs: int
    n_patients: int
    bias: Interval | NotComputable
    repeatability: Interval | NotComputable


def paired_differences(
    differences: Floats, patients: Sequence[str], confidence: float = 0.95
) -> PairedDifferences | NotComputable:
    """Bias and repeatability coefficient of differences (n,) of two measurements each, with intervals over patients.

    The coefficient is 1.96 times the root mean square difference, that is 2.77 within-subject standard deviations
    (Bland and Altman 1999, doi:10.1177/096228029900800204, section 6.2); a bias counts into it. Its interval draws
    patients with replacement (expanded percentiles, Hesterberg 2015, doi:10.1080/00031305.2015.1089789, section 5).
    """
    if not len(differences):
        return NotComputable("no two measurements to compare")
    patient, n_patients = _patients(patients)
    bias = clustered_mean(differences, patients, confidence)
    return PairedDifferences(
        len(differences), n_patients, bias, _repeatability(differences, patient, n_patients, confidence)
    )


def _repeatability(
    differences: Floats, patient: NDArray[np.intp], n_patients: int, confidence: float
) -> Interval | NotComputable:
    if n_patients < MIN_PATIENTS:
        return NotComputable(f"fewer than {MIN_PATIENTS} patients")
    squares = np.bincount(patient, weights=differences**2, minlength=n_patients)
    numbers = np.bincount(patient, minlength=n_patients)
    drawn = np.random.default_rng(_SEED).integers(n_patients, size=(N_RESAMPLES, n_patients), dtype=np.uint32)
    tail = expanded_tail(n_patients, confidence)
    resampled = REPEATABILITY_FACTOR * np.sqrt(squares[drawn].sum(axis=1) / numbers[drawn].sum(axis=1))
    low, high = np.quantile(resampled, [tail, 1.0 - tail])
    value = float(REPEATABILITY_FACTOR * np.sqrt(squares.sum() / numbers.sum()))
    return Interval(value, min(float(low), value), max(float(high), value))


def robust_z(values: Floats) -> Floats | NotComputable:
    """How far each of the positive measurements (n,) lies from their median, in robust standard deviations.

    The modified z-score 0.6745 (x - median) / MAD (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers,
    section 3.3) of the logarithm, because areas and ratios are skewed; beyond 3.5 is called an outlier. An outlier
    does not move it until half of the values are outliers. Not computable below ten values or where half are equal.
    """
    if len(values) < MIN_FOR_OUTLIERS:
        return NotComputable(f"fewer than {MIN_FOR_OUTLIERS} values")
    logs = np.log(values)
    centred = logs - np.median(logs)
    spread = float(np.median(np.abs(centred)))
    if spread == 0.0:
        return NotComputable("more than half of the values are equal")
    return np.asarray(ROBUST_SCALE * centred / spread, np.float64)


def _patients(patients: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    names, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    return patient, len(names)


def _swing(sums: NDArray[np.number], n_patients: int, degrees: int, confidence: float) -> float:
    deviation = float(np.sqrt(n_patients / (n_patients - 1) * (sums @ sums)))
    return float(t.ppf((1.0 + confidence) / 2.0, degrees)) * deviation
