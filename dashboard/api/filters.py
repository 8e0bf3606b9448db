"""The filters of the pages as query parameters, under the names that the pages' addresses use."""

from dataclasses import replace
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from core.clock import now
from core.errors import UsageError
from core.statistics.control_chart import ChartKind
from core.store.example import ExampleSet, Fault
from core.store.graded_scan import Reference
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.store.worklist import WorklistTab
from core.usecases.compare_faz import FazBy, Magnification
from core.usecases.compare_grades import GroupBy
from core.usecases.outline_faz import DEFAULT_SCANS, MOST_SCANS
from core.vocabulary import ActionState, GradeSource, Laterality, ReasonCode, RequestState, ScanKind, ScanState, Slab
from dashboard.api.documents.base import Code, Id
from dashboard.api.paging import Paged
from dashboard.filters import Period, day_bounds, days_value, period_bounds


class FazMetric(StrEnum):
    """A metric of the foveal avascular zone, by its column (core.store.assessment.FAZ_COLUMNS)."""

    AREA = "faz_area_mm2"
    PERIMETER = "faz_perimeter_mm"
    ACIRCULARITY = "faz_acircularity_index"
    CIRCULARITY = "faz_circularity"
    AXIS_RATIO = "faz_axis_ratio"


class FeedbackWeeks(IntEnum):
    """The spans that the study's median is worked out for, in weeks."""

    QUARTER = 13
    HALF_YEAR = 26
    YEAR = 52


Ordinal = Annotated[int, Field(ge=0, le=3)]
_FILTER_NAMES = {
    "study": "study_id", "site": "site_id", "device": "device_id", "technician": "technician_id", "type": "scan_type",
    "manufacturer": "manufacturer", "model": "device_model", "software": "software_version", "slab": "slab",
    "eye": "laterality", "visit": "visit_code", "scored_by": "model_version_id", "graded_by": "graded_by",
}  # fmt: skip
"""Fields of ScanFilter by the name that pages and queries give them."""
_DAYS = r"^\d{4}-\d{2}-\d{2}\.\.\d{4}-\d{2}-\d{2}$"


class PlaceQuery(BaseModel):
    """Study and site by id; left out: all that the caller sees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: Id | None = Field(None, description="Id of a study.")
    site: Id | None = Field(None, description="Id of a site.")

    def narrowed(self) -> ScanFilter:
        """What is chosen of what the query has; the rest stays open."""
        has = type(self).model_fields
        return ScanFilter(**{name: getattr(self, field) for field, name in _FILTER_NAMES.items() if field in has})


class SpanQuery(PlaceQuery):
    """A span of time."""

    period: Period | None = Field(
        None, description="How far back, in whole weeks (Monday to Sunday, UTC) up to and including the present one."
    )
    days: str | None = Field(
        None, pattern=_DAYS, description="From one day to another, both included; outweighs `period`."
    )

    def chosen(self, *, period: Period = Period.ALL) -> ScanFilter:
        """The filter, with ``period`` where none is asked for. UsageError for days that are none."""
        bounds = day_bounds(self.days) if self.days else period_bounds(self.period or period, now().date())
        if bounds is None:
            raise UsageError(f"{self.days} names no days.", remedy="Write 2026-08-03..2026-08-16.")
        return replace(self.narrowed(), since=bounds[0], until=bounds[1])


class MarksQuery(SpanQuery):
    """What happened, and where."""

    device: Id | None = Field(None, description="Id of a device.")


class CapturesQuery(MarksQuery):
    """What narrows captures, and the requests to take them again."""

    technician: Id | None = Field(None, description="Id of a technician.")
    type: Code | None = Field(None, description="Scan type, e.g. `octa-enface 3x3`.")
    eye: Laterality | None = None


class FinerQuery(CapturesQuery):
    """What narrows captures further, one by one."""

    manufacturer: Code | None = Field(None, description="Manufacturer of a device.")
    model: Code | None = Field(None, description="Model of a device.")
    software: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")] | None = Field(
        None, description="Software version of a device."
    )
    visit: Code | None = Field(None, description="Code of a visit.")
    scored_by: Id | None = Field(None, description="Id of a model version: whose score counts.")
    graded_by: GradeSource | None = Field(None, description="Whose grade counts, a person's or the model's.")


class RateQuery(FinerQuery):
    """What narrows rates: the unit is a whole capture, so the slab does not. Counts are kept by week."""

    days: str | None = Field(
        None,
        pattern=_DAYS,
        description="From a Monday to a Sunday, both included: counts are kept by week; outweighs `period`.",
    )

    def chosen(self, *, period: Period = Period.ALL) -> ScanFilter:
        """The filter, with ``period`` where none is asked for. UsageError for days that are no whole weeks."""
        chosen = super().chosen(period=period)
        counted = chosen.in_whole_weeks
        if counted != chosen:
            assert counted.since is not None
            assert counted.until is not None, "all time is never widened"
            raise UsageError(
                f"{self.days} are no whole weeks, and counts are kept by week.",
                remedy=f"Ask for {days_value(counted.since, counted.until - timedelta(days=1))}.",
            )
        return chosen


class ScanQuery(FinerQuery):
    """What narrows scans: the slab, too."""

    slab: Slab | None = None


class UnitsQuery(RateQuery):
    """What is compared."""

    by: UnitKind = UnitKind.SITE
    standardised: bool = Field(default=False, description="Also the rates at the usual mix of cases; takes longer.")


class UnitWeeksQuery(RateQuery):
    """What is given week by week."""

    by: UnitKind = UnitKind.SITE


class UnitNotesQuery(BaseModel):
    """About units of which kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    study: Id | None = Field(None, description="Id of a study.")
    by: UnitKind = UnitKind.SITE


class TrendsQuery(RateQuery):
    """Whose trends, against which limits."""

    by: UnitKind = UnitKind.SITE
    limits: ChartKind = Field(ChartKind.LANEY, description="Laney p' widens the limits where weeks differ more.")
    fault: Fault | None = Field(
        None, description="The trends of this, whatever the grade, instead of the ungradable's."
    )


class FazQuery(ScanQuery):
    """Which metric of which slab, in which millimetres."""

    metric: FazMetric = FazMetric.AREA
    group: FazBy = FazBy.SITE
    scale: Magnification = Field(Magnification.NOMINAL, description="Corrected: for axial length, where it is known.")


class OutlinesQuery(ScanQuery):
    """Which metric of outlines by hand, of which slab."""

    metric: FazMetric = FazMetric.AREA


class OutlineImagesQuery(ScanQuery):
    """Which scans are drawn to be outlined, and how many."""

    n: int = Field(DEFAULT_SCANS, ge=1, le=MOST_SCANS, description="Scans, one of a subject.")


class AgreementQuery(ScanQuery):
    """By what agreement is broken down."""

    group: GroupBy = GroupBy.SITE


class CalibrationQuery(ScanQuery):
    """What the model is held against."""

    reference: Reference = Field(Reference.MASKED, description="Masked grades, or decisions that saw the model's.")


class ScanListQuery(Paged, ScanQuery):
    """A page of scans, of one state and final grade where asked."""

    state: ScanState | None = None
    grade: Ordinal | None = Field(None, description="Final grade: 0 ungradable, 1 gradable, 2 outstanding.")


class WorklistQuery(Paged, ScanQuery):
    """A page of one list of the worklist."""

    tab: WorklistTab = Field(WorklistTab.TO_DECIDE, description="Whose move it is.")


class ChecksQuery(Paged, ScanQuery):
    """A page of accepted scans to check."""


class ExampleQuery(Paged, ScanQuery):
    """A page of the gallery, of one final grade and with one reason where asked."""

    grade: Ordinal | None = Field(None, description="Final grade, from 0: not usable.")
    reason: ReasonCode | None = None
    kind: ScanKind | None = Field(None, description="Lane; its grades are on its own scale.")
    wanted: ExampleSet | None = Field(None, alias="set", description="What they are examples of.")
    fault: Fault | None = Field(None, description="Severe there, or off the protocol, whatever the grade.")


class RequestListQuery(Paged, CapturesQuery):
    """A page of requests."""

    state: RequestState | None = None
    reason: ReasonCode | None = None
    owner: Id | None = Field(None, description="Id of the technician who sees to them.")
    overdue: bool = Field(default=False, description="Only what is owed after its day.")


class VisitsQuery(Paged, PlaceQuery):
    """A page of visits."""

    gaps: bool = Field(default=True, description="Only visits of which something is missing.")
    planned: bool = Field(default=False, description="Instead, visits planned for today or later, the next one first.")


class FeedbackQuery(BaseModel):
    """Whole weeks up to and including the present one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weeks: FeedbackWeeks = FeedbackWeeks.HALF_YEAR


class StuckQuery(Paged, PlaceQuery):
    """A page of scans that could not be scored."""


class ActionsQuery(PlaceQuery):
    """Actions of one state."""

    state: ActionState = ActionState.OPEN


class AlertsQuery(BaseModel):
    """Alerts, with those that are over where asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ended_within_days: int = Field(0, ge=0, le=366, description="Also those that ended within so many days.")


class CertificatesQuery(PlaceQuery):
    """Certificates."""

    history: bool = Field(default=False, description="Also those that have ended.")


RequestsAsked = Annotated[CapturesQuery, Query()]
RequestListAsked = Annotated[RequestListQuery, Query()]
MarksAsked = Annotated[MarksQuery, Query()]
VisitsAsked = Annotated[VisitsQuery, Query()]
FeedbackAsked = Annotated[FeedbackQuery, Query()]
PlacesAsked = Annotated[PlaceQuery, Query()]
StuckAsked = Annotated[StuckQuery, Query()]
ActionsAsked = Annotated[ActionsQuery, Query()]
AlertsAsked = Annotated[AlertsQuery, Query()]
CertificatesAsked = Annotated[CertificatesQuery, Query()]
RatesAsked = Annotated[RateQuery, Query()]
ScansAsked = Annotated[ScanQuery, Query()]
UnitsAsked = Annotated[UnitsQuery, Query()]
UnitNotesAsked = Annotated[UnitNotesQuery, Query()]
UnitWeeksAsked = Annotated[UnitWeeksQuery, Query()]
TrendsAsked = Annotated[TrendsQuery, Query()]
FazAsked = Annotated[FazQuery, Query()]
AgreementAsked = Annotated[AgreementQuery, Query()]
CalibrationAsked = Annotated[CalibrationQuery, Query()]
ScanListAsked = Annotated[ScanListQuery, Query()]
ChecksAsked = Annotated[ChecksQuery, Query()]
WorklistAsked = Annotated[WorklistQuery, Query()]
ExamplesAsked = Annotated[ExampleQuery, Query()]
