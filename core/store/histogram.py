"""Distributions of scores and device indices by device, before and within a period: sums of the counts."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database.tables import Device, Site
from core.store.cell_count import Spans, read_cell_counts
from core.store.rate_sum import Grain
from core.store.scan_filter import ScanFilter
from core.vocabulary import RateMeasure

_ASKED = (RateMeasure.SCORE, RateMeasure.DEVICE_INDEX, RateMeasure.ABSTAINED, RateMeasure.STRANGER)


@dataclass(frozen=True, slots=True)
class Histograms:
    """What was scored in some weeks. ``scores`` is by tenth of the probability of ungradable, 0 to 9.

    ``indices`` is by name of the device's index and lower end of the bin. ``abstained`` and ``strangers`` are slabs.
    """

    scores: Mapping[int, int] = field(default_factory=Counter)
    indices: Mapping[tuple[str, float], int] = field(default_factory=Counter)
    abstained: int = 0
    strangers: int = 0

    @property
    def n_slabs(self) -> int:
        """Slabs that have a score."""
        return sum(self.scores.values())

    def __add__(self, other: "Histograms") -> "Histograms":
        """Both together."""
        return Histograms(
            Counter(self.scores) + Counter(other.scores),
            Counter(self.indices) + Counter(other.indices),
            self.abstained + other.abstained,
            self.strangers + other.strangers,
        )


@dataclass(frozen=True, slots=True)
class DeviceHistograms:
    """One device's distributions before and within the period."""

    id: int
    code: str
    site_code: str
    model: str
    before: Histograms
    now: Histograms


@dataclass(frozen=True, slots=True)
class DeviceHistogramsAsOf:
    """Every device's distributions, by code, read at ``as_of``."""

    as_of: datetime
    devices: tuple[DeviceHistograms, ...]


def read_histograms(session: Session, chosen: ScanFilter, *, starts_on: date) -> DeviceHistogramsAsOf:
    """Distributions under ``chosen`` by device; what was taken before ``starts_on`` is the reference."""
    spans = Spans((chosen.since, starts_on, chosen.until))
    rows: dict[tuple[int, bool], list[tuple[RateMeasure, str, int]]] = defaultdict(list)
    for place, span, measure, detail, n in read_cell_counts(session, chosen, Grain.DEVICE, _ASKED, spans):
        assert place.device_id is not None, "counted by device"
        rows[place.device_id, span == 1].append((measure, detail, n))
    ids = {device_id for device_id, _ in rows}
    known = session.execute(
        select(Device.id, Device.code, Site.code, Device.model)
        .join(Site, Site.id == Device.site_id)
        .where(Device.id.in_(ids))
        .order_by(Device.code)
    )
    devices = tuple(
        DeviceHistograms(
            id_, code, site, model, _summed(rows.get((id_, False), [])), _summed(rows.get((id_, True), []))
        )
        for id_, code, site, model in known
    )
    return DeviceHistogramsAsOf(session.execute(select(func.now())).scalar_one(), devices)


def _summed(rows: list[tuple[RateMeasure, str, int]]) -> Histograms:
    scores: dict[int, int] = {}
    indices: dict[tuple[str, float], int] = {}
    plain: Counter[str] = Counter()
    for measure, detail, n in rows:
        if measure is RateMeasure.SCORE:
            tenth = int(_bin(detail)[1])
            scores[tenth] = scores.get(tenth, 0) + n
        elif measure is RateMeasure.DEVICE_INDEX:
            indices[_bin(detail)] = indices.get(_bin(detail), 0) + n
        else:
            plain[measure] += n
    return Histograms(scores, indices, plain[RateMeasure.ABSTAINED], plain[RateMeasure.STRANGER])


@cache
def _bin(detail: str) -> tuple[str, float]:
    """The name of an index, empty for a score, and the lower end of a bin; there are some dozens."""
    name, _, place = detail.rpartition(" ")
    return name, float(place)
