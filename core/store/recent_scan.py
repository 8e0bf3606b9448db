"""The latest scored scans of every device, one by one, for charts of single scans: bounded work, however many."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, column, func, literal, select, true
from sqlalchemy.orm import Session, aliased

from core.database.tables import Acquisition, Assessment, Device, Scan, Site, Subject
from core.store.calibration_mode import is_model_shown
from core.store.cell_count import read_cell_table
from core.store.rate_sum import Grain
from core.store.scan_filter import ScanFilter, capture_conditions, scored_conditions
from core.vocabulary import RateMeasure, Slab

MOST_SCANS = 3_000
"""So many single points still fit a chart and a tenth of a second."""
MOST_OF_A_DEVICE = 300
FEWEST_OF_A_DEVICE = 3
"""Of each of very many devices a handful is still shown."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose latest captures are asked, and how many of each; ``n_devices`` are all that have scored slabs."""

    device_ids: tuple[int, ...]
    per_device: int
    n_devices: int


def reach_of(session: Session, chosen: ScanFilter, *, most_devices: int | None = None) -> Reach:
    """Devices with scored slabs under ``chosen`` (slab included), from the counts, and a fair share for each.

    Of more than ``most_devices`` those with most scored slabs are taken.
    """
    found: Counter[int] = Counter()

    def is_of_slab(_: RateMeasure, detail: str) -> bool:
        return chosen.slab is None or detail.startswith(f"{chosen.slab.value} ")

    # How many at most: what the counts do not tell apart narrows the captures themselves.
    asked = (RateMeasure.SCORE,)
    table = read_cell_table(session, chosen.countable, Grain.DEVICE, asked, is_asked=is_of_slab)
    for place, n in zip(table.places, table.counts.sum(axis=(1, 2)).tolist(), strict=True):
        if place.device_id is not None and n:
            found[place.device_id] += n
    taken = sorted(found, key=lambda id_: (-found[id_], id_))[:most_devices]
    share = MOST_SCANS // max(len(taken), 1)
    return Reach(tuple(sorted(taken)), min(max(share, FEWEST_OF_A_DEVICE), MOST_OF_A_DEVICE), len(found))


def recent_scans(chosen: ScanFilter, reach: Reach, *columns: Any) -> Select[Any]:
    """Select ``columns`` of Scan, Assessment, Acquisition, Subject, Site and Device for each device's latest captures.

    The index of (device, time) is walked from its end, device by device, and each capture is read once. ``reach`` must
    name devices.
    """
    asked = (
        func.unnest(literal(list(reach.device_ids), ARRAY(BigInteger)))
        .table_valued(column("id", BigInteger), name="asked")
        .render_derived()
    )
    # The devices are those of site, study and kind already; what is left asks of the acquisition alone.
    narrowed = capture_conditions(replace(chosen, manufacturer=None, device_model=None))
    if scored := scored_conditions(chosen):
        narrowed.append(select(Scan.id).where(Scan.acquisition_id == Acquisition.id, *scored).exists())
    newest = (
        select(Acquisition)
        .where(Acquisition.device_id == asked.c.id, Acquisition.is_phantom.is_(False), *narrowed)
        .order_by(Acquisition.acquired_at.desc())
        .limit(reach.per_device)
        .correlate(asked)
        .lateral()
    )
    capture = aliased(Acquisition, newest)
    statement = (
        select(*(getattr(capture, each.key) if _is_of_capture(each) else each for each in columns))
        .select_from(asked)
        .join(Device, Device.id == asked.c.id)  # before the captures, of which the planner expects a single one
        .join(Site, Site.id == Device.site_id)
        .join(capture, true())
        .join(Scan, Scan.acquisition_id == capture.id)
        .join(Assessment, Assessment.id == Scan.assessment_id)
        .join(Subject, Subject.id == capture.subject_id)
        .order_by(capture.acquired_at, Scan.id)
    )
    # A point of a chart is a single scan with what the model said of it.
    statement = statement.where(is_model_shown(), *scored)
    slab: Slab | None = chosen.slab
    return statement if slab is None else statement.where(Scan.slab == slab)


def _is_of_capture(asked: Any) -> bool:
    return getattr(asked, "class_", None) is Acquisition
