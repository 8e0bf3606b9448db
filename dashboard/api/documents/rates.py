"""Rates of the overview, of units against limits, and over time. Shares are 0..1, never percent."""

from datetime import date, datetime

from pydantic import Field

from core.policy.certification import NOTICE_DAYS
from core.statistics.clustering import proportion_or_none
from core.statistics.control_chart import ChartKind, Rule
from core.statistics.funnel import Side, Zone
from core.statistics.proportions import Proportion
from core.store.tally import Tally
from core.store.unit import UnitKind
from core.usecases.flag_sites import Change, Indicator, Light
from core.usecases.watch_units import BaselineSource
from dashboard.api.documents.base import Document, MaybeRange, Number, Rate

FIRST_CAPTURES = "first captures"
EXPECTED_SCANS = "expected scans"


class RatePair(Document):
    """The first-pass rate and the final rate of the same selection (ADR 0011)."""

    first_pass: Rate = Field(description="Gradable of the first captures that are decided, replacements left out.")
    final: Rate = Field(description="Received scans of subject, visit, eye and type with a gradable capture by now.")
    n_received: int = Field(description="First captures received; those not decided yet are in no denominator.")


class WeekRates(RatePair):
    """Both rates of one week of acquisition."""

    week_on: date = Field(description="Monday, UTC.")


class GroupRates(RatePair):
    """Both rates of one site or device."""

    id: int
    code: str
    name: str
    n_patients: int = Field(description="Exact for small groups, a lower bound for large ones.")
    is_judged: bool = Field(description="False: too few to judge.")


class DueCertificatesDocument(Document):
    """Certificates that need somebody."""

    ending: int = Field(description=f"They hold, for at most {NOTICE_DAYS} days more.")
    lapsed: int = Field(description="Expired, or to be checked anew because of other software.")


class AttentionDocument(Document):
    """What waits for whom now, whenever it was acquired."""

    waiting: int = Field(description="Scans that are not scored yet.")
    oldest_waiting_at: datetime | None
    to_decide: int = Field(description="Flagged scans that wait for a decision.")
    failed: int = Field(description="Scans that could not be scored.")
    open_requests: int
    overdue_requests: int
    certificates: DueCertificatesDocument


class OverviewDocument(Document):
    """What the page Overview shows."""

    as_of: datetime
    design_effect: float = Field(description="So many captures of one visit tell as much as one alone.")
    current: RatePair
    previous: RatePair | None = Field(description="The period of equal length before; null where the period is open.")
    attention: AttentionDocument
    sites: list[GroupRates]
    devices: list[GroupRates]
    weeks: list[WeekRates]


class MarkDocument(Document):
    """Something that happened and may explain a change."""

    id: int | None = Field(description="Null: found in the data, written by nobody.")
    happened_at: datetime
    kind: str
    text: str
    site_code: str | None = Field(description="Null: the whole study.")


class UnitDocument(Document):
    """What is compared: a site, device, device model, software version or technician."""

    key: str
    label: str
    name: str
    site_code: str | None


class LimitsDocument(Document):
    """Funnel limits at a unit's effective number of captures: shares, 0..1."""

    low_warning: float
    high_warning: float
    low_alarm: float
    high_alarm: float


class ComparedUnitDocument(Document):
    """One unit against the usual rate. Its rate is of ungradable first captures."""

    unit: UnitDocument
    ungradable: Rate
    n_visits: int
    n_patients: int
    effective_n: float = Field(description="Captures as if they were independent.")
    limits: LimitsDocument = Field(description="95 % (warning) and 99.8 % (alarm) limits around the usual rate.")
    side: Side | None
    zone: Zone
    p_value: float | None
    q_value: float | None = Field(description="Share of false alarms among units at least as far out.")
    is_red: bool
    is_amber: bool
    is_judged: bool
    shrunken: MaybeRange = Field(description="Rate drawn towards the mean by how little is known of the unit.")
    standardised: MaybeRange | None = Field(description="Rate at the usual mix of cases; null unless asked for.")


class ComparisonDocument(Document):
    """Units of one kind against each other."""

    as_of: datetime
    by: UnitKind
    unit: str = Field(description="What is counted.")
    usual_rate: float | None = Field(description="Of all units without those far outside; null: nothing decided.")
    visit_correlation: float | None = Field(description="Within visits, pooled within units.")
    units: list[ComparedUnitDocument]
    uncounted: list[UnitDocument] = Field(description="Units of which nothing is decided in this selection.")


class UnitWeekDocument(Document):
    """One unit in one week of acquisition."""

    unit: UnitDocument
    week_on: date = Field(description="Monday, UTC.")
    ungradable: Rate
    n_visits: int


class UnitWeeksDocument(Document):
    """Rates by unit and week."""

    as_of: datetime
    by: UnitKind
    design_effect: float
    items: list[UnitWeekDocument]


class AcknowledgementDocument(Document):
    """Who has seen a flag, and what they said."""

    id: int
    label: str
    comment: str
    by: str
    at: datetime


class FlagDocument(Document):
    """One indicator of one site."""

    indicator: Indicator
    light: Light
    k: int
    n: int
    days: Number = Field(description="Median turn-around in days; for that indicator only.")
    change: Change | None = Field(description="Against the period before, where it is more than a standard error.")
    n_in_a_row: int = Field(description="Periods of four weeks in a row that it was red.")
    acknowledged: AcknowledgementDocument | None


class SiteFlagsDocument(Document):
    """The indicators of one site."""

    site: UnitDocument
    is_red: bool
    is_newly_red: bool
    is_judged: bool
    cells: list[FlagDocument]


class SignalDocument(Document):
    """A broken rule of a control chart."""

    rule: Rule
    side: Side


class ChartPointDocument(Document):
    """One point of a control chart: as many weeks as hold five visits."""

    starts_on: date
    ends_on: date
    ungradable: Rate = Field(description="Of a fault's trend: captures with the fault.")
    low: float = Field(description="Lower limit of this point, 0..1.")
    high: float = Field(description="Upper limit of this point, 0..1.")
    signals: list[SignalDocument]


class SumPointDocument(Document):
    """One point of a CUSUM or EWMA."""

    ends_on: date
    value: float
    is_signal: bool


class BaselineDocument(Document):
    """What a trend is compared with."""

    centre: float = Field(description="Share of ungradable first captures, 0..1.")
    starts_on: date
    ends_on: date
    n_points: int
    n: int = Field(description="First captures.")
    source: BaselineSource
    signed_by: str | None = Field(description="Null: provisional.")
    signed_at: datetime | None


class SignedBaselineDocument(Document):
    """One signed version of a baseline; the highest number is in force."""

    number: int
    centre: float = Field(description="Share of ungradable first captures, 0..1.")
    starts_on: date
    ends_on: date
    n_points: int
    n: int = Field(description="First captures.")
    signed_by: str
    signed_at: datetime
    meaning: str = Field(description="What the signature stands for.")
    reason: str


class UnitNoteDocument(Document):
    """What is done about one unit: flags that were seen, and how many actions are open; see GET /actions."""

    key: str
    acknowledged: list[AcknowledgementDocument]
    n_open_actions: int
    is_suspended: bool = Field(description="A device whose certificate is suspended.")


class TrendDocument(Document):
    """A control chart with its sums."""

    what: str = Field(description="What its points count of the decided first captures.")
    chart: ChartKind
    is_worse: bool = Field(description="A rule is broken upwards.")
    baseline: BaselineDocument
    points: list[ChartPointDocument]
    cusum_threshold: float | None
    cusum: list[SumPointDocument]
    changed_after: date | None = Field(description="Since when, by the CUSUM; null without a signal.")
    ewma_threshold: float | None
    ewma: list[SumPointDocument]


class UnitTrendDocument(Document):
    """The trend of one unit."""

    unit: UnitDocument
    trend: TrendDocument


class TrendsDocument(Document):
    """What the page Trends shows."""

    as_of: datetime
    by: UnitKind
    unit: str = Field(description="What is counted.")
    whole: TrendDocument | None = Field(description="The selection as a whole.")
    not_computable: str | None = Field(description="Why there is no trend of the whole; null where there is one.")
    units: list[UnitTrendDocument] = Field(description="Those of most concern first.")
    too_few: list[UnitDocument] = Field(description="Too few visits for a single point.")
    n_units: int
    marks: list[MarkDocument]


def rate_of(k: int, n: int, unit: str, *, factor: float) -> Rate:
    """``k`` of ``n`` with its Wilson interval on the effective number under a design effect of ``factor``."""
    return as_rate(k, n, unit, proportion_or_none(k, n, factor))


def as_rate(k: int, n: int, unit: str, found: Proportion | None) -> Rate:
    """``k`` of ``n`` with an interval that is there already."""
    return Rate(
        numerator=k,
        denominator=n,
        unit=unit,
        value=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
    )


def pair_of(tally: Tally, *, factor: float) -> dict[str, object]:
    """Both rates of a tally, as the fields of a RatePair."""
    return {
        "first_pass": rate_of(tally.gradable, tally.decided, FIRST_CAPTURES, factor=factor),
        "final": rate_of(tally.final_gradable, tally.final_received, EXPECTED_SCANS, factor=factor),
        "n_received": tally.received,
    }
