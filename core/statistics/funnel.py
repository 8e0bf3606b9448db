"""Funnel plots: which units lie beyond what chance allows, on the effective n, with false-discovery control. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize.elementwise import find_root
from scipy.special import betainc
from scipy.stats import false_discovery_control

from core.statistics.clustering import ClusteredCount, DesignEffect, clustered_intervals, design_effect
from core.statistics.proportions import NOTHING_COUNTED, Proportion
from core.values import NotComputable

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_COUNTED = 30
MIN_PATIENTS = 3
"""Below either a unit is "too few to judge": gsm's minimum denominators (gsm PR 964)."""

WARNING_LEVEL = 0.95
ALARM_LEVEL = 0.998
"""Limits that a healthy unit leaves once in 20 and once in 500 times, both sides together (Spiegelhalter 2005)."""

DISCOVERY_RATE = 0.05
"""Among the units called discoveries, at most this share is expected to be healthy."""


class Side(StrEnum):
    """Where a value lies, seen from the target or centre line."""

    HIGH = "high"
    LOW = "low"


class Zone(StrEnum):
    """What the funnel says of one unit."""

    WITHIN = "within"
    WARNING = "beyond 95 %"
    ALARM = "beyond 99.8 %"
    TOO_FEW = "too few to judge"


@dataclass(frozen=True, slots=True)
class FunnelUnit:
    """A site, device or technician as it was counted. ``key`` comes back with its point."""

    key: int | str
    count: ClusteredCount
    n_patients: int


@dataclass(frozen=True, slots=True)
class FunnelPoint:
    """One unit's place in the funnel.

    Attributes
    ----------
    rate : Proportion
        With Wilson's 95 % interval on the effective n.
    effective_n : float
        n / design effect, the abscissa.
    side : Side or None
        Above or below the target; None exactly on it.
    zone : Zone
        TOO_FEW units are drawn, never ranked.
    p_value, q_value : float or None
        Two-sided p-value of the same distribution as the limits, and Benjamini and Hochberg's adjusted one over all
        judged units; None where there are too few.
    is_discovery : bool
        q_value at most the discovery rate: what to act on where many units are tested.
    """

    key: int | str
    count: ClusteredCount
    n_patients: int
    rate: Proportion
    effective_n: float
    side: Side | None
    zone: Zone
    p_value: float | None
    q_value: float | None
    is_discovery: bool

    def is_alarm(self, side: Side) -> bool:
        """Beyond the 99.8 % limit on this side: the red line."""
        return self.zone is Zone.ALARM and self.side is side


@dataclass(frozen=True, slots=True)
class FunnelLimits:
    """The curves to draw, (n,) each, in 0..1, over the effective n."""

    effective_n: Floats
    low_warning: Floats
    high_warning: Floats
    low_alarm: Floats
    high_alarm: Floats


@dataclass(frozen=True, slots=True)
class Funnel:
    """All units against one target. Points come in the order of the units; units without any count have none.

    ``left_out`` are the keys of the units that were too extreme to have a say in the target.
    """

    target: float
    design: DesignEffect
    points: tuple[FunnelPoint, ...]
    left_out: tuple[int | str, ...]

    @property
    def n_judged(self) -> int:
        """Units that are not too few to judge."""
        return sum(point.zone is not Zone.TOO_FEW for point in self.points)

    def limits(self, effective_n: ArrayLike) -> FunnelLimits:
        """Both pairs of limits at each effective n (n,), >= 1."""
        sizes = np.asarray(effective_n, np.float64)
        curves = (funnel_limits(self.target, sizes, level) for level in (WARNING_LEVEL, ALARM_LEVEL))
        (low_warning, high_warning), (low_alarm, high_alarm) = curves
        return FunnelLimits(sizes, low_warning, high_warning, low_alarm, high_alarm)


def funnel(
    units: Sequence[FunnelUnit],
    *,
    target: float | None = None,
    design: DesignEffect | None = None,
    min_counted: int = MIN_COUNTED,
    min_patients: int = MIN_PATIENTS,
    discovery_rate: float = DISCOVERY_RATE,
) -> Funnel | NotComputable:
    """Place every unit in the funnel (Spiegelhalter 2005, doi:10.1002/sim.1970) on its effective n.

    Parameters
    ----------
    target : float, optional
        The line, in 0..1, exclusive; ``usual_rate`` of the units where none is given.
    design : DesignEffect, optional
        The pooled within-unit one of these units where none is given (core.statistics.clustering).

    Assumes that healthy units share one rate and one intra-visit correlation. Raises ValueError for a target that
    leaves no room on one side.
    """
    counted = [unit for unit in units if unit.count.n]
    if not counted:
        return NOTHING_COUNTED
    if target is not None and not 0.0 < target < 1.0:
        raise ValueError(f"a target lies between 0 and 1, exclusive; got {target}")
    used = design_effect([unit.count for unit in counted]) if design is None else design
    k, n = (np.array([getattr(unit.count, name) for unit in counted], np.float64) for name in ("k", "n"))
    sizes = np.array([used.effective_n(unit.count) for unit in counted])
    is_judged = np.array([unit.count.n >= min_counted and unit.n_patients >= min_patients for unit in counted])
    usual, is_out, p_values = _around_usual(k, n, sizes, is_judged)
    line = float(usual) if target is None else target
    if target is not None:
        p_values = two_sided_p(k / n, sizes, line)
    rates = clustered_intervals([unit.count for unit in counted], sizes)
    tests = _tests(p_values, is_judged, discovery_rate)
    points = tuple(
        _point(unit, rate, float(size), _side(rate.value, line), test)
        for unit, rate, size, test in zip(counted, rates, sizes, tests, strict=True)
    )
    left_out = () if target is not None else tuple(counted[place].key for place in np.flatnonzero(is_out))
    return Funnel(line, used, points, left_out)


def zones_above(k: Floats, n: Floats, effective_n: Floats, is_judged: Flags) -> tuple[Flags, Flags]:
    """Which units (..., units) of many funnels ``funnel`` says are above the 95 %, and above the 99.8 % limit.

    Each funnel is around the usual rate of its own units; those with n of 0 are in none. For a matrix of lights, which
    needs no p-value and no interval.
    """
    rates = k / np.maximum(n, 1.0)
    usual, _, p_values = _around_usual(k, n, effective_n, is_judged)
    is_high = is_judged & (n > 0) & (rates > usual[..., None])
    return is_high & (p_values < 1.0 - WARNING_LEVEL), is_high & (p_values < 1.0 - ALARM_LEVEL)


@dataclass(frozen=True, slots=True)
class _Test:
    p_value: float
    q_value: float
    is_discovery: bool


def _tests(p_values: Floats, is_judged: Flags, discovery_rate: float) -> list[_Test | None]:
    """Every judged unit's test, None for the others; Benjamini and Hochberg's q-values are over the judged ones."""
    if not is_judged.any():
        return [None] * len(p_values)
    q_values = np.ones_like(p_values)
    q_values[is_judged] = false_discovery_control(p_values[is_judged], method="bh")
    return [
        _Test(float(p), float(q), bool(q <= discovery_rate)) if judged else None
        for p, q, judged in zip(p_values, q_values, is_judged, strict=True)
    ]


def _point(
    unit: FunnelUnit, rate: Proportion, effective_n: float, side: Side | None, test: _Test | None
) -> FunnelPoint:
    return FunnelPoint(
        key=unit.key,
        count=unit.count,
        n_patients=unit.n_patients,
        rate=rate,
        effective_n=effective_n,
        side=side,
        zone=_zone(None if test is None else test.p_value),
        p_value=None if test is None else test.p_value,
        q_value=None if test is None else test.q_value,
        is_discovery=test is not None and test.is_discovery,
    )


def _side(value: float, target: float) -> Side | None:
    if value == target:
        return None
    return Side.HIGH if value > target else Side.LOW


def _zone(p_value: float | None) -> Zone:
    if p_value is None:
        return Zone.TOO_FEW
    if p_value < 1.0 - ALARM_LEVEL:
        return Zone.ALARM
    return Zone.WARNING if p_value < 1.0 - WARNING_LEVEL else Zone.WITHIN


def usual_rate(k: Floats, n: Floats, effective_n: Floats, is_judged: Flags) -> tuple[Floats, Flags]:
    """The rate (...) of units (..., units) without those that are not usual, and which were left out (..., units).

    The pooled rate; while a judged unit lies beyond the 99.8 % limits around it, the farthest one is left out and the
    rest pooled again, as out-of-control points are left out of a control chart's trial limits (Montgomery,
    Introduction to Statistical Quality Control, section 6.2). Less than half of the judged units go. In a programme of
    six sites one bad site would otherwise draw the line so far that good ones seem extraordinary.
    """
    rate, is_out, _ = _around_usual(k, n, effective_n, is_judged)
    return rate, is_out


def _around_usual(k: Floats, n: Floats, effective_n: Floats, is_judged: Flags) -> tuple[Floats, Flags, Floats]:
    """``usual_rate``, and the two-sided p-value of every unit (..., units) around it."""
    k_of, n_of, sizes_of = (np.broadcast_to(each, k.shape).reshape(-1, k.shape[-1]) for each in (k, n, effective_n))
    judged_of = np.broadcast_to(is_judged, k.shape).reshape(-1, k.shape[-1])
    is_out, rate, around = np.zeros(k_of.shape, np.bool_), np.zeros(len(k_of)), np.ones(k_of.shape)
    going = np.arange(len(k_of))  # a selection of units from which none went stays as it is
    while going.size:
        out, counted = is_out[going], n_of[going]
        rest = np.where(out, 0.0, counted).sum(axis=-1)
        rate[going] = np.where(out, 0.0, k_of[going]).sum(axis=-1) / np.maximum(rest, 1.0)
        around[going] = two_sided_p(k_of[going] / np.maximum(counted, 1.0), sizes_of[going], rate[going][:, None])
        p_values = np.where(judged_of[going] & ~out, around[going], 1.0)
        farthest = np.argmin(p_values, axis=-1)
        may_go = 2 * (out.sum(axis=-1) + 1) < judged_of[going].sum(axis=-1)
        goes = (np.take_along_axis(p_values, farthest[:, None], axis=-1)[:, 0] < 1.0 - ALARM_LEVEL) & may_go
        is_out[going[goes], farthest[goes]] = True
        going = going[goes]
    return rate.reshape(k.shape[:-1]), is_out.reshape(k.shape), around.reshape(k.shape)


def funnel_limits(target: float | Floats, effective_n: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Lower and upper exact interpolated binomial limit (...) around ``target``; chance leaves 1 - ``level`` outside.

    The limit is the rate x / n at which the distribution of ``mid_probability`` reaches (1 - level) / 2 and its
    complement; 0 or 1 where even none or all of n has a greater chance. Spiegelhalter 2005, doi:10.1002/sim.1970,
    appendix A.1.1, interpolates P(X <= x) alone, which judges k of n and n - k of n differently and is liberal above
    the target, most at low rates; Manktelow and Seaton 2012, doi:10.1371/journal.pone.0045723, compare such rules.
    """
    sizes = np.maximum(np.asarray(effective_n, np.float64), 1.0)
    line, tail = np.asarray(target, np.float64), (1.0 - level) / 2.0
    low, high = _quantile(tail, sizes, line) / sizes, 1.0 - _quantile(tail, sizes, 1.0 - line) / sizes
    has_room = (line > 0.0) & (line < 1.0)
    return np.where(has_room, low, line), np.where(has_room, high, line)


def two_sided_p(values: ArrayLike, effective_n: ArrayLike, target: float | Floats) -> Floats:
    """Two-sided mid-p-value (...) of rates in 0..1; below 1 - level exactly where beyond ``funnel_limits``.

    Twice the smaller tail (Lancaster 1961, doi:10.1080/01621459.1961.10482105); 1 where the target leaves no room.
    """
    sizes = np.maximum(np.asarray(effective_n, np.float64), 1.0)
    lower = mid_probability(np.asarray(values, np.float64) * sizes, sizes, target)
    return np.asarray(np.minimum(1.0, 2.0 * np.minimum(lower, 1.0 - lower)), np.float64)


def mid_probability(x: Floats, n: Floats, p: float | Floats) -> Floats:
    """P(X < x) + P(X = x) / 2 of a binomial, linear between whole x, (...) for 0 <= x <= n; 0.5 where p is 0 or 1.

    Half Spiegelhalter's interpolation and half its mirror image, so that x of n under p has the complement of n - x of
    n under 1 - p also where the effective n is no whole number.
    """
    found = (interpolated_probability(x, n, p) + 1.0 - interpolated_probability(n - x, n, 1.0 - np.asarray(p))) / 2.0
    return np.asarray(np.where((np.asarray(p) > 0.0) & (np.asarray(p) < 1.0), found, 0.5), np.float64)


def interpolated_probability(x: Floats, n: Floats, p: float | Floats) -> Floats:
    """P(X <= x) of a binomial, linear between whole x (...): Spiegelhalter's interpolation, for 0 <= x <= n."""
    below = np.floor(x)
    share = x - below
    return np.asarray((1.0 - share) * _at_most(below, n, p) + share * _at_most(below + 1.0, n, p), np.float64)


def _at_most(r: Floats, n: Floats, p: float | Floats) -> Floats:
    """P(X <= r) of a binomial for whole r; a real n enters by the incomplete beta function I_{1-p}(n - r, r + 1)."""
    inside = (r >= 0) & (r < n)
    found = betainc(np.where(inside, n - r, 1.0), np.where(inside, r + 1.0, 1.0), 1.0 - np.asarray(p))
    return np.asarray(np.where(inside, found, np.where(r < 0, 0.0, 1.0)), np.float64)


def _quantile(probability: float, n: Floats, p: Floats) -> Floats:
    """The x (...) at which ``mid_probability`` reaches a probability below one half; 0 where it starts above."""
    sizes, rates = (np.array(each, np.float64) for each in np.broadcast_arrays(n, p))

    def excess(x: Floats, /, *of: Any) -> Floats:
        return mid_probability(x, *of) - probability

    is_inside = (excess(np.zeros_like(sizes), sizes, rates) < 0.0) & (rates > 0.0) & (rates < 1.0)
    found = np.zeros_like(sizes)
    if is_inside.any():
        of = sizes[is_inside], rates[is_inside]
        # One half is reached near the mean; a count above it is safely beyond.
        high = np.minimum(of[0] * of[1] + 1.0, of[0])
        bracket = (np.zeros_like(high), high)
        # To a billionth of a capture: the last bits would take six times the steps.
        found[is_inside] = find_root(excess, bracket, args=of, tolerances={"xatol": 1e-9, "xrtol": 1e-9}).x
    return found
