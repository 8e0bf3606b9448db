"""Is the model as sure as it should be, and on which device not? Its probabilities against people's grades."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from core.statistics.calibration import Calibration, calibration
from core.statistics.classification import N_RELIABILITY_BINS, expected_calibration_error
from core.statistics.resampling import Interval, share_interval
from core.store.graded_scan import GradedScan, Reference, read_graded_scans
from core.store.scan_filter import ScanFilter
from core.values import NotComputable

MIN_SCANS = 30
MIN_PATIENTS = 10
"""Below either no curve is drawn and no device is judged: a bin would hold a handful."""
MOST_DEVICES = 40


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """Scans of like probability: what the model foresaw on average, and how many people called ungradable."""

    predicted: float
    observed: Interval
    n_scans: int


@dataclass(frozen=True, slots=True)
class CalibrationOf:
    """One selection's or device's calibration; ``points`` are empty and ``found`` says why where there are too few."""

    name: str
    n_scans: int
    n_patients: int
    found: Calibration | NotComputable
    points: tuple[ReliabilityPoint, ...]
    error: float | None
    """Expected calibration error, 0..1, lower is better."""
    device_id: int | None = None

    @property
    def is_off(self) -> bool:
        """Whether the mean of the probabilities differs from what people say by more than chance explains."""
        if not isinstance(self.found, Calibration) or not isinstance(self.found.excess, Interval):
            return False
        return not self.found.excess.low <= 0.0 <= self.found.excess.high


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """The whole selection and its devices, those that are off first, those with too few last."""

    as_of: datetime
    reference: Reference
    all: CalibrationOf
    devices: tuple[CalibrationOf, ...]
    is_cut: bool


def check_calibration(session: Session, chosen: ScanFilter, reference: Reference) -> CalibrationCheck:
    """Calibration of the probability of *ungradable* under ``chosen``."""
    found = read_graded_scans(session, chosen, reference)
    by_device: dict[int, list[GradedScan]] = defaultdict(list)
    for scan in found.scans:
        by_device[scan.device_id].append(scan)
    largest = sorted(by_device.values(), key=lambda scans: -len(scans))[:MOST_DEVICES]
    devices = [calibration_of(scans[0].device_code, scans, device_id=scans[0].device_id) for scans in largest]
    return CalibrationCheck(
        as_of=found.as_of,
        reference=reference,
        all=calibration_of("All devices", found.scans),
        devices=tuple(sorted(devices, key=_worst_first)),
        is_cut=found.is_cut,
    )


def calibration_of(name: str, scans: Sequence[GradedScan], *, device_id: int | None = None) -> CalibrationOf:
    """The calibration of some scans, and its curve in bins of equal numbers, where they are enough."""
    patients = [str(scan.subject_id) for scan in scans]
    n_patients = len(set(patients))
    if len(scans) < MIN_SCANS or n_patients < MIN_PATIENTS:
        few = NotComputable(f"fewer than {MIN_SCANS} graded scans or {MIN_PATIENTS} patients")
        return CalibrationOf(name, len(scans), n_patients, few, (), None, device_id)
    probability = np.array([scan.probability for scan in scans])
    is_event = np.array([scan.is_ungradable for scan in scans])
    return CalibrationOf(
        name=name,
        n_scans=len(scans),
        n_patients=n_patients,
        found=calibration(probability, is_event, patients),
        points=_points(probability, is_event, patients),
        error=expected_calibration_error(probability, is_event),
        device_id=device_id,
    )


def _points(
    probability: np.ndarray[tuple[int], np.dtype[np.float64]],
    is_event: np.ndarray[tuple[int], np.dtype[np.bool_]],
    patients: Sequence[str],
) -> tuple[ReliabilityPoint, ...]:
    """The bins of core.statistics.classification.reliability, each with its interval over patients."""
    order = np.argsort(probability, kind="stable")
    points = []
    for part in np.array_split(order, N_RELIABILITY_BINS):
        observed = share_interval(is_event[part], [patients[index] for index in part])
        if observed is not None:
            points.append(ReliabilityPoint(float(probability[part].mean()), observed, len(part)))
    return tuple(points)


def _worst_first(found: CalibrationOf) -> tuple[bool, bool, float, str]:
    is_known = isinstance(found.found, Calibration) and isinstance(found.found.excess, Interval)
    size = 0.0
    if isinstance(found.found, Calibration):
        size = abs(found.found.observed - found.found.predicted)
    return not is_known, not found.is_off, -size, found.name
