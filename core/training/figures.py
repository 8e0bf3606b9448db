"""The figures a model is reported with: Dice, quadratic kappa, area under the ROC curve, accuracy. Pure NumPy."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from statsmodels.stats.inter_rater import cohens_kappa

from core.vocabulary import CoipsGrade


def dice(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Overlap 2 |A and B| / (|A| + |B|) in [0, 1] (Dice 1945, doi:10.2307/1932409); 1 where both are empty."""
    both = int(predicted.sum()) + int(truth.sum())
    return 1.0 if both == 0 else 2 * float((predicted & truth).sum()) / both


def quadratic_kappa(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> float | None:
    """Quadratically weighted kappa in [-1, 1] (Cohen 1968, doi:10.1037/h0026256); None where one side never varies."""
    if len(np.unique(truth)) < 2 or len(np.unique(predicted)) < 2:  # noqa: PLR2004 - agreement needs two values
        return None
    table = np.zeros((len(CoipsGrade), len(CoipsGrade)))
    np.add.at(table, (predicted, truth), 1)
    return float(cohens_kappa(table, weights=np.arange(len(CoipsGrade)), wt="quadratic", return_results=False))


def area_under_roc(score: NDArray[np.float64], is_positive: NDArray[np.bool_]) -> float | None:
    """Chance that a positive scores above a negative (Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747).

    None where a class is missing.
    """
    n_positive, n_negative = int(is_positive.sum()), int((~is_positive).sum())
    if n_positive == 0 or n_negative == 0:
        return None
    ranks = rankdata(score)
    return float((ranks[is_positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def accuracy(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> float | None:
    """Share of images with exactly the true grade."""
    return float((predicted == truth).mean()) if len(truth) else None
