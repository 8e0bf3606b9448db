"""What the tracker says of reacquisition requests: success, within the window, time to receipt, and questions asked.

Requests made in the chosen period count, whatever became of them since. Intervals rest on the effective number of
cases: requests of one patient resemble each other.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy.orm import Session

from core.statistics.clustering import (
    ClusteredCount,
    clustered_interval,
    design_effect,
    interval_on_effective_n,
    proportions,
)
from core.statistics.proportions import Proportion
from core.statistics.survival import TurnAround, turn_around
from core.store.cell_count import read_cell_table
from core.store.query_thread import count_asked_scans
from core.store.rate_sum import Grain
from core.store.reacquisition import ENDED
from core.store.scan_filter import ScanFilter
from core.store.tracker import RequestTimes, read_times, site_codes
from core.values import NotComputable
from core.vocabulary import RateMeasure, RequestState

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class SiteQueries:
    """Scans that a site was asked about, of those scored in the whole weeks of the period: counts are kept by week.

    ``rate`` has Wilson's interval on the effective number.
    """

    site_id: int
    site_code: str
    rate: Proportion


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """The figures of requests made in a period, read at ``as_of``.

    Attributes
    ----------
    n_requests, n_cases : int
        Requests, and the expected scans that they ask for: rounds of one expected scan are one case.
    success : Proportion or NotComputable
        Cases that ended with an accepted replacement, of the cases that have ended.
    within_window : Proportion or NotComputable
        Requests answered by their due day, of those whose due day has passed or that were answered or ended before.
    to_receipt : TurnAround or NotComputable
        Days from request to receipt; requests without a replacement count as long as they have been open, and those
        that ended as not possible until then.
    """

    as_of: datetime
    n_requests: int
    n_cases: int
    n_open: int
    success: Proportion | NotComputable
    within_window: Proportion | NotComputable
    to_receipt: TurnAround | NotComputable
    queries: tuple[SiteQueries, ...]
    all_queries: Proportion | NotComputable


def follow_requests(session: Session, chosen: ScanFilter, *, now: datetime, factor: float = 1.0) -> RequestFigures:
    """The figures under ``chosen``. ``factor`` is the design effect of the scans' counts, for the query rate."""
    times = read_times(session, chosen)
    weeks = chosen.in_whole_weeks
    asked, scored = count_asked_scans(session, weeks), _count_scored(session, weeks)
    codes = site_codes(session, scored)
    rates = proportions([(min(asked.get(site_id, 0), n), n) for site_id, n in scored.items()], factor)
    queries = [
        SiteQueries(site_id, codes[site_id], rate)
        for site_id, rate in zip(scored, rates, strict=True)
        if rate is not None and site_id in codes
    ]
    k, n = sum(each.rate.k for each in queries), sum(each.rate.n for each in queries)
    ended, within = _ended_cases(times), _judged_by_window(times, now.astimezone(UTC).date())
    return RequestFigures(
        as_of=now,
        n_requests=len(times),
        n_cases=len({each.slot_id for each in times}),
        n_open=sum(each.state not in ENDED for each in times),
        success=_proportion((each.subject_id, is_good) for each, is_good in ended),
        within_window=_proportion((each.subject_id, is_good) for each, is_good in within),
        to_receipt=time_to_receipt(times, now),
        queries=tuple(sorted(queries, key=lambda each: (-each.rate.value, each.site_code))),
        all_queries=interval_on_effective_n(k, n, factor),
    )


def time_to_receipt(times: Sequence[RequestTimes], now: datetime) -> TurnAround | NotComputable:
    """Days from request to receipt by Kaplan and Meier; open ones are censored now, ended ones at their end."""
    lasted = [
        max(0.0, ((each.received_at or each.ended_at or now) - each.requested_at).total_seconds() / DAY_S)
        for each in times
    ]
    return turn_around(lasted, [each.received_at is not None for each in times])


def _ended_cases(times: Sequence[RequestTimes]) -> list[tuple[RequestTimes, bool]]:
    """One request per expected scan of which no round is open, and whether one was closed by an accepted scan."""
    rounds: dict[int, list[RequestTimes]] = defaultdict(list)
    for each in times:
        rounds[each.slot_id].append(each)
    return [
        (case[-1], any(each.state is RequestState.CLOSED for each in case))
        for case in rounds.values()
        if all(each.state in ENDED for each in case)
    ]


def _judged_by_window(times: Sequence[RequestTimes], today: date) -> list[tuple[RequestTimes, bool]]:
    """Requests with a due day of which it is known whether they kept it, and whether they did."""
    judged = []
    for each in times:
        if each.due_on is None:
            continue
        is_kept = each.received_at is not None and each.received_at.astimezone(UTC).date() <= each.due_on
        if is_kept or each.received_at is not None or each.state in ENDED or each.due_on < today:
            judged.append((each, is_kept))
    return judged


def _proportion(rows: Iterable[tuple[Hashable, bool]]) -> Proportion | NotComputable:
    """Share of the good, with Wilson's interval on the effective n of patients as clusters."""
    good: dict[Hashable, int] = defaultdict(int)
    n: dict[Hashable, int] = defaultdict(int)
    for patient, is_good in rows:
        good[patient] += is_good
        n[patient] += 1
    counted = ClusteredCount.of_clusters([good[patient] for patient in n], list(n.values()))
    return clustered_interval(counted, design_effect([counted]))


def _count_scored(session: Session, chosen: ScanFilter) -> dict[int, int]:
    """By site: scored scans of first captures, by the day of capture."""
    table = read_cell_table(session, chosen, Grain.SITE, (RateMeasure.SCORE,))
    found: dict[int, int] = defaultdict(int)
    for place, n in zip(table.places, table.counts.sum(axis=(1, 2)).tolist(), strict=True):
        found[place.site_id] += n
    return {site_id: n for site_id, n in found.items() if n > 0}
