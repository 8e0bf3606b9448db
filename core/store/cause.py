"""Why captures fail, and which artifacts they have, by device: sums of the counts, exact at this moment."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database.tables import Device, Site
from core.store.cell_count import read_cell_counts
from core.store.rate_sum import Grain
from core.store.scan_filter import ScanFilter
from core.vocabulary import RateMeasure, ReasonCode, Severity

_ASKED = (
    RateMeasure.DECIDED,
    RateMeasure.GRADABLE,
    RateMeasure.REPEATED,
    RateMeasure.REPEATED_GRADABLE,
    RateMeasure.CAUSE,
    RateMeasure.FIRST_CAUSE,
    RateMeasure.ARTIFACT,
)


@dataclass(frozen=True, slots=True)
class FindingCounts:
    """Counts of first captures in one group; ``failed`` of the ``decided`` are ungradable.

    ``first_causes`` counts every failed capture once and sums to ``failed``; ``causes`` counts it under every cause it
    has. ``artifacts`` is by type and severity, mild or severe, of the decided. ``repeated`` are captures taken again.
    """

    decided: int = 0
    gradable: int = 0
    repeated: int = 0
    repeated_gradable: int = 0
    first_causes: Mapping[ReasonCode, int] = field(default_factory=Counter)
    causes: Mapping[ReasonCode, int] = field(default_factory=Counter)
    artifacts: Mapping[tuple[str, Severity], int] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        """Decided and ungradable."""
        return self.decided - self.gradable

    def __add__(self, other: "FindingCounts") -> "FindingCounts":
        """Both groups together."""
        return FindingCounts(
            self.decided + other.decided,
            self.gradable + other.gradable,
            self.repeated + other.repeated,
            self.repeated_gradable + other.repeated_gradable,
            Counter(self.first_causes) + Counter(other.first_causes),
            Counter(self.causes) + Counter(other.causes),
            Counter(self.artifacts) + Counter(other.artifacts),
        )


@dataclass(frozen=True, slots=True)
class GroupFindings:
    """A site's or device's findings."""

    id: int
    code: str
    counts: FindingCounts


@dataclass(frozen=True, slots=True)
class Findings:
    """The whole selection's findings, its sites' and its devices', read at ``as_of``; groups by code."""

    as_of: datetime
    all: FindingCounts
    sites: tuple[GroupFindings, ...]
    devices: tuple[GroupFindings, ...]


def read_findings(session: Session, chosen: ScanFilter) -> Findings:
    """Why captures under ``chosen`` fail."""
    by_site: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
    by_device: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
    for place, _, measure, detail, n in read_cell_counts(session, chosen, Grain.DEVICE, _ASKED):
        assert place.device_id is not None, "counted by device"
        by_site[place.site_id].append((measure, detail, n))
        by_device[place.device_id].append((measure, detail, n))
    sites = {id_: _summed(rows) for id_, rows in by_site.items()}
    devices = {id_: _summed(rows) for id_, rows in by_device.items()}
    site_codes = dict(session.execute(select(Site.id, Site.code).where(Site.id.in_(sites))).all())
    device_codes = dict(session.execute(select(Device.id, Device.code).where(Device.id.in_(devices))).all())
    return Findings(
        as_of=session.execute(select(func.now())).scalar_one(),
        all=sum(sites.values(), FindingCounts()),
        sites=_groups(sites, site_codes),
        devices=_groups(devices, device_codes),
    )


def _groups(found: Mapping[int, FindingCounts], codes: Mapping[int, str]) -> tuple[GroupFindings, ...]:
    groups = (GroupFindings(id_, codes[id_], counts) for id_, counts in found.items() if id_ in codes)
    return tuple(sorted(groups, key=lambda group: group.code))


def _summed(rows: Iterable[tuple[str, str, int]]) -> FindingCounts:
    plain: Counter[str] = Counter()
    first: Counter[ReasonCode] = Counter()
    causes: Counter[ReasonCode] = Counter()
    artifacts: Counter[tuple[str, Severity]] = Counter()
    for measure, detail, n in rows:
        match RateMeasure(measure):
            case RateMeasure.FIRST_CAUSE:
                first[ReasonCode(detail)] += n
            case RateMeasure.CAUSE:
                causes[ReasonCode(detail)] += n
            case RateMeasure.ARTIFACT:
                name, _, severity = detail.rpartition(" ")
                artifacts[name, Severity(severity)] += n
            case _:
                plain[measure] += n
    # Deltas that cancelled each other leave a nought behind.
    return FindingCounts(**plain, first_causes=+first, causes=+causes, artifacts=+artifacts)
