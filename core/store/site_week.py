"""What the matrix of indicators needs of every site: weekly counts, overdue requests and turn-around times."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Row, TableValuedAlias, any_, case, column, func, literal, select, true
from sqlalchemy.orm import Session

from core.database.tables import Acquisition, Assessment, Batch, ReacquisitionRequest, Review, Scan, Site
from core.statistics.clustering import ClusteredCount
from core.store.cell_count import Spans, read_cell_table
from core.store.finding import ANY_DEVIATION
from core.store.rate_sum import Grain
from core.store.reacquisition import ENDED, is_overdue
from core.store.scan_filter import ScanFilter, filter_conditions, site_conditions
from core.store.tally import probe_patients
from core.vocabulary import RateMeasure, ReviewDecision, ScanState, Severity

LATEST_SCANS = 30
"""Turn-around is taken over so many of a site's latest scans: enough for a 90th percentile, and bounded work."""
DECIDED_STATES = (ScanState.ACCEPTED, ScanState.REACQUISITION_REQUESTED, ScanState.SUPERSEDED,
                  ScanState.CLOSED_NOT_POSSIBLE)  # fmt: skip
"""Quality control has had its say."""
DEVIATING = RateMeasure.DEVIATION.value
"""Stands beside the artifact types."""


@dataclass(frozen=True, slots=True)
class SiteWeek:
    """One site's weeks from ``week_on`` to the next border: ungradable captures in visits, and other faults.

    ``faults``: decided captures by severe artifact, and those that are not as the protocol says under ``DEVIATING``.
    """

    site_id: int
    week_on: date
    poor: ClusteredCount
    faults: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OpenRequests:
    """A site's reacquisition requests that have not ended, and those of them past their day."""

    n: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each of a site's latest scans took from submission to decision (s), the open ones until now.

    The newest first.
    """

    seconds: tuple[float, ...]
    is_decided: tuple[bool, ...]


def read_site_weeks(session: Session, chosen: ScanFilter, borders: Iterable[date] = ()) -> tuple[SiteWeek, ...]:
    """Every site's counts under ``chosen`` between these days (Mondays), in place of the filter's own period.

    Without borders it is the period as a whole. What nobody tells apart needs no week of its own: two rows of sums per
    site and border are read, however long it is.
    """
    spans = Spans.between(borders) if borders else Spans.of(chosen)
    asked = (RateMeasure.VISITS, RateMeasure.ARTIFACT, RateMeasure.DEVIATION)
    table = read_cell_table(session, chosen, Grain.SITE, asked, spans, is_asked=_is_of_a_site_week)
    names, faults = table.add_up(_fault)
    starts = [start or date.min for start in spans.starts]
    rows = zip(table.places, table.visit_sums().tolist(), faults.tolist(), strict=True)
    return tuple(
        SiteWeek(place.site_id, start, poor, {name: n for name, n in zip(names, found, strict=True) if n})
        for place, visits, found_by_week in sorted(rows, key=lambda row: row[0].site_id)
        for start, sums, found in zip(starts, visits, found_by_week, strict=True)
        if (poor := ClusteredCount(*sums)).n
    )


def _fault(measure: RateMeasure, detail: str) -> str | None:
    if measure is RateMeasure.VISITS:
        return None
    return DEVIATING if measure is RateMeasure.DEVIATION else detail.rpartition(" ")[0]


def _is_of_a_site_week(measure: RateMeasure, detail: str) -> bool:
    """Visits of any composition, severe artifacts, and deviations of any kind together."""
    if measure is RateMeasure.DEVIATION:
        return detail == ANY_DEVIATION
    return measure is RateMeasure.VISITS or detail.endswith(f" {Severity.SEVERE}")


def read_site_patients(session: Session, chosen: ScanFilter, site_ids: Sequence[int]) -> dict[int, int]:
    """How many patients each of these sites has under ``chosen``, at least: enough to tell fewer than three."""
    return probe_patients(session, chosen, Acquisition.site_id, site_ids)


def read_open_requests(session: Session, chosen: ScanFilter, *, today: date) -> dict[int, OpenRequests]:
    """Open and overdue requests by site, whenever their captures were taken."""
    statement = (
        select(
            ReacquisitionRequest.site_id,
            func.count(),
            func.coalesce(func.sum(case((is_overdue(today), 1), else_=0)), 0),
        )
        .join(Acquisition, Acquisition.id == ReacquisitionRequest.acquisition_id)
        .join(Scan, Scan.id == ReacquisitionRequest.scan_id)
        .where(ReacquisitionRequest.state.not_in(ENDED), *filter_conditions(chosen))
        .group_by(ReacquisitionRequest.site_id)
    )
    return {site_id: OpenRequests(n, int(overdue)) for site_id, n, overdue in session.execute(statement)}


def read_waits(session: Session, chosen: ScanFilter, *, now: datetime) -> dict[int, Waits]:
    """From submission to decision, over each site's latest scans; the other filters do not narrow them.

    A scan is decided when a person has decided about it, or when it was accepted with its score. Decisions and scores
    are asked site by site from the oldest of these scans on: one probe of an index each, where asking scan by scan
    would be thousands.
    """
    latest = _latest_scans(session, chosen)
    submitted_at = _submissions(session, {row.batch_id for row in latest})
    oldest = {row.site_id: row.id for row in latest}  # the last of a site is its oldest
    decided_at = _first_decisions(session, oldest)
    scored_at = _score_times(session, oldest)
    seconds: dict[int, list[float]] = defaultdict(list)
    is_decided: dict[int, list[bool]] = defaultdict(list)
    for site_id, id_, state, assessment_id, batch_id in latest:
        if (began_at := submitted_at.get(batch_id)) is None:
            continue
        ended_at = decided_at.get(id_)
        if ended_at is None and state in DECIDED_STATES:
            ended_at = scored_at.get(assessment_id)
        waited = ((ended_at or now) - began_at).total_seconds()
        seconds[site_id].append(max(0.0, waited))
        is_decided[site_id].append(ended_at is not None)
    return {site_id: Waits(tuple(waits), tuple(is_decided[site_id])) for site_id, waits in seconds.items()}


def _latest_scans(session: Session, chosen: ScanFilter) -> list[Row[*tuple[Any, ...]]]:
    """Site, id, state, assessment and batch, the newest scan first."""
    latest = (
        select(Scan.id, Scan.state, Scan.batch_id, Scan.assessment_id)
        .where(Scan.site_id == Site.id)
        .order_by(Scan.id.desc())
        .limit(LATEST_SCANS)
        .lateral()
    )
    rows = session.execute(
        select(Site.id.label("site_id"), latest.c.id, latest.c.state, latest.c.assessment_id, latest.c.batch_id)
        .select_from(Site)
        .join(latest, true())
        .where(*site_conditions(chosen))
    ).all()
    return sorted(rows, key=attrgetter("id"), reverse=True)


def _submissions(session: Session, batch_ids: Iterable[int]) -> dict[int, datetime]:
    """When these batches were submitted, without those that are drafts yet. Many scans come with one batch."""
    asked = literal(list(batch_ids), ARRAY(BigInteger))
    rows = session.execute(select(Batch.id, Batch.submitted_at).where(Batch.id == any_(asked)))
    return {id_: submitted_at for id_, submitted_at in rows if submitted_at is not None}


def _first_decisions(session: Session, oldest: Mapping[int, int]) -> dict[int, datetime]:
    """When a person first decided, by scan; a decision that was taken back is none."""
    asked = _sites_since(oldest)
    given = (
        select(Review.id, Review.undoes_id, Review.scan_id, Review.created_at)
        .where(
            Review.site_id == asked.c.site_id, Review.scan_id >= asked.c.scan_id,
            Review.decision != ReviewDecision.GRADE,
        )
        .order_by(Review.scan_id)  # as the index of (site, scan) runs, else all reviews of a site are read
        .correlate(asked)
        .offset(0)
        .lateral()
    )  # fmt: skip
    rows = session.execute(select(*given.c).select_from(asked).join(given, true())).all()
    undone = {row.undoes_id for row in rows}  # what takes a review back is a review of the same scan
    found: dict[int, datetime] = {}
    for row in rows:
        if row.undoes_id is None and row.id not in undone:
            found[row.scan_id] = min(row.created_at, found.get(row.scan_id, row.created_at))
    return found


def _score_times(session: Session, oldest: Mapping[int, int]) -> dict[int, datetime]:
    """When each assessment was made."""
    asked = _sites_since(oldest)
    scored = (
        select(Assessment.id, Assessment.scored_at)
        .where(Assessment.site_id == asked.c.site_id, Assessment.scan_id >= asked.c.scan_id)
        .correlate(asked)
        .offset(0)  # keeps the planner, which expects few sites, from reading all assessments at once
        .lateral()
    )
    return dict(session.execute(select(scored.c.id, scored.c.scored_at).select_from(asked).join(scored, true())).all())


def _sites_since(oldest: Mapping[int, int]) -> TableValuedAlias:
    """Sites, each with the id of a scan from which on it is asked."""
    return (
        func.unnest(literal(list(oldest), ARRAY(BigInteger)), literal(list(oldest.values()), ARRAY(BigInteger)))
        .table_valued(column("site_id", BigInteger), column("scan_id", BigInteger), name="asked")
        .render_derived()
    )
