"""Calibration of a model's probabilities on one device: are events as frequent as it says, and as far apart? Pure."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import t
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from core.statistics.proportions import NOTHING_COUNTED
from core.statistics.resampling import Interval
from core.values import NotComputable

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_PATIENTS = 10
MIN_EVENTS = 10
"""Fewer scans of either outcome leave a slope to chance (ten events per parameter, Peduzzi et al. 1996,
doi:10.1016/S0895-4356(96)00236-3)."""

SMALLEST_PROBABILITY = 1e-4
"""Probabilities are cut here before their logit is taken: a model that says 0 would weigh infinitely."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How predicted probabilities stand to what happened.

    Attributes
    ----------
    predicted, observed : float
        Mean predicted probability and share of events, 0..1.
    excess : Interval or NotComputable
        observed - predicted, -1..1; above 0 the model promises too little. Not computable below ten patients.
    slope : Interval or NotComputable
        1 is right; below 1 the probabilities are too extreme, above 1 too timid. Not computable with few events.
    """

    n_scans: int
    n_patients: int
    predicted: float
    observed: float
    excess: Interval | NotComputable
    slope: Interval | NotComputable


def calibration(
    probability: Floats, is_event: Flags, patients: Sequence[str], confidence: float = 0.95
) -> Calibration | NotComputable:
    """Calibration-in-the-large and slope of probabilities (n,) in 0..1, with intervals over patients.

    Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7: the mean calibration, and the slope of a logistic regression
    of the event on the logit of the probability (Cox 1958, doi:10.1093/biomet/45.3-4.562). Variances are those of
    patients' sums (sandwich), t with one degree of freedom less than patients.
    """
    if not len(probability):
        return NOTHING_COUNTED
    _, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    n_patients = int(patient.max()) + 1
    return Calibration(
        n_scans=len(probability),
        n_patients=n_patients,
        predicted=float(probability.mean()),
        observed=float(is_event.mean()),
        excess=_excess(is_event - probability, patient, n_patients, confidence),
        slope=_slope(probability, is_event, patient, n_patients, confidence),
    )


def _excess(
    residual: Floats, patient: NDArray[np.intp], n_patients: int, confidence: float
) -> Interval | NotComputable:
    if n_patients < MIN_PATIENTS:
        return NotComputable(f"fewer than {MIN_PATIENTS} patients")
    value = float(residual.mean())
    sums = np.bincount(patient, weights=residual - value, minlength=n_patients)
    deviation = np.sqrt(n_patients / (n_patients - 1) * float(sums @ sums)) / len(residual)
    swing = float(t.ppf((1.0 + confidence) / 2.0, n_patients - 1)) * float(deviation)
    return Interval(value, value - swing, value + swing)


def _slope(
    probability: Floats, is_event: Flags, patient: NDArray[np.intp], n_patients: int, confidence: float
) -> Interval | NotComputable:
    n_events = int(is_event.sum())
    if n_patients < MIN_PATIENTS or min(n_events, len(is_event) - n_events) < MIN_EVENTS:
        return NotComputable(f"fewer than {MIN_PATIENTS} patients, or than {MIN_EVENTS} scans of either outcome")
    x = logit(np.clip(probability, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY))
    if np.ptp(x) == 0.0:
        return NotComputable("the model gives every scan the same probability")
    if x[is_event].min() >= x[~is_event].max() or x[is_event].max() <= x[~is_event].min():
        return NotComputable("the probabilities part the outcomes without exception: the slope has no bound")
    with warnings.catch_warnings():
        # Near separation some weights vanish; the fit says so below by not converging.
        warnings.simplefilter("ignore")
        design = np.column_stack([np.ones_like(x), x])
        fit = GLM(is_event.astype(np.float64), design, family=Binomial()).fit(
            cov_type="cluster", cov_kwds={"groups": patient}
        )
    if not fit.converged:
        return NotComputable("the slope could not be fitted")
    value, error = float(fit.params[1]), float(fit.bse[1])
    swing = float(t.ppf((1.0 + confidence) / 2.0, n_patients - 1)) * error
    return Interval(value, value - swing, value + swing)
