"""Rates of units as if all had been sent the same cases: standardised for kind, field, age and diagnosis."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy.orm import Session

from core.statistics.standardisation import CaseMix, StandardisedRate, standardise, usual_standard
from core.store.case_mix import CaseKind, UnitCases, read_case_mix
from core.store.scan_filter import ScanFilter
from core.usecases.judge_units import UnitComparison
from core.values import NotComputable

LONGEST = timedelta(weeks=52)
"""Captures are read one by one for their age and diagnosis; a year of them says what a site is sent."""
MIN_STRATUM = 30
"""Kinds of cases with fewer captures are put together: their own rate would be a guess."""
REST = "other"


@dataclass(frozen=True, slots=True)
class StandardisedUnits:
    """Standardised rates by the key of the unit; a rate says why where there is none.

    Attributes
    ----------
    counted : mapping of str to int
        Decided first captures of each unit in that time.
    usual : float
        Overall rate of the standard, 0..1.
    strata : mapping of str to (int, int)
        The kinds of cases that were told apart, each as k of n in the standard (units left out do not count).
    n_with_age, n_with_diagnosis : int
        Captures for which it was given; where 0 it was not adjusted for.
    left_out : tuple of str
        Labels of units that lie too far outside, for their cases, to have a say in the standard.
    since : date
        First day of the captures that were read.
    """

    rates: Mapping[str, StandardisedRate | NotComputable]
    counted: Mapping[str, int]
    usual: float
    strata: Mapping[str, tuple[int, int]]
    n_captures: int
    n_with_age: int
    n_with_diagnosis: int
    left_out: tuple[str, ...]
    since: date


def standardise_units(
    session: Session, chosen: ScanFilter, comparison: UnitComparison, *, today: date
) -> StandardisedUnits:
    """The units of ``comparison`` under ``chosen``, at most a year of captures, against their pooled stratum rates."""
    until = chosen.until or today + timedelta(days=1)
    since = max(chosen.since or until - LONGEST, until - LONGEST)
    cases = read_case_mix(session, replace(chosen, since=since), comparison.kind)
    return standardise_cases(cases, comparison, since)


def standardise_cases(cases: Mapping[str, UnitCases], comparison: UnitComparison, since: date) -> StandardisedUnits:
    """The same of cases that are there already."""
    assert comparison.funnel is not None, "an empty comparison has no rates"
    labels = {unit.unit.key: unit.unit.label for unit in comparison.units}
    everything = _pooled(cases.values())
    names = _strata(everything)
    keys = list(cases)
    mixes = [CaseMix(cases[key].count, _named(cases[key].kinds, names)) for key in keys]
    standard, extreme = usual_standard(mixes, design=comparison.funnel.design)
    rates = standardise(mixes, standard=standard, design=comparison.funnel.design)
    k, n = (sum(each[place] for each in standard.values()) for place in (0, 1))
    return StandardisedUnits(
        rates=dict(zip(keys, rates, strict=True)),
        counted={key: each.count.n for key, each in cases.items()},
        usual=k / max(n, 1),
        strata=standard,
        n_captures=_count(everything, lambda _: True),
        n_with_age=_count(everything, lambda kind: kind.decade is not None),
        n_with_diagnosis=_count(everything, lambda kind: kind.diagnosis is not None),
        left_out=tuple(sorted(labels.get(keys[place], keys[place]) for place in extreme)),
        since=since,
    )


def _count(kinds: Mapping[CaseKind, tuple[int, int]], has: Callable[[CaseKind], bool]) -> int:
    return sum(n for kind, (_, n) in kinds.items() if has(kind))


def _pooled(cases: Iterable[UnitCases]) -> dict[CaseKind, tuple[int, int]]:
    poor: Counter[CaseKind] = Counter()
    all_: Counter[CaseKind] = Counter()
    for each in cases:
        for kind, (k, n) in each.kinds.items():
            poor[kind] += k
            all_[kind] += n
    return {kind: (poor[kind], n) for kind, n in all_.items()}


def _strata(pooled: Mapping[CaseKind, tuple[int, int]]) -> dict[CaseKind, str]:
    """The stratum of each kind of case: as fine as its numbers allow, never across scan types."""
    finest: dict[CaseKind, tuple[str, ...]] = {kind: _words(kind) for kind in pooled}
    for depth in (2, 1):
        sizes: Counter[tuple[str, ...]] = Counter()
        for kind, name in finest.items():
            sizes[name] += pooled[kind][1]
        small = {name for name, n in sizes.items() if n < MIN_STRATUM}
        finest = {
            kind: (*name[:depth], *[REST] * (3 - depth)) if name in small else name for kind, name in finest.items()
        }
    return {kind: ", ".join(name) for kind, name in finest.items()}


def _words(kind: CaseKind) -> tuple[str, str, str]:
    age = "age not given" if kind.decade is None else f"{kind.decade} to {kind.decade + 9} years"
    return kind.scan_type, age, kind.diagnosis or "diagnosis not given"


def _named(kinds: Mapping[CaseKind, tuple[int, int]], names: Mapping[CaseKind, str]) -> dict[str, tuple[int, int]]:
    sums: dict[str, tuple[int, int]] = {}
    for kind, (k, n) in kinds.items():
        name = names[kind]
        so_far = sums.get(name, (0, 0))
        sums[name] = (so_far[0] + k, so_far[1] + n)
    return sums
