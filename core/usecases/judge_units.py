"""Compares sites, devices, models, software versions or technicians: who fails more often than chance allows."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.clock import now
from core.statistics.clustering import DesignEffect, design_effect, total
from core.statistics.funnel import Funnel, FunnelPoint, FunnelUnit, Side, Zone, funnel
from core.statistics.shrinkage import Shrinkage, ShrunkenRate, shrink
from core.store.scan_filter import ScanFilter
from core.store.unit import Unit, UnitCount, UnitKind, read_poor, read_units
from core.values import NotComputable


@dataclass(frozen=True, slots=True)
class JudgedUnit:
    """A unit with its place in the funnel and its shrunken rate; both are rates of ungradable first captures."""

    count: UnitCount
    point: FunnelPoint
    shrunken: ShrunkenRate | None
    """None where fewer than three units were counted."""

    @property
    def unit(self) -> Unit:
        """Who it is."""
        return self.count.unit

    @property
    def is_red(self) -> bool:
        """More failures than the 99.8 % limit: the red line."""
        return self.point.is_alarm(Side.HIGH)

    @property
    def is_amber(self) -> bool:
        """More failures than the 95 % limit, not than the 99.8 % one."""
        return self.point.zone is Zone.WARNING and self.point.side is Side.HIGH

    @property
    def is_judged(self) -> bool:
        """False: too few to judge."""
        return self.point.zone is not Zone.TOO_FEW


@dataclass(frozen=True, slots=True)
class UnitComparison:
    """All units of a kind against their usual rate, of most concern first; those with too few at the end.

    ``funnel`` is None, and ``units`` empty, where nothing was decided. ``shrinkage`` says why where there is none.
    """

    kind: UnitKind
    as_of: datetime
    funnel: Funnel | None
    units: tuple[JudgedUnit, ...]
    uncounted: tuple[Unit, ...]
    """Units of which nothing is decided in this selection."""
    shrinkage: Shrinkage | NotComputable

    @property
    def design(self) -> DesignEffect | None:
        """What clustering costs, pooled within the units."""
        return self.funnel.design if self.funnel else None

    @property
    def red(self) -> tuple[JudgedUnit, ...]:
        """Units above the red line."""
        return tuple(unit for unit in self.units if unit.is_red)


def compare_units(session: Session, chosen: ScanFilter, kind: UnitKind) -> UnitComparison:
    """Every unit of ``kind`` under ``chosen`` in one funnel, on its effective n (docs/statistics.md)."""
    return judge_counts(read_units(session, chosen, kind), kind)


def visit_factor(session: Session, chosen: ScanFilter) -> float:
    """How many captures under ``chosen`` tell as much as one alone would: the design effect, pooled within sites."""
    counts = read_poor(session, chosen, UnitKind.SITE)
    return design_effect(counts).factor(total(counts))


def judge_counts(counts: tuple[UnitCount, ...], kind: UnitKind) -> UnitComparison:
    """The same of counts that are there already."""
    counted = [count for count in counts if count.poor.n]
    uncounted = tuple(count.unit for count in counts if not count.poor.n)
    found = funnel([FunnelUnit(count.unit.key, count.poor, count.patients) for count in counted])
    if isinstance(found, NotComputable):
        return UnitComparison(kind, now(), None, (), uncounted, found)
    shrinkage = shrink([count.poor for count in counted], design=found.design)
    rates = shrinkage.rates if isinstance(shrinkage, Shrinkage) else (None,) * len(counted)
    units = [JudgedUnit(*each) for each in zip(counted, found.points, rates, strict=True)]
    return UnitComparison(kind, now(), found, tuple(sorted(units, key=concern)), uncounted, shrinkage)


def concern(unit: JudgedUnit) -> tuple[bool, bool, float, str]:
    """Sorts the unit with most evidence of failing too often first, and those too few to judge last."""
    point = unit.point
    p_value = 1.0 if point.p_value is None else point.p_value
    is_worse = point.side is Side.HIGH
    return not unit.is_judged, not is_worse, p_value if is_worse else -p_value, unit.unit.label
