"""Simulated programmes: sites, patient visits and captures that correlate within a visit as much as is asked."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.statistics.clustering import ClusteredCount

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_SITES = 30
FEWEST_VISITS, MOST_VISITS = 4, 66
CAPTURES_PER_VISIT = 6
USUAL_RATE, BAD_RATE = 0.39, 0.60
"""Poor captures at a healthy site as in DRCR, and at the bad one (domain notes 0.4)."""
BAD_SITE_VISITS = 40

CORRELATIONS = (0.0, 0.1, 0.3, 0.5)


class Mechanism(StrEnum):
    """How captures of one visit come to resemble each other; the correlation is the same either way."""

    VARYING = "every visit has a rate of its own (beta)"
    ALL_OR_NONE = "some visits have captures that are all alike"


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over visits of many programmes at once, float (programmes, sites) each; see ClusteredCount."""

    k: Floats
    n: Floats
    kk: Floats
    kn: Floats
    nn: Floats

    def unit(self, programme: int, site: int, n_visits: int) -> ClusteredCount:
        """One site as the pages have it."""
        k, n, kk, kn, nn = (int(each[programme, site]) for each in (self.k, self.n, self.kk, self.kn, self.nn))
        return ClusteredCount(k, n, n_visits, kk, kn, nn)


def site_sizes(n_sites: int = N_SITES, *, fewest: int = FEWEST_VISITS, most: int = MOST_VISITS) -> Ints:
    """Visits of each site (sites,), evenly spread; the middle size nearest to the bad site's is made that."""
    visits = np.linspace(fewest, most, n_sites).round().astype(np.int64)
    visits[np.argmin(np.abs(visits - BAD_SITE_VISITS))] = min(BAD_SITE_VISITS, most)
    return visits


def draw(
    rng: np.random.Generator,
    n_programmes: int,
    visits: Ints,
    rates: ArrayLike,
    correlation: float,
    *,
    mechanism: Mechanism = Mechanism.VARYING,
    size: int = CAPTURES_PER_VISIT,
) -> Counts:
    """Programmes of sites with so many ``visits`` (sites,) of ``size`` captures, at ``rates`` of the sites."""
    by_site = np.broadcast_to(np.asarray(rates, np.float64), (n_programmes, len(visits)))
    by_visit = np.repeat(by_site, visits, axis=1)
    k = draw_visits(rng, by_visit, correlation, size, mechanism)
    starts = np.concatenate([[0], np.cumsum(visits)[:-1]])
    total, squares = (np.add.reduceat(each, starts, axis=1).astype(np.float64) for each in (k, k * k))
    whole = np.broadcast_to(visits.astype(np.float64), total.shape)
    return Counts(total, size * whole, squares, size * total, size**2 * whole)


def draw_visits(
    rng: np.random.Generator, rates: Floats, correlation: float, size: int, mechanism: Mechanism = Mechanism.VARYING
) -> Ints:
    """Poor captures of ``size`` in visits (...) with these expected rates."""
    if correlation == 0.0:
        return rng.binomial(size, rates)
    if mechanism is Mechanism.ALL_OR_NONE:
        are_alike = rng.random(rates.shape) < correlation
        return np.where(are_alike, size * (rng.random(rates.shape) < rates), rng.binomial(size, rates))
    strength = 1.0 / correlation - 1.0
    return rng.binomial(size, rng.beta(rates * strength, (1.0 - rates) * strength))
