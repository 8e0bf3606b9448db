"""The trend of one fault that captures can have whatever their grade: severe motion, off protocol, ..."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount, design_effect, total
from core.statistics.control_chart import ChartKind, Period
from core.store.example import Fault
from core.store.rate_sum import WEEK
from core.store.scan_filter import ScanFilter
from core.store.site_week import SiteWeek, read_site_weeks
from core.store.unit_week import read_weeks
from core.usecases.watch_units import LOOKBACK, SHARED_BASELINE, Trend, everything, shared_baseline, trend_of
from core.values import NotComputable

FAULT_WORDS = {
    Fault.MOTION: "severe motion",
    Fault.LOW_SIGNAL: "severe loss of signal",
    Fault.DECENTRATION: "far off centre",
    Fault.DEVIATION: "off protocol",
}
"""What a point counts, of the decided first captures."""
WEEKS_OF_MANY = 4
"""Of several sites a point holds so many weeks at the least: sums are read per site and border."""


def watch_fault(
    session: Session, chosen: ScanFilter, fault: Fault, *, today: date, chart: ChartKind = ChartKind.LANEY
) -> Trend | NotComputable:
    """The trend of ``fault`` under ``chosen``, as ``watch_units`` has that of the ungradable.

    The period does not narrow it. Visits are those of the ungradable, and so is the design effect: how far a fault is
    alike within a visit is not counted. Nobody signs a baseline of a fault; without enough points of its own it is that
    of the whole study's first thirteen weeks.
    """
    lasting = replace(chosen, since=today - LOOKBACK, until=None)
    whole = everything(lasting)
    study_weeks = read_weeks(session, whole)
    if not study_weeks:
        return NotComputable("nothing decided yet")
    first = study_weeks[0].starts_on
    is_one = any(each is not None for each in (chosen.site_id, chosen.device_id, chosen.technician_id))
    step = WEEK if is_one else WEEKS_OF_MANY * WEEK
    own = read_site_weeks(session, replace(lasting, since=None), _borders(first, today, step))
    early = read_site_weeks(session, replace(whole, since=None), (first, first + SHARED_BASELINE))
    found = design_effect(list(_by_site(own).values()))
    shared = shared_baseline(_periods(early, fault, {first: first + SHARED_BASELINE}), found)
    trend = trend_of(_periods(own, fault, _ends(first, today, step)), found, shared, chart)
    return trend if isinstance(trend, NotComputable) else replace(trend, what=FAULT_WORDS[fault])


def _borders(first: date, today: date, step: timedelta) -> tuple[date, ...]:
    return (first, *_ends(first, today, step).values())


def _ends(first: date, today: date, step: timedelta) -> dict[date, date]:
    """The day after the last of each stretch by its first day; the last one ends with the present week."""
    last = today + timedelta(days=7 - today.weekday())
    starts = [first + step * number for number in range((today - first) // step + 1)]
    return {start: min(start + step, last) for start in starts}


def _by_site(found: Iterable[SiteWeek]) -> Mapping[int, ClusteredCount]:
    sums: dict[int, ClusteredCount] = defaultdict(ClusteredCount)
    for each in found:
        sums[each.site_id] += each.poor
    return sums


def _periods(found: Iterable[SiteWeek], fault: Fault, ends: Mapping[date, date]) -> tuple[Period, ...]:
    """All sites together: captures with the fault in the visits that they come from, in order of time."""
    visits: dict[date, list[ClusteredCount]] = defaultdict(list)
    faulty: Counter[date] = Counter()
    for each in found:
        visits[each.week_on].append(each.poor)
        faulty[each.week_on] += each.faults.get(fault, 0)
    return tuple(
        # kk and kn are known of the ungradable alone; with the design effect given, nothing asks for them.
        Period(start, ends[start] - timedelta(days=1), replace(total(visits[start]), k=faulty[start], kk=0, kn=0))
        for start in sorted(visits)
    )
