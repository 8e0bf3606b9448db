"""The flags of a study as they stand now: which unit, by which rate, over the weeks that alerts look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy.orm import Session

from core.store.flag_acknowledgement import FlagKey
from core.store.scan_filter import ScanFilter
from core.store.unit import UnitKind
from core.usecases.flag_sites import RATES, Indicator, Light, flag_sites
from core.usecases.judge_units import compare_units


@dataclass(frozen=True, slots=True)
class Flag:
    """A rate of a unit above the 95 % limit (``is_red``: above the 99.8 % one): ``k`` of ``n`` first captures."""

    key: FlagKey
    label: str
    is_red: bool
    k: int
    n: int


def standing_weeks(today: date, n_weeks: int) -> tuple[date, date]:
    """First day and day after the last of the whole weeks, the present one included, that flags are judged over."""
    until = today + timedelta(days=7 - today.weekday())
    return until - timedelta(weeks=n_weeks), until


def find_flags(
    session: Session, study_id: int, kinds: Iterable[UnitKind], *, today: date, n_weeks: int
) -> dict[FlagKey, Flag]:
    """Every flag of units of these kinds: ungradable captures of all, other faults of sites (as the Overview)."""
    since, until = standing_weeks(today, n_weeks)
    chosen = ScanFilter(study_id=study_id, since=since, until=until)
    found: list[Flag] = []
    for kind in kinds:
        for unit in compare_units(session, chosen, kind).units:
            if unit.is_red or unit.is_amber:
                key = FlagKey(kind, unit.unit.key, Indicator.POOR.value)
                count = unit.count.poor
                found.append(Flag(key, unit.unit.label, unit.is_red, count.k, count.n))
        if kind is UnitKind.SITE:
            found += _other_faults_of_sites(session, chosen, today)
    return {flag.key: flag for flag in found}


def _other_faults_of_sites(session: Session, chosen: ScanFilter, today: date) -> Iterable[Flag]:
    moment = datetime.combine(today, time(), UTC)
    for row in flag_sites(session, chosen, today=today, now=moment).sites:
        for cell in row.cells:
            if cell.indicator in RATES and cell.indicator is not Indicator.POOR and cell.light in _FLAGGED:
                key = FlagKey(UnitKind.SITE, row.site.key, cell.indicator.value)
                yield Flag(key, row.site.label, cell.light is Light.RED, cell.k, cell.n)


_FLAGGED = (Light.RED, Light.AMBER)
