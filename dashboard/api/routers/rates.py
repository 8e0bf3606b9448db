"""Rates: the overview's, units against funnel limits, by week, flags of sites, trends."""

from datetime import date

import numpy as np
from fastapi import APIRouter

from core.clock import now
from core.statistics.clustering import clustered_interval
from core.statistics.control_chart import ChartPoint
from core.statistics.funnel import Funnel
from core.statistics.proportions import Proportion
from core.store.mark import read_marks
from core.store.overview import GroupTally, WeekTally, read_overview
from core.store.same_image import read_shared_images
from core.store.scan_score import read_scan_scores
from core.store.unit_week import read_unit_weeks
from core.usecases.flag_sites import flag_sites
from core.usecases.judge_units import JudgedUnit, compare_units, visit_factor
from core.usecases.standardise_units import StandardisedUnits, standardise_units
from core.usecases.watch_fault import watch_fault
from core.usecases.watch_fault_units import watch_fault_units
from core.usecases.watch_units import Trend, watch_units
from core.values import NotComputable
from core.vocabulary import Role
from dashboard.api.documents.base import Listing
from dashboard.api.documents.rates import (
    FIRST_CAPTURES,
    BaselineDocument,
    ChartPointDocument,
    ComparedUnitDocument,
    ComparisonDocument,
    GroupRates,
    LimitsDocument,
    MarkDocument,
    OverviewDocument,
    RatePair,
    SignalDocument,
    SiteFlagsDocument,
    SumPointDocument,
    TrendDocument,
    TrendsDocument,
    UnitDocument,
    UnitTrendDocument,
    UnitWeekDocument,
    UnitWeeksDocument,
    WeekRates,
    as_rate,
    pair_of,
    rate_of,
)
from dashboard.api.documents.scans import ScanScoresDocument, SharedImageDocument
from dashboard.api.filters import (
    MarksAsked,
    PlacesAsked,
    RatesAsked,
    ScansAsked,
    TrendsAsked,
    UnitsAsked,
    UnitWeeksAsked,
)
from dashboard.api.guard import RateReader
from dashboard.filters import Period
from dashboard.navigation import CENTRE, COMPARERS

router = APIRouter(tags=["rates"])

NOT_GRADERS = frozenset(Role) - {Role.GRADER}
"""Rates would tell a grader what others think of scans that are yet to be graded."""


@router.get("/rates/overview")
def read_rates_overview(asked: RatesAsked, caller: RateReader) -> OverviewDocument:
    """First-pass and final rates of the selection, by site, device and week, and what waits. 26 weeks unless asked."""
    caller.require_role(NOT_GRADERS)
    chosen = asked.chosen(period=Period.WEEKS_26)
    with caller.open_session() as session:
        found = read_overview(session, chosen, today=now().date())
        factor = visit_factor(session, chosen)
    return OverviewDocument(
        as_of=found.as_of,
        design_effect=factor,
        current=RatePair.model_validate(pair_of(found.current, factor=factor)),
        previous=RatePair.model_validate(pair_of(found.previous, factor=factor)) if found.previous else None,
        attention=found.attention,
        sites=[_group(each, factor) for each in found.sites],
        devices=[_group(each, factor) for each in found.devices],
        weeks=[_week(each, factor) for each in found.weeks],
    )


@router.get("/rates/flags")
def list_flags(asked: RatesAsked, caller: RateReader) -> Listing[SiteFlagsDocument]:
    """Every site by indicator: red, amber, green or too few to judge. 26 weeks unless asked."""
    caller.require_role(COMPARERS)
    moment = now()
    with caller.open_session() as session:
        matrix = flag_sites(session, asked.chosen(period=Period.WEEKS_26), today=moment.date(), now=moment)
    return Listing(items=[SiteFlagsDocument.model_validate(each) for each in matrix.sites])


@router.get("/rates/units")
def compare(asked: UnitsAsked, caller: RateReader) -> ComparisonDocument:
    """Units against the usual rate: funnel limits, q-values, shrunken and standardised rates. 26 weeks unless asked."""
    caller.require_role(COMPARERS)
    chosen = asked.chosen(period=Period.WEEKS_26)
    with caller.open_session() as session:
        found = compare_units(session, chosen, asked.by)
        is_wanted = asked.standardised and found.funnel is not None
        cases = standardise_units(session, chosen, found, today=now().date()) if is_wanted else None
    return ComparisonDocument(
        as_of=found.as_of,
        by=found.kind,
        unit=FIRST_CAPTURES,
        usual_rate=found.funnel.target if found.funnel else None,
        visit_correlation=found.design.correlation if found.design else None,
        units=[_compared(each, found.funnel, found.shrinkage, cases) for each in found.units if found.funnel],
        uncounted=[UnitDocument.model_validate(unit) for unit in found.uncounted],
    )


@router.get("/rates/weeks")
def list_unit_weeks(asked: UnitWeeksAsked, caller: RateReader) -> UnitWeeksDocument:
    """Ungradable first captures by unit and week of acquisition. 26 weeks unless asked."""
    caller.require_role(COMPARERS)
    chosen = asked.chosen(period=Period.WEEKS_26)
    with caller.open_session() as session:
        found = read_unit_weeks(session, chosen, asked.by)
        factor = visit_factor(session, chosen)
    items = [
        UnitWeekDocument(
            unit=UnitDocument.model_validate(each.unit),
            week_on=week.starts_on,
            ungradable=rate_of(week.count.k, week.count.n, FIRST_CAPTURES, factor=factor),
            n_visits=week.count.n_clusters,
        )
        for each in found
        for week in each.weeks
    ]
    return UnitWeeksDocument(as_of=now(), by=asked.by, design_effect=factor, items=items)


@router.get("/rates/scan-scores")
def read_scores(asked: ScansAsked, caller: RateReader) -> ScanScoresDocument:
    """The latest scored scans of every device, each with the device's own index. 26 weeks unless asked."""
    caller.require_role(COMPARERS)
    with caller.open_session() as session:
        return ScanScoresDocument.model_validate(read_scan_scores(session, asked.chosen(period=Period.WEEKS_26)))


@router.get("/trends")
def read_trends(asked: TrendsAsked, caller: RateReader) -> TrendsDocument:
    """Control chart, CUSUM and EWMA of the selection and of its units. 52 weeks unless asked."""
    caller.require_role(COMPARERS)
    chosen, today = asked.chosen(period=Period.WEEKS_52), now().date()
    with caller.open_session() as session:
        whole: Trend | NotComputable
        if asked.fault is None:
            found = watch_units(session, chosen, asked.by, today=today, chart=asked.limits)
            whole = found.trend
        else:
            found = watch_fault_units(session, chosen, asked.fault, asked.by, today=today, chart=asked.limits)
            whole = watch_fault(session, chosen, asked.fault, today=today, chart=asked.limits)
        marks = read_marks(session, chosen)
    return TrendsDocument(
        as_of=now(),
        by=found.kind,
        unit=FIRST_CAPTURES,
        whole=None if isinstance(whole, NotComputable) else _trend(whole, chosen.since),
        not_computable=whole.reason if isinstance(whole, NotComputable) else None,
        units=[
            UnitTrendDocument(unit=UnitDocument.model_validate(each.unit), trend=_trend(each.trend, chosen.since))
            for each in found.units
        ],
        too_few=[UnitDocument.model_validate(unit) for unit in found.too_few],
        n_units=found.n_units,
        marks=[MarkDocument.model_validate(mark) for mark in marks],
    )


@router.get("/marks")
def list_marks(asked: MarksAsked, caller: RateReader) -> Listing[MarkDocument]:
    """What happened and may explain a change: software updates, new technicians, notes. 52 weeks unless asked."""
    caller.require_role(NOT_GRADERS)
    with caller.open_session() as session:
        marks = read_marks(session, asked.chosen(period=Period.WEEKS_52))
    return Listing(items=[MarkDocument.model_validate(mark) for mark in marks])


@router.get("/shared-images")
def list_shared_images(asked: PlacesAsked, caller: RateReader) -> Listing[SharedImageDocument]:
    """The very same image sent from two sites, one of them as asked, at any time; the latest first."""
    caller.require_role(CENTRE)
    with caller.open_session() as session:
        found = read_shared_images(session, asked.narrowed())
    return Listing(items=[SharedImageDocument.model_validate(each) for each in found])


def _group(group: GroupTally, factor: float) -> GroupRates:
    return GroupRates(
        **pair_of(group.tally, factor=factor),
        id=group.id,
        code=group.code,
        name=group.name,
        n_patients=group.patients,
        is_judged=group.is_judged,
    )


def _week(week: WeekTally, factor: float) -> WeekRates:
    return WeekRates(**pair_of(week.tally, factor=factor), week_on=week.week_on)


def _compared(
    each: JudgedUnit, funnel: Funnel, shrinkage: object, cases: StandardisedUnits | None
) -> ComparedUnitDocument:
    point = each.point
    limits = funnel.limits(np.array([point.effective_n]))
    names = ("low_warning", "high_warning", "low_alarm", "high_alarm")
    return ComparedUnitDocument(
        unit=UnitDocument.model_validate(each.unit),
        ungradable=as_rate(point.count.k, point.count.n, FIRST_CAPTURES, point.rate),
        n_visits=point.count.n_clusters,
        n_patients=each.count.patients,
        effective_n=point.effective_n,
        limits=LimitsDocument(**{name: float(getattr(limits, name)[0]) for name in names}),
        side=point.side,
        zone=point.zone,
        p_value=point.p_value,
        q_value=point.q_value,
        is_red=each.is_red,
        is_amber=each.is_amber,
        is_judged=each.is_judged,
        shrunken=each.shrunken or shrinkage,
        standardised=cases.rates.get(each.unit.key, NotComputable("not in this selection")) if cases else None,
    )


def _trend(trend: Trend, since: date | None) -> TrendDocument:
    """Points from ``since`` on; rules and sums were worked out on all of them, as on the page."""
    base = trend.chart.baseline
    baseline = BaselineDocument(
        centre=base.centre,
        starts_on=base.starts_on,
        ends_on=base.ends_on,
        n_points=base.n_points,
        n=base.n,
        source=trend.source,
        signed_by=trend.signed.signed_by if trend.signed else None,
        signed_at=trend.signed.signed_at if trend.signed else None,
    )
    cusum, ewma = trend.cusum, trend.ewma
    return TrendDocument(
        what=trend.what,
        chart=trend.chart.kind,
        is_worse=trend.is_worse,
        baseline=baseline,
        points=[_point(trend, each) for each in trend.chart.points if since is None or each.period.ends_on >= since],
        cusum_threshold=cusum.plan.threshold if cusum else None,
        cusum=[
            SumPointDocument(ends_on=each.period.ends_on, value=each.value, is_signal=each.is_signal)
            for each in (cusum.points if cusum else ())
        ],
        changed_after=cusum.changed_after if cusum else None,
        ewma_threshold=ewma.plan.threshold if ewma else None,
        ewma=[
            SumPointDocument(ends_on=each.period.ends_on, value=each.value, is_signal=each.signal is not None)
            for each in (ewma.points if ewma else ())
        ],
    )


def _point(trend: Trend, point: ChartPoint) -> ChartPointDocument:
    """Rules are broken after the baseline only: its own points made the limits."""
    found = clustered_interval(point.period.count, trend.chart.baseline.design)
    count = point.period.count
    return ChartPointDocument(
        starts_on=point.period.starts_on,
        ends_on=point.period.ends_on,
        ungradable=as_rate(count.k, count.n, FIRST_CAPTURES, found if isinstance(found, Proportion) else None),
        low=point.low,
        high=point.high,
        signals=[SignalDocument.model_validate(each) for each in (point.signals if point in trend.judged else ())],
    )
