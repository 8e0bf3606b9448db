"""Which scans may be accepted without a person: a model's calibration set and a study's level give the threshold.

The level belongs to the protocol, the calibration scans to the model card; both meet here when a scan is judged
(docs/adr/0016). The statistics are core.statistics.conformal's.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.scoring.card import Calibration
from core.statistics.conformal import check_level, risk_threshold, thresholds_without_each_group
from core.statistics.proportions import Proportion, exact_interval
from core.values import NotComputable, ScanScores
from core.vocabulary import CoipsGrade, ReasonCode, Slab

LIKELIER_THAN_NOT = 0.5
"""From this probability on "ungradable" is the model's decision, and no doubt to abstain for."""

FIELD_TOLERANCE_MM = 0.25
"""As core.policy.scan_types: devices write 2.9 or 6.1 where 3 or 6 is meant."""

UNSEEN_CODES = (ReasonCode.UNSEEN_DEVICE, ReasonCode.UNSEEN_FIELD, ReasonCode.UNSEEN_SLAB)


@dataclass(frozen=True, slots=True)
class AcceptRule:
    """From which probability of being ungradable on a scan needs a person, at one level.

    ``threshold`` lies in 0..0.5; 0 where the calibration set is too small for the level (``why_nothing`` says so): then
    nothing is accepted without a person.
    """

    level: float
    threshold: float
    why_nothing: str | None = None

    def abstains(self, p_ungradable: float, ordinal: int) -> bool:
        """Whether the model leaves a scan to a person: not surely gradable, and not likelier ungradable than not."""
        is_accepted = ordinal >= CoipsGrade.GRADABLE and p_ungradable < self.threshold
        return p_ungradable < LIKELIER_THAN_NOT and not is_accepted


@dataclass(frozen=True, slots=True)
class AcceptEvidence:
    """What a rule does to its own calibration scans, each judged by the threshold that the other groups give.

    ``accepted_ungradable`` is of all scans (what the level bounds), ``ungradable_among_accepted`` of the accepted ones
    with its exact 95 % interval, ``abstained`` of all.
    """

    rule: AcceptRule
    n_scans: int
    n_groups: int
    n_ungradable: int
    accepted_ungradable: Proportion
    abstained: Proportion
    ungradable_among_accepted: Proportion | NotComputable


@lru_cache(maxsize=64)
def accept_rule(calibration: Calibration, level: float) -> AcceptRule:
    """The rule that keeps P(accepted and ungradable) at or below ``level`` (a share of all scans)."""
    columns = _Columns.of(calibration)
    try:
        threshold = risk_threshold(columns.p_ungradable, columns.is_lossy, level)
        return AcceptRule(level, min(threshold, LIKELIER_THAN_NOT))
    except UsageError as error:
        return AcceptRule(level, 0.0, str(error))


def refuse_unless_possible(calibration: Calibration, level: float) -> None:
    """Raise UsageError where the calibration set is too small to vouch for the level."""
    check_level(level, len(calibration.scans))


@lru_cache(maxsize=16)
def accept_evidence(calibration: Calibration, level: float) -> AcceptEvidence:
    """How the rule fares on scans that had no say in their own threshold; takes tens of milliseconds."""
    columns = _Columns.of(calibration)
    thresholds = thresholds_without_each_group(columns.p_ungradable, columns.is_lossy, columns.groups, level)
    accepted = columns.may_pass & (columns.p_ungradable < thresholds)
    abstained = (columns.p_ungradable < LIKELIER_THAN_NOT) & ~accepted
    n, n_wrong = len(accepted), int((accepted & columns.is_ungradable).sum())
    return AcceptEvidence(
        rule=accept_rule(calibration, level),
        n_scans=n,
        n_groups=calibration.n_groups,
        n_ungradable=int(columns.is_ungradable.sum()),
        accepted_ungradable=_proportion(n_wrong, n),
        abstained=_proportion(int(abstained.sum()), n),
        ungradable_among_accepted=exact_interval(n_wrong, int(accepted.sum())),
    )


def with_abstention(scores: ScanScores, calibration: Calibration | None, level: float) -> ScanScores:
    """The scores with the abstention that the study's level asks for.

    Without a calibration set the scorer's own abstention stands. What is no OCTA image has no grade worth counting.
    """
    grade = scores.grade
    abstained = grade.abstained
    if calibration is not None:
        p_ungradable = grade.probabilities[CoipsGrade.UNGRADABLE.name.lower()]
        abstained = accept_rule(calibration, level).abstains(p_ungradable, grade.ordinal)
    return replace(scores, grade=replace(grade, abstained=abstained or not scores.is_of_kind))


def unseen_codes(
    calibration: Calibration | None,
    *,
    slab: Slab,
    field_mm: tuple[float, float] | None = None,
    device_model: str | None = None,
    vouched_devices: tuple[str, ...] = (),
) -> tuple[ReasonCode, ...]:
    """What of a scan no calibration scan shows: its device, field or slab; what is not known is not called unseen.

    ``vouched_devices`` are those that the study's protocol names ("manufacturer model"): they pass on its word.
    """
    if calibration is None:
        return ()
    known_devices = {_plain(name) for name in (*calibration.devices, *vouched_devices)}
    is_unseen = {
        ReasonCode.UNSEEN_DEVICE: bool(calibration.devices and device_model)
        and _plain(device_model or "") not in known_devices,
        ReasonCode.UNSEEN_FIELD: bool(calibration.fields_mm)
        and field_mm is not None
        and not any(_is_same_field(field_mm, known) for known in calibration.fields_mm),
        ReasonCode.UNSEEN_SLAB: bool(calibration.slabs) and slab not in {*calibration.slabs, Slab.UNKNOWN},
    }
    return tuple(code for code in UNSEEN_CODES if is_unseen[code])


def _is_same_field(field_mm: tuple[float, float], known: tuple[float, float]) -> bool:
    return all(abs(one - other) <= FIELD_TOLERANCE_MM for one, other in zip(field_mm, known, strict=True))


def _plain(name: str) -> str:
    """A device's name without what people write differently: case, spaces, hyphens."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _proportion(k: int, n: int) -> Proportion:
    found = exact_interval(k, n)
    assert isinstance(found, Proportion), "a calibration set holds at least one scan"
    return found


@dataclass(frozen=True, slots=True)
class _Columns:
    """The calibration scans as arrays (n,)."""

    p_ungradable: NDArray[np.float64]
    is_ungradable: NDArray[np.bool_]
    may_pass: NDArray[np.bool_]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, calibration: Calibration) -> "_Columns":
        scans = calibration.scans
        p_ungradable = np.array([scan.p_ungradable for scan in scans], np.float64)
        is_gradable = np.array([scan.ordinal >= CoipsGrade.GRADABLE for scan in scans], np.bool_)
        return cls(
            p_ungradable=p_ungradable,
            is_ungradable=np.array([scan.is_ungradable for scan in scans], np.bool_),
            may_pass=is_gradable & (p_ungradable < LIKELIER_THAN_NOT),
            groups=tuple(scan.group for scan in scans),
        )

    @property
    def is_lossy(self) -> NDArray[np.bool_]:
        """Where accepting would be a loss."""
        return self.is_ungradable & self.may_pass
