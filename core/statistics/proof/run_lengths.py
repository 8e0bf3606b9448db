"""How many points every chart runs until it signals, while nothing changes and after a change. Simulation only."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.statistics.clustering import ClusteredCount, DesignEffect
from core.statistics.control_chart import ChartKind, Rule, chart_limits, laney_factor, rule_hits
from core.statistics.cusum import ODDS_RATIO, CusumPlan, plan_cusum, running_sum, scores
from core.statistics.ewma import WEIGHT, EwmaPlan, moving_average, plan_ewma, standardised
from core.statistics.proof.programmes import draw_visits

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

VISITS_PER_POINT = 8
CAPTURES_PER_VISIT = 2
CORRELATION = 0.3
RATE = 0.2
CHANGED_ODDS = 2.0
BASELINE_POINTS = (25, 100)
RESTLESS_SD = 0.08
SHORT, LONG, YEAR = 120, 3000, 52
"""Points simulated after a change, without one, and with a frozen baseline (a year of weeks)."""


@dataclass(frozen=True, slots=True)
class Charted:
    """Points of many runs (runs, points) against what their baseline says: centre and Laney's factor (runs,)."""

    values: Floats
    centre: Floats
    sigma_z: Floats


@dataclass(frozen=True, slots=True)
class Chart:
    """A name and where the chart signals (runs, points)."""

    name: str
    signals: Callable[[Charted], Flags]


POINT = ClusteredCount.of_clusters([0] * VISITS_PER_POINT, [CAPTURES_PER_VISIT] * VISITS_PER_POINT)
DESIGN = DesignEffect(CORRELATION, 1, VISITS_PER_POINT)


def run_lengths(n_runs: int, seed: int) -> list[dict[str, Any]]:
    """Every chart's mean run length in control and after the odds have doubled, and false signals within a year.

    The first two with a known centre. A mean is that of a constant hazard, points over signals, where runs are cut.
    The last with baselines frozen from as many points as their names say: share of runs with a signal in 52 points,
    also where every point has a rate of its own (standard deviation 8 points) although nothing changes.
    """
    rng = np.random.default_rng([seed, 5])
    calm = _counts(rng, (n_runs, LONG), RATE) / POINT.n
    odds = RATE / (1.0 - RATE) * CHANGED_ODDS
    changed = _counts(rng, (n_runs, SHORT), odds / (1.0 + odds)) / POINT.n
    year = _counts(rng, (4 * n_runs, YEAR), RATE) / POINT.n
    settings = {
        "known": Charted(year, np.full(len(year), RATE), np.ones(len(year))),
        **{f"baseline_{points}": Charted(year, *_frozen(rng, len(year), points, 0.0)) for points in BASELINE_POINTS},
        "restless": Charted(
            _counts(rng, year.shape, RATE, RESTLESS_SD) / POINT.n,
            *_frozen(rng, len(year), max(BASELINE_POINTS), RESTLESS_SD),
        ),
    }
    known = np.full(n_runs, RATE), np.ones(n_runs)
    return [
        {
            "chart": chart.name,
            "in_control": _mean_run(chart.signals(Charted(calm, *known))),
            "after_change": _mean_run(chart.signals(Charted(changed, *known))),
            **{
                f"false_in_a_year_{name}_percent": 100.0 * float(chart.signals(run).any(axis=1).mean())
                for name, run in settings.items()
            },
        }
        for chart in CHARTS
    ]


def _counts(rng: np.random.Generator, shape: tuple[int, ...], rate: float, between_sd: float = 0.0) -> Floats:
    """Poor captures of points (...) whose rates scatter by ``between_sd`` around ``rate``."""
    rates = np.full(shape, rate)
    if between_sd:
        strength = rate * (1.0 - rate) / between_sd**2 - 1.0
        rates = rng.beta(rate * strength, (1.0 - rate) * strength, shape)
    by_visit = np.repeat(rates[..., None], VISITS_PER_POINT, axis=-1)
    return np.asarray(draw_visits(rng, by_visit, CORRELATION, CAPTURES_PER_VISIT).sum(axis=-1), np.float64)


def _frozen(rng: np.random.Generator, n_runs: int, n_points: int, between_sd: float) -> tuple[Floats, Floats]:
    """Centre and Laney's factor (runs,) of baselines of so many points."""
    values = _counts(rng, (n_runs, n_points), RATE, between_sd) / POINT.n
    centre = values.mean(axis=1)
    return centre, laney_factor(values, np.full(n_points, DESIGN.effective_n(POINT)), centre)


def _mean_run(signals: Flags) -> float:
    """Points seen until the first signal of each run, over the number of runs that signalled."""
    first = np.where(signals.any(axis=1), signals.argmax(axis=1) + 1, signals.shape[1])
    return float(first.sum() / max(int(signals.any(axis=1).sum()), 1))


def _shewhart(kind: ChartKind, *rules: Rule) -> Callable[[Charted], Flags]:
    def signals(run: Charted) -> Flags:
        factor = run.sigma_z if kind is ChartKind.LANEY else np.ones_like(run.sigma_z)
        limits = chart_limits(run.centre, np.array(DESIGN.effective_n(POINT)), factor)
        low, high = (limit[:, None] for limit in limits)
        hits = rule_hits(run.values, low, high, run.centre[:, None])
        return np.asarray(np.any([hit for signal, hit in hits.items() if signal.rule in rules], axis=0), np.bool_)

    return signals


@cache
def _cusum_plan(centre: float, sigma_z: float) -> CusumPlan:
    return plan_cusum([POINT], centre, DESIGN, sigma_z=sigma_z)


@cache
def _ewma_plan(centre: float, sigma_z: float) -> EwmaPlan:
    return plan_ewma([POINT], centre, DESIGN, sigma_z=sigma_z)


def _thresholds(run: Charted, plan: Callable[[float, float], CusumPlan | EwmaPlan]) -> Floats:
    """The planned threshold of every run (runs, 1), of a baseline rounded to a point and a tenth: plans take time."""
    centres, factors = run.centre.round(2), run.sigma_z.round(1)
    return np.array([[plan(float(c), float(s)).threshold] for c, s in zip(centres, factors, strict=True)])


def _cusum(run: Charted) -> Flags:
    factor = DESIGN.factor(POINT) * run.sigma_z[:, None] ** 2
    sums = running_sum(scores(run.values * POINT.n, POINT.n, run.centre[:, None], ODDS_RATIO, factor))
    return np.asarray(sums > _thresholds(run, _cusum_plan), np.bool_)


def _ewma(run: Charted) -> Flags:
    factor = DESIGN.factor(POINT) * run.sigma_z[:, None] ** 2
    averages = moving_average(standardised(run.values * POINT.n, POINT.n, run.centre[:, None], factor), WEIGHT)
    return np.asarray(np.abs(averages) > _thresholds(run, _ewma_plan), np.bool_)


CHARTS = (
    Chart("p, 1 point beyond the limits", _shewhart(ChartKind.P, Rule.ONE_OUT)),
    Chart("p, 8 on one side", _shewhart(ChartKind.P, Rule.EIGHT_ON_ONE_SIDE)),
    Chart("p, 6 rising or falling", _shewhart(ChartKind.P, Rule.SIX_TREND)),
    Chart("p, all three rules", _shewhart(ChartKind.P, *Rule)),
    Chart("Laney p', 1 point beyond the limits", _shewhart(ChartKind.LANEY, Rule.ONE_OUT)),
    Chart("Laney p', all three rules", _shewhart(ChartKind.LANEY, *Rule)),
    Chart("CUSUM for odds doubled (planned: 500)", _cusum),
    Chart("EWMA, weight 0.1 (planned: 500)", _ewma),
)
