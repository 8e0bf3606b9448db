"""What a technician learns of the own work: rate with interval, the study's median, trend, and the main cause."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy.orm import Session

from core.statistics.clustering import ClusteredCount, DesignEffect, clustered_interval, design_effect, total
from core.statistics.funnel import MIN_COUNTED, MIN_PATIENTS
from core.statistics.proportions import Proportion
from core.store.cause import FindingCounts, read_findings
from core.store.first_pass import OwnPlace, StudyMedian, read_study_median
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind, read_poor, read_units
from core.store.unit_week import read_weeks

CAUSE_WEEKS = 4
"""The main cause is that of the last four whole weeks: what one can still remember."""
TREND_WEEKS = 4
"""Weeks of one point of the trend: a technician rarely has enough captures in one week."""


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """Weeks from ``starts_on`` on together; ``rate`` is the gradable share of decided first captures."""

    starts_on: date
    ends_on: date
    rate: Proportion


@dataclass(frozen=True, slots=True)
class Feedback:
    """The own first-pass rate of a period beside the study's.

    ``rate`` is None where nothing was decided, ``is_judged`` False with fewer than 30 decided captures or 3 patients;
    ``median`` is None where fewer than five units have enough captures.
    """

    place: OwnPlace
    since: date
    until: date
    rate: Proportion | None
    received: int
    patients: int
    is_judged: bool
    median: StudyMedian | None
    trend: tuple[TrendPoint, ...]
    causes: FindingCounts
    """Of the last four whole weeks."""


def give_feedback(session: Session, place: OwnPlace, *, since: date, until: date) -> Feedback:
    """The feedback for a person's place over whole weeks from ``since`` to the day before ``until`` (Mondays)."""
    kind = UnitKind.SITE if place.technician_id is None else UnitKind.TECHNICIAN
    own = ScanFilter(site_id=place.site_id, technician_id=place.technician_id, since=since, until=until)
    # Pooled within all that the person may see: one technician alone has too few visits to tell the correlation.
    design = design_effect(read_poor(session, replace(own, technician_id=None), kind))
    units = read_units(session, own, kind)
    counted = total([unit.poor for unit in units])
    patients = max((unit.patients for unit in units), default=0)
    rate = gradable_share(counted, design)
    latest = replace(own, since=max(since, until - timedelta(weeks=CAUSE_WEEKS)))
    return Feedback(
        place=place,
        since=since,
        until=until,
        rate=rate,
        received=sum(unit.tally.received for unit in units),
        patients=patients,
        is_judged=rate is not None and rate.n >= MIN_COUNTED and patients >= MIN_PATIENTS,
        median=read_study_median(
            session, place.study_id, by_technician=place.technician_id is not None, since=since, until=until
        ),
        trend=_trend(session, own, design),
        causes=read_findings(session, latest).all,
    )


def gradable_share(poor: ClusteredCount, design: DesignEffect) -> Proportion | None:
    """The share of the gradable, from counts of the ungradable, with Wilson's interval on the effective n."""
    match clustered_interval(poor, design):
        case Proportion() as bad:
            return Proportion(1 - bad.value, 1 - bad.high, 1 - bad.low, bad.n - bad.k, bad.n, bad.confidence)
        case _:
            return None


def _trend(session: Session, own: ScanFilter, design: DesignEffect) -> tuple[TrendPoint, ...]:
    """Points of four weeks each, counted back from the end; those without a decided capture are left out."""
    assert own.since is not None
    assert own.until is not None
    weeks = read_weeks(session, own)
    points, ends_on = [], own.until
    while ends_on > own.since:
        starts_on = max(own.since, ends_on - timedelta(weeks=TREND_WEEKS))
        within = [week.count for week in weeks if starts_on <= week.starts_on < ends_on]
        rate = gradable_share(total(within), design)
        if rate is not None:
            points.append(TrendPoint(starts_on, ends_on - timedelta(days=1), rate))
        ends_on = starts_on
    return tuple(reversed(points))
