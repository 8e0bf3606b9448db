"""How often the intervals of this room hold the truth. Simulation only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import expit

from core.statistics.agreement import gwet_ac1, quadratic_kappa
from core.statistics.agreement_intervals import agreement, bland_altman, intraclass_intervals
from core.statistics.calibration import calibration
from core.statistics.clustering import INDEPENDENT, ClusteredCount, clustered_interval, design_effect
from core.statistics.proof.programmes import CORRELATIONS, USUAL_RATE, draw, site_sizes
from core.statistics.proportions import exact_interval, wilson_interval
from core.statistics.resampling import Interval, share_interval
from core.statistics.shrinkage import Shrinkage, shrink
from core.statistics.standardisation import CaseMix, StandardisedRate, standardise
from core.statistics.survival import DurationQuantile, turn_around
from core.values import NotComputable

Hits = Iterable[bool]


@dataclass(frozen=True, slots=True)
class Claim:
    """An interval, the setting it is tried in, its share of the rounds, and a trial that says what held."""

    interval: str
    setting: str
    rounds: float
    trial: Callable[[np.random.Generator], Hits]


def coverage(n_rounds: int, seed: int) -> list[dict[str, Any]]:
    """Coverage of every nominal 95 % interval in percent, with the number of intervals and the simulation's error."""
    rows = []
    for place, claim in enumerate(CLAIMS):
        rng = np.random.default_rng([seed, 4, place])
        hits = np.array([hit for _ in range(max(int(claim.rounds * n_rounds), 1)) for hit in claim.trial(rng)])
        share = float(hits.mean())
        rows.append(
            {
                "interval": claim.interval,
                "setting": claim.setting,
                "n_intervals": len(hits),
                "coverage_percent": 100.0 * share,
                "error_percent": 100.0 * float(np.sqrt(share * (1.0 - share) / len(hits))),
            }
        )
    return rows


def _holds(found: object, truth: float) -> bool:
    assert not isinstance(found, NotComputable)
    return bool(found.low <= truth <= found.high)  # type: ignore[attr-defined]  # every interval has both bounds


def _plain(interval: Callable[..., Any], rate: float) -> Callable[[np.random.Generator], Hits]:
    def trial(rng: np.random.Generator) -> Hits:
        sizes = rng.integers(30, 120, 100)
        return [_holds(interval(int(k), int(n)), rate) for k, n in zip(rng.binomial(sizes, rate), sizes, strict=True)]

    return trial


def _units(rng: np.random.Generator, rates: Any, correlation: float, n_sites: int = 30) -> list[ClusteredCount]:
    visits = site_sizes(n_sites)
    counts = draw(rng, 1, visits, rates, correlation)
    return [counts.unit(0, site, int(n)) for site, n in enumerate(visits)]


def _clustered(correlation: float) -> Callable[[np.random.Generator], Hits]:
    def trial(rng: np.random.Generator) -> Hits:
        units = _units(rng, USUAL_RATE, correlation)
        found = design_effect(units)
        return [_holds(clustered_interval(unit, found), USUAL_RATE) for unit in units]

    return trial


def _ignoring_visits(correlation: float) -> Callable[[np.random.Generator], Hits]:
    def trial(rng: np.random.Generator) -> Hits:
        units = _units(rng, USUAL_RATE, correlation)
        return [_holds(clustered_interval(unit, INDEPENDENT), USUAL_RATE) for unit in units]

    return trial


def _shrunken(between_sd: float, correlation: float, n_sites: int) -> Callable[[np.random.Generator], Hits]:
    strength = USUAL_RATE * (1.0 - USUAL_RATE) / between_sd**2 - 1.0

    def trial(rng: np.random.Generator) -> Hits:
        rates = rng.beta(USUAL_RATE * strength, (1.0 - USUAL_RATE) * strength, n_sites)
        found = shrink(_units(rng, rates, correlation, n_sites))
        assert isinstance(found, Shrinkage)
        return [_holds(rate, truth) for rate, truth in zip(found.rates, rates, strict=True)]

    return trial


_STRATA = {"3 mm": (150, 1000), "6 mm": (350, 1000), "6 mm, over 75 years": (550, 1000)}


def _standardised(rng: np.random.Generator) -> Hits:
    """Sites of differing mixes and odds ratios, against a known standard."""
    names, standard = list(_STRATA), np.array([k / n for k, n in _STRATA.values()])
    for _ in range(20):
        own = rng.integers(10, 60, len(names))
        odds = standard / (1.0 - standard) * np.exp(rng.normal(0.0, 0.5))
        rates = odds / (1.0 + odds)
        k = rng.binomial(own, rates)
        strata = {name: (int(a), int(b)) for name, a, b in zip(names, k, own, strict=True)}
        unit = CaseMix(ClusteredCount.independent(int(k.sum()), int(own.sum())), strata)
        found = standardise([unit], standard=_STRATA, design=INDEPENDENT)[0]
        assert isinstance(found, StandardisedRate)
        truth = float(own @ rates) / float(own @ standard)
        yield found.low_ratio <= truth <= found.high_ratio


def _turn_around(share: float, name: str) -> Callable[[np.random.Generator], Hits]:
    def trial(rng: np.random.Generator) -> Hits:
        lasted, seen = rng.gamma(2.0, 1.5, 120), rng.uniform(0.0, 25.0, 120)
        found = turn_around(np.minimum(lasted, seen), lasted <= seen)
        assert not isinstance(found, NotComputable)
        quantile = getattr(found, name)
        if isinstance(quantile, DurationQuantile):
            truth = _GAMMA_QUANTILE[share]
            yield quantile.low <= truth and (quantile.high is None or truth <= quantile.high)

    return trial


_GAMMA_QUANTILE = {0.5: 2.5175204850, 0.9: 5.8345802547}
"""Quantiles of the gamma distribution of shape 2 and scale 1.5; the tests compute them."""


def _rated(rng: np.random.Generator, n_patients: int) -> tuple[Any, Any, Any]:
    """Classes by two graders of four scans per patient, alike within a patient."""
    patient = np.repeat(np.arange(n_patients), 4)
    latent = np.repeat(rng.normal(0.0, 1.0, n_patients), 4) + rng.normal(0.0, 0.7, len(patient))
    first, second = (np.digitize(latent + rng.normal(0.0, 0.35, len(patient)), [-0.6, 0.7]) for _ in range(2))
    return first, second, patient


@cache
def _agreement_truth() -> dict[str, float]:
    """Kappa, AC1 and percent agreement of the graders' population, from 400 000 scans."""
    first, second, _ = _rated(np.random.default_rng(99), 100_000)
    kappa, ac1 = quadratic_kappa(first, second), gwet_ac1(first, second)
    assert kappa is not None
    assert ac1 is not None
    return {"kappa": kappa, "ac1": ac1, "percent": float((first == second).mean())}


def _agreeing(name: str, n_patients: int) -> Callable[[np.random.Generator], Hits]:
    def trial(rng: np.random.Generator) -> Hits:
        first, second, patient = _rated(rng, n_patients)
        found = agreement(first, second, patient.astype(str).tolist())
        yield _holds(getattr(found, name), _agreement_truth()[name])

    return trial


def _limits(name: str) -> Callable[[np.random.Generator], Hits]:
    truth = {"bias": 0.01, "low": 0.01 - 1.96 * 0.03, "high": 0.01 + 1.96 * 0.03}[name]

    def trial(rng: np.random.Generator) -> Hits:
        yield _holds(getattr(bland_altman(rng.normal(0.01, 0.03, 40), np.zeros(40)), name), truth)

    return trial


def _icc(name: str) -> Callable[[np.random.Generator], Hits]:
    """Areas of 40 zones with a standard deviation of 0.1 mm2 by three graders, each with a bias and an error."""
    truth = {"consistency": 0.01 / (0.01 + 0.0009), "agreement": 0.01 / (0.01 + 0.0009 + 0.0001)}[name]

    def trial(rng: np.random.Generator) -> Hits:
        biases = rng.normal(0.0, 0.01, 3)
        ratings = rng.normal(0.3, 0.1, (40, 1)) + biases + rng.normal(0.0, 0.03, (40, 3))
        yield _holds(getattr(intraclass_intervals(ratings), name), truth)

    return trial


def _calibrated(name: str, truth: float) -> Callable[[np.random.Generator], Hits]:
    """A calibrated model on 80 patients, every one of whose scans was sent twice."""

    def trial(rng: np.random.Generator) -> Hits:
        log_odds = rng.normal(0.0, 1.5, 160)
        happens = rng.random(160) < expit(log_odds)
        patients = np.repeat(np.arange(80), 4).astype(str).tolist()
        found = calibration(np.repeat(expit(log_odds), 2), np.repeat(happens, 2), patients)
        yield _holds(getattr(found, name), truth)

    return trial


def _resampled(rng: np.random.Generator) -> Hits:
    rates = rng.beta(4.0, 2.0, 50)
    hits = rng.random((50, 4)) < rates[:, None]
    found = share_interval(hits.ravel(), np.repeat(np.arange(50), 4).astype(str).tolist())
    assert isinstance(found, Interval)
    yield _holds(found, 4.0 / 6.0)


CLAIMS = (
    *(Claim("Wilson", f"independent, rate {rate:.0%}", 0.5, _plain(wilson_interval, rate)) for rate in (0.1, 0.39)),
    Claim("Clopper and Pearson (at least nominal)", "independent, rate 39%", 0.5, _plain(exact_interval, 0.39)),
    *(Claim("Wilson on the effective n", f"visits, correlation {rho:g}", 1.5, _clustered(rho)) for rho in CORRELATIONS),
    Claim("Wilson as if independent (for comparison)", "visits, correlation 0.3", 1.0, _ignoring_visits(0.3)),
    *(
        Claim("Shrunken rate", f"{n} sites, s.d. {sd:g} between, correlation {rho:g}", 90 / n, _shrunken(sd, rho, n))
        for n, sd, rho in ((30, 0.05, 0.3), (30, 0.1, 0.0), (30, 0.1, 0.3), (6, 0.1, 0.3))
    ),
    Claim("Standardised ratio", "three strata, odds ratios of s.d. 0.5 (log)", 1.5, _standardised),
    *(
        Claim(f"Turn-around, {words}", "120 items, a tenth still open", 20.0, _turn_around(share, name))
        for share, name, words in ((0.5, "median", "median"), (0.9, "p90", "90th percentile"))
    ),
    *(
        Claim(f"Agreement, {words}", "60 patients with 4 scans each", 12.0, _agreeing(name, 60))
        for name, words in (("kappa", "quadratic kappa"), ("ac1", "AC1"), ("percent", "percent"))
    ),
    *(
        Claim(f"Bland-Altman, {words}", "40 pairs", 20.0, _limits(name))
        for name, words in (("bias", "bias"), ("low", "lower limit"), ("high", "upper limit"))
    ),
    *(Claim(f"ICC, {name}", "40 scans, 3 graders", 20.0, _icc(name)) for name in ("consistency", "agreement")),
    *(
        Claim(f"Calibration, {name}", "80 patients, two scans each, sent twice", 12.0, _calibrated(name, truth))
        for name, truth in (("excess", 0.0), ("slope", 1.0))
    ),
    Claim("Share over resampled groups", "50 groups of 4", 15.0, _resampled),
)
"""``rounds`` are chosen so that each claim rests on some thousands of intervals in about the same time."""
