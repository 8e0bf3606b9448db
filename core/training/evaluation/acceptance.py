"""What accepting without a person comes to on the calibration scans: risk, abstention, and the check over splits."""

from collections.abc import Sequence

from core.policy.protocol import Protocol
from core.scoring.acceptance import accept_evidence
from core.scoring.card import Calibration, ReportedMetric
from core.statistics.proportions import Proportion
from core.training.calibration_set import check_promise
from core.training.evaluation.figures import DIGITS, Topic


def acceptance_figures(calibration: Calibration, name: str, protocol: str) -> list[ReportedMetric]:
    """The figures at the default level of a study; each scan is judged by the threshold that the others give."""
    level = Protocol.default().conformal_level
    evidence = accept_evidence(calibration, level)
    label = f"{name}, {protocol}, level {level:.1%}"
    shares: Sequence[tuple[str, object]] = (
        ("accepted and ungradable", evidence.accepted_ungradable),
        ("abstained share", evidence.abstained),
        ("ungradable among the accepted", evidence.ungradable_among_accepted),
    )
    found = [
        _reported(text, label, calibration, (share.value, share.low, share.high))
        for text, share in shares
        if isinstance(share, Proportion)
    ]
    check = check_promise(calibration, level)
    text = f"accepted and ungradable, mean of {check.n_splits} splits"
    margin = 2 * check.monte_carlo_error
    bounds = (check.mean_risk, check.mean_risk - margin, check.mean_risk + margin)
    return [*found, _reported(text, label, calibration, bounds)]


def _reported(name: str, label: str, calibration: Calibration, bounds: tuple[float, float, float]) -> ReportedMetric:
    value, low, high = (round(max(bound, 0.0), DIGITS) for bound in bounds)
    return ReportedMetric(
        name=name,
        set=label,
        value=value,
        low=low,
        high=high,
        n_images=len(calibration.scans),
        n_subjects=calibration.n_groups,
        topic=Topic.GRADE.value,
    )
