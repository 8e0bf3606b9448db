"""How often the funnel flags healthy sites, and how often it finds the bad one. Simulation only."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, false_discovery_control

from core.statistics.clustering import intra_cluster_correlation
from core.statistics.funnel import (
    ALARM_LEVEL,
    DISCOVERY_RATE,
    MIN_COUNTED,
    interpolated_probability,
    two_sided_p,
    usual_rate,
)
from core.statistics.proof.programmes import (
    BAD_RATE,
    BAD_SITE_VISITS,
    CORRELATIONS,
    USUAL_RATE,
    Counts,
    Mechanism,
    draw,
    site_sizes,
)

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

POWER_SETTINGS = ((30, 0.0, 1), (30, 0.1, 1), (30, 0.3, 2), (30, 0.5, 10), (12, 0.3, 2), (6, 0.0, 1), (6, 0.3, 2))
"""Sites, correlation, and how many times more programmes are drawn where chance could decide about a target."""

_AT_ONCE = 1000
"""Programmes held in memory together: some 50 MB."""

SCENARIOS: tuple[Mapping[str, Any], ...] = (
    *({"correlation": rho, "mechanism": Mechanism.VARYING} for rho in CORRELATIONS),
    *({"correlation": rho, "mechanism": Mechanism.ALL_OR_NONE} for rho in CORRELATIONS[2:]),
    *({"correlation": 0.3, "mechanism": Mechanism.VARYING, "rate": rate} for rate in (0.1, 0.03)),
    {"correlation": 0.3, "mechanism": Mechanism.ALL_OR_NONE, "rate": 0.03},
    *({"correlation": rho, "mechanism": Mechanism.VARYING, "n_sites": 6} for rho in (0.0, 0.3)),
)
"""The programme that was asked for first; then another mechanism, low rates, and a programme of six sites."""


def false_flags(n_programmes: int, seed: int) -> list[dict[str, Any]]:
    """Share of healthy, judged sites beyond the 99.8 % line, either side: this funnel, and naive exact limits."""
    return [_false_flags(n_programmes, seed + place, **scenario) for place, scenario in enumerate(SCENARIOS)]


def _false_flags(
    n_programmes: int,
    seed: int,
    *,
    correlation: float,
    mechanism: Mechanism,
    rate: float = USUAL_RATE,
    n_sites: int = 30,
) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 1])
    counts = draw(rng, n_programmes, site_sizes(n_sites), rate, correlation, mechanism=mechanism)
    is_judged = counts.n >= MIN_COUNTED
    found = judge(counts)
    return {
        "n_programmes": n_programmes,
        "correlation": correlation,
        "mechanism": mechanism.value,
        "rate": rate,
        "n_sites": n_sites,
        "n_judged": int(is_judged.sum()),
        "false_percent": _percent(found < 1.0 - ALARM_LEVEL, is_judged),
        "naive_percent": _percent(naive_alarms(counts), is_judged),
        "published_percent": _percent(judge(counts, published_p) < 1.0 - ALARM_LEVEL, is_judged),
        "warning_percent": _percent(found < DISCOVERY_RATE, is_judged),
        "correlation_found": float(intra_cluster_correlation(*_sums(counts)).mean()),
    }


def judge(counts: Counts, two_sided: Callable[[Floats, Floats, Floats], Floats] = two_sided_p) -> Floats:
    """The funnel's two-sided p-values (programmes, sites), as ``funnel`` computes them for one programme."""
    correlation = intra_cluster_correlation(*_sums(counts))[:, None]
    effective_n = counts.n / (1.0 + correlation * (counts.nn / counts.n - 1.0))
    target, _ = usual_rate(counts.k, counts.n, effective_n, counts.n >= MIN_COUNTED)
    return two_sided(counts.k / counts.n, effective_n, target[:, None])


def published_p(values: Floats, effective_n: Floats, target: Floats) -> Floats:
    """The same by Spiegelhalter's own interpolation, for comparison (docs/adr/0020)."""
    lower = interpolated_probability(values * effective_n, effective_n, target)
    return np.asarray(2.0 * np.minimum(lower, 1.0 - lower), np.float64)


def naive_alarms(counts: Counts) -> Flags:
    """Beyond exact binomial 99.8 % limits around the pooled rate, as if captures were independent."""
    pooled = counts.k.sum(axis=1, keepdims=True) / counts.n.sum(axis=1, keepdims=True)
    tail = (1.0 - ALARM_LEVEL) / 2.0
    below, above = binom.cdf(counts.k, counts.n, pooled), binom.sf(counts.k - 1, counts.n, pooled)
    return np.asarray((below < tail) | (above < tail), np.bool_)


def _sums(counts: Counts) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    return counts.k, counts.n, counts.kk, counts.kn, counts.nn


def power(n_programmes: int, seed: int) -> list[dict[str, Any]]:
    """Share of programmes in which the bad site of 40 visits is red, and of other sites flagged beside it.

    ``n_programmes`` are drawn where captures are independent, more where the power comes nearer to what is asked.
    """
    return [
        _power(n_programmes * rounds, seed + place, n_sites, correlation)
        for place, (n_sites, correlation, rounds) in enumerate(POWER_SETTINGS)
    ]


def _power(n_programmes: int, seed: int, n_sites: int, correlation: float) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 2])
    visits = site_sizes(n_sites)
    is_bad = visits == BAD_SITE_VISITS
    found, published, others, n_left = [], [], [], n_programmes
    while n_left > 0:
        counts = draw(rng, min(n_left, _AT_ONCE), visits, np.where(is_bad, BAD_RATE, USUAL_RATE), correlation)
        is_red = judge(counts) < 1.0 - ALARM_LEVEL
        is_high = counts.k / counts.n > USUAL_RATE
        found.append((is_red & is_high)[:, is_bad].ravel())
        published.append(((judge(counts, published_p) < 1.0 - ALARM_LEVEL) & is_high)[:, is_bad].ravel())
        others.append(is_red[(counts.n >= MIN_COUNTED) & ~is_bad])
        n_left -= _AT_ONCE
    share = float(np.concatenate(found).mean())
    return {
        "n_sites": n_sites,
        "correlation": correlation,
        "n_programmes": n_programmes,
        "power_percent": 100.0 * share,
        "error_percent": 100.0 * float(np.sqrt(share * (1.0 - share) / n_programmes)),
        "others_percent": 100.0 * float(np.concatenate(others).mean()),
        "published_percent": 100.0 * float(np.concatenate(published).mean()),
    }


def discoveries(n_programmes: int, seed: int, *, n_units: int = 300, n_bad: int = 30) -> list[dict[str, Any]]:
    """Many units, a tenth of them bad: what the 95 % and 99.8 % lines and the discovery rate each call out."""
    rows = []
    for place, correlation in enumerate((0.0, 0.3)):
        rng = np.random.default_rng([seed + place, 3])
        visits = site_sizes(n_units)
        is_bad = np.arange(n_units) % (n_units // n_bad) == 0
        p_values = judge(draw(rng, n_programmes, visits, np.where(is_bad, BAD_RATE, USUAL_RATE), correlation))
        is_judged = np.broadcast_to(visits * 6 >= MIN_COUNTED, p_values.shape)
        q_values = np.ones_like(p_values)
        q_values[:, is_judged[0]] = false_discovery_control(p_values[:, is_judged[0]], axis=1)
        rules = {
            "95 % line": p_values < DISCOVERY_RATE,
            "99.8 % line": p_values < 1.0 - ALARM_LEVEL,
            "false-discovery control at 5 %": q_values <= DISCOVERY_RATE,
        }
        for name, hits in rules.items():
            named = hits & is_judged
            false_share = (named & ~is_bad).sum(axis=1) / np.maximum(named.sum(axis=1), 1)
            rows.append(
                {
                    "correlation": correlation,
                    "rule": name,
                    "false_share_percent": 100.0 * float(false_share.mean()),
                    "found_percent": _percent(named, is_judged & is_bad),
                }
            )
    return rows


def _percent(hits: Flags, among: Flags) -> float:
    return 100.0 * float(hits[among].mean())
