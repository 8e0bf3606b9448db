"""How a measured quantity agrees with the drawn one: bias, limits of agreement, ICC, and the points of the plot."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core.scoring.card import ReportedMetric
from core.statistics.agreement import intraclass_correlation, limits_of_agreement
from core.training.evaluation.figures import MIN_IMAGES, Sample

DECIMALS = 4


class Agreement(BaseModel):
    """The points of a Bland-Altman plot: what was found and what is true of each image, in ``unit``."""

    model_config = ConfigDict(frozen=True)

    topic: str
    set: str
    what: str
    unit: str
    found: tuple[float, ...]
    drawn: tuple[float, ...]
    reach: float | None = None
    """What the method is known to differ from itself by; shaded around the bias."""
    reach_words: str = ""


def agreement_figures(sample: Sample, pairs: NDArray[np.float64], what: str, unit: str) -> list[ReportedMetric]:
    """Bias (found minus drawn), half-width of the 95 % limits of agreement, ICC(2,1), ICC(3,1).

    Parameters
    ----------
    pairs : (n, 2) found and drawn, one row per image of the sample
    """
    bias, half_width = f"{what} bias", f"{what}: half-width of the 95 % limits of agreement"

    def statistic(index: NDArray[np.intp]) -> dict[str, float | None]:
        limits = limits_of_agreement(pairs[index, 0], pairs[index, 1])
        correlation = intraclass_correlation(pairs[index])
        return {
            bias: None if limits is None else limits.bias,
            half_width: None if limits is None else limits.half_width,
            f"{what} ICC(2,1)": None if correlation is None else correlation.agreement,
            f"{what} ICC(3,1)": None if correlation is None else correlation.consistency,
        }

    return sample.figures(statistic, {bias: unit, half_width: unit})


def agreement_of(
    sample: Sample, pairs: NDArray[np.float64], what: str, unit: str, *, reach: float | None = None, words: str = ""
) -> list[Agreement]:
    """The points of the sample's plot, as a list of one; empty where the images are too few."""
    if len(pairs) < MIN_IMAGES:
        return []
    found, drawn = (tuple(round(float(value), DECIMALS) for value in column) for column in pairs.T)
    return [
        Agreement(
            topic=sample.topic.value, set=sample.label, what=what, unit=unit, found=found, drawn=drawn,
            reach=reach, reach_words=words,
        )
    ]  # fmt: skip
