"""The latest scans of each device with the model's score and the device's own quality index, one by one."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Device, Scan, Site, Subject
from core.store.recent_scan import reach_of, recent_scans
from core.store.scan_filter import ScanFilter
from core.vocabulary import Laterality, Slab

MOST_DEVICES = 40
"""So many strips still fit a page: those of most scans."""


@dataclass(frozen=True, slots=True)
class ScanScore:
    """One scored scan. ``probability`` is the model's of *ungradable*; ``index`` the capture's, by its name."""

    scan_id: int
    capture_id: int
    subject_code: str
    site_code: str
    device_code: str
    laterality: Laterality
    slab: Slab
    acquired_at: datetime
    probability: float
    is_abstained: bool
    index: tuple[str, float] | None


@dataclass(frozen=True, slots=True)
class ScanScores:
    """Scores in order of time, read at ``as_of``: of each device the latest ``per_device`` captures."""

    as_of: datetime
    scans: tuple[ScanScore, ...]
    per_device: int
    n_devices: int
    """All devices that have scores; of more than ``MOST_DEVICES`` those with most are read."""

    def by_index(self) -> dict[str, tuple[ScanScore, ...]]:
        """One scan per capture, under the name of its device's index; names are never pooled."""
        found: dict[str, dict[int, ScanScore]] = defaultdict(dict)
        for scan in self.scans:
            if scan.index is not None:
                found[scan.index[0]].setdefault(scan.capture_id, scan)
        return {name: tuple(found[name].values()) for name in sorted(found)}


_COLUMNS = (
    Scan.id, Scan.acquisition_id, Scan.slab, Subject.code.label("subject_code"), Site.code.label("site_code"),
    Device.code.label("device_code"), Acquisition.laterality, Acquisition.acquired_at,
    Acquisition.device_quality_name, Acquisition.device_quality_value, Assessment.is_abstained,
    Assessment.probabilities["ungradable"].as_float().label("probability"),
)  # fmt: skip


def read_scan_scores(session: Session, chosen: ScanFilter) -> ScanScores:
    """The latest scored scans of every device under ``chosen``; grades without a class *ungradable* are left out."""
    reach = reach_of(session, chosen, most_devices=MOST_DEVICES)
    as_of: datetime = session.scalars(func.now().select()).one()
    if not reach.device_ids:
        return ScanScores(as_of, (), reach.per_device, 0)
    rows = session.execute(recent_scans(chosen, reach, *_COLUMNS))
    scans = tuple(
        ScanScore(
            row.id, row.acquisition_id, row.subject_code, row.site_code, row.device_code, Laterality(row.laterality),
            Slab(row.slab), row.acquired_at, row.probability, row.is_abstained,
            None if row.device_quality_value is None else (row.device_quality_name or "", row.device_quality_value),
        )
        for row in rows
        if row.probability is not None
    )  # fmt: skip
    return ScanScores(as_of, scans, reach.per_device, reach.n_devices)
