"""Model & data watch: whether a device's images or the model's scores have drifted, by effect size."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from core.statistics.drift import Drift, DriftLevel, drift_of_counts
from core.store.finding import N_SCORE_BINS
from core.store.histogram import DeviceHistograms, Histograms, read_histograms
from core.store.scan_filter import ScanFilter
from core.values import NotComputable

REFERENCE = timedelta(weeks=52)
"""The reference is the year before the period."""


@dataclass(frozen=True, slots=True)
class DeviceDrift:
    """One device's drifts: of the model's scores and of the device's own quality index."""

    device: DeviceHistograms
    scores: Drift | NotComputable
    index: Drift | NotComputable

    @property
    def level(self) -> DriftLevel:
        """The worse of the two; none where neither can be computed."""
        levels = {found.level for found in (self.scores, self.index) if isinstance(found, Drift)}
        return next((level for level in (DriftLevel.MAJOR, DriftLevel.MODERATE) if level in levels), DriftLevel.NONE)

    @property
    def is_judged(self) -> bool:
        """False: too few scans on one of the sides."""
        return isinstance(self.scores, Drift) or isinstance(self.index, Drift)


@dataclass(frozen=True, slots=True)
class InputWatch:
    """Everything together, and every device, the most drifted first. The reference ends before ``starts_on``."""

    as_of: datetime
    starts_on: date
    before: Histograms
    now: Histograms
    scores: Drift | NotComputable
    devices: tuple[DeviceDrift, ...]


def watch_inputs(session: Session, chosen: ScanFilter, *, starts_on: date) -> InputWatch:
    """Drift under ``chosen`` from ``starts_on`` on, against the year before."""
    found = read_histograms(session, replace(chosen, since=starts_on - REFERENCE), starts_on=starts_on)
    devices = sorted((_drift(device) for device in found.devices), key=_worst_first)
    before = sum((device.before for device in found.devices), Histograms())
    now = sum((device.now for device in found.devices), Histograms())
    return InputWatch(found.as_of, starts_on, before, now, score_drift(before, now), tuple(devices))


def score_drift(before: Histograms, now: Histograms) -> Drift | NotComputable:
    """Drift of the model's probability of ungradable, in tenths."""
    places = range(N_SCORE_BINS)
    reference, current = ([found.scores.get(place, 0) for place in places] for found in (before, now))
    return drift_of_counts(reference, current, [(place + 0.5) / N_SCORE_BINS for place in places])


def index_drift(before: Histograms, now: Histograms) -> Drift | NotComputable:
    """Drift of the device's own quality index; not computable where its name has changed."""
    names = {name for name, _ in {**before.indices, **now.indices}}
    if len(names) != 1:
        return NotComputable("no quality index" if not names else "the device's quality index has changed its name")
    places = sorted({place for _, place in {**before.indices, **now.indices}})
    (name,) = names
    reference, current = ([found.indices.get((name, place), 0) for place in places] for found in (before, now))
    return drift_of_counts(reference, current, places)


def _drift(device: DeviceHistograms) -> DeviceDrift:
    return DeviceDrift(device, score_drift(device.before, device.now), index_drift(device.before, device.now))


def _worst_first(found: DeviceDrift) -> tuple[bool, int, float, str]:
    levels = (DriftLevel.MAJOR, DriftLevel.MODERATE, DriftLevel.NONE)
    psi = max((each.psi.value for each in (found.scores, found.index) if isinstance(each, Drift)), default=0.0)
    return not found.is_judged, levels.index(found.level), -psi, found.device.code


def share(part: int, found: Histograms) -> float | None:
    """A count of slabs per scored slab, 0..1; None where none was scored."""
    return part / found.n_slabs if found.n_slabs else None


def index_shares(found: Histograms) -> Mapping[float, float]:
    """Share of captures by bin of the one index that there is; empty where there are several."""
    if len({name for name, _ in found.indices}) != 1:
        return {}
    total = sum(found.indices.values())
    return {place: n / total for (_, place), n in sorted(found.indices.items())}
