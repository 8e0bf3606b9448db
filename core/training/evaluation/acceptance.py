"""What accepting without a person comes to on the calibration scans: risk, abstention, and the check over splits."""

from collections.abc import Sequence

import numpy as np

from core.policy.protocol import Protocol
from core.scoring.acceptance import LIKELIER_THAN_NOT, accept_evidence
from core.scoring.card import Calibration, ReportedMetric
from core.statistics.conformal import SplitCheck, check_over_splits
from core.statistics.proportions import Proportion
from core.training.evaluation.figures import DIGITS, Topic
from core.vocabulary import CoipsGrade

N_SPLITS = 200


def acceptance_figures(calibration: Calibration, name: str, protocol: str) -> list[ReportedMetric]:
    """The figures at the default level of a study; each scan is judged by the threshold that the others give."""
    level = Protocol.default().accept_level
    evidence = accept_evidence(calibration, level)
    label = f"{name}, {protocol}, level {level:.1%}"
    shares: Sequence[tuple[str, object]] = (
        ("accepted and ungradable", evidence.accepted_ungradable),
        ("abstained share", evidence.abstained),
        ("ungradable among the accepted", evidence.ungradable_among_accepted),
    )
    found = [
        _reported(text, label, calibration, share.value, share.low, share.high)
        for text, share in shares
        if isinstance(share, Proportion)
    ]
    check = split_check(calibration, level)
    margin = 2 * check.monte_carlo_error
    text = f"accepted and ungradable, mean of {check.n_splits} splits"
    found.append(
        _reported(text, label, calibration, check.mean_risk, check.mean_risk - margin, check.mean_risk + margin)
    )
    return found


def split_check(calibration: Calibration, level: float) -> SplitCheck:
    """Calibrate on a random part of the groups and test on the rest, ``N_SPLITS`` times."""
    scans = calibration.scans
    p_ungradable = np.array([scan.p_ungradable for scan in scans])
    is_gradable = np.array([scan.ordinal >= CoipsGrade.GRADABLE for scan in scans])
    return check_over_splits(
        p_ungradable,
        np.array([scan.is_ungradable for scan in scans]),
        is_gradable & (p_ungradable < LIKELIER_THAN_NOT),
        [scan.group for scan in scans],
        level=level,
        n_splits=N_SPLITS,
    )


def _reported(name: str, label: str, calibration: Calibration, value: float, low: float, high: float) -> ReportedMetric:
    return ReportedMetric(
        name=name,
        set=label,
        value=round(value, DIGITS),
        low=round(max(low, 0.0), DIGITS),
        high=round(high, DIGITS),
        n_images=len(calibration.scans),
        n_subjects=calibration.n_groups,
        topic=Topic.GRADE.value,
    )
