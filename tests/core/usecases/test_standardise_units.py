"""Standardised rates of units: the demo's own cases are counted right, and a hard mix alone makes nobody bad."""

from collections import Counter

import numpy as np
import pytest
from demo_rows import ENDS_ON, Demo

from core.database.session import session_scope
from core.statistics.clustering import ClusteredCount
from core.statistics.standardisation import StandardisedRate
from core.store.case_mix import CaseKind, UnitCases, read_case_mix
from core.store.scan_filter import ScanFilter
from core.store.tally import Tally
from core.store.unit import Unit, UnitCount, UnitKind
from core.usecases.judge_units import UnitComparison, compare_units, judge_counts
from core.usecases.standardise_units import MIN_STRATUM, StandardisedUnits, standardise_cases, standardise_units

HARD, EASY = CaseKind("octa-enface 6x6", 70, "diabetes"), CaseKind("octa-enface 3x3", 30, "healthy")


def look(demo: Demo, kind: UnitKind = UnitKind.SITE, **chosen: object) -> tuple[UnitComparison, StandardisedUnits]:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        comparison = compare_units(session, ScanFilter(**chosen), kind)
        return comparison, standardise_units(session, ScanFilter(**chosen), comparison, today=ENDS_ON)


@pytest.mark.parametrize("kind", list(UnitKind))
def test_cases_and_visits_add_up_to_what_the_counts_hold(demo: Demo, kind: UnitKind) -> None:
    comparison, cases = look(demo, kind)
    assert cases.counted == {unit.unit.key: unit.point.count.n for unit in comparison.units}
    with session_scope(demo.database, token=demo.rows.manager) as session:
        read = read_case_mix(session, ScanFilter(), kind)
    assert {key: each.count for key, each in read.items()} == {u.unit.key: u.point.count for u in comparison.units}


def test_every_capture_falls_into_the_kind_of_its_subject(demo: Demo) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        read = read_case_mix(session, ScanFilter(), UnitKind.SITE)
    found: Counter[CaseKind] = Counter()
    for each in read.values():
        found.update({kind: n for kind, (_, n) in each.kinds.items()})
    expected = Counter(
        CaseKind(
            f"octa-enface {a.field_mm:g}x{a.field_mm:g}", a.visit.subject.age_years // 10 * 10,
            a.visit.subject.diagnosis.lower(),
        )
        for a in demo.rows.study.first_pass
    )  # fmt: skip
    assert found == expected


def test_the_planted_site_stays_bad_whatever_it_was_sent(demo: Demo) -> None:
    planted = demo.rows.study.planted
    comparison, cases = look(demo)
    rates = {unit.unit.label: cases.rates[unit.unit.key] for unit in comparison.units}
    bad = rates[planted.bad_site]
    assert isinstance(bad, StandardisedRate)
    assert bad.low_ratio > 1.5
    assert bad.observed == sum(a.is_poor for a in demo.rows.study.first_pass if a.site == planted.bad_site)
    assert planted.bad_site in cases.left_out, "it has no say in what is usual"
    assert cases.n_with_age == cases.n_with_diagnosis == cases.n_captures > 0
    assert all(name.startswith("octa-enface ") for name in cases.strata)


def unit(key: str, kinds: dict[CaseKind, tuple[int, int]]) -> tuple[UnitCount, UnitCases]:
    k, n = (sum(each[place] for each in kinds.values()) for place in (0, 1))
    count = ClusteredCount.independent(k, n)
    made = UnitCount(Unit(key, key, "", ScanFilter()), Tally(decided=n, gradable=n - k), count, patients=n)
    return made, UnitCases(count, kinds)


def test_rare_kinds_of_cases_are_put_together_but_never_across_scan_types() -> None:
    def kind(field: str, decade: int, diagnosis: str) -> CaseKind:
        return CaseKind(f"octa-enface {field}", decade, diagnosis)

    kinds = {
        kind("3x3", 50, "glaucoma"): (4, MIN_STRATUM), kind("3x3", 50, "diabetes"): (3, 20),
        kind("3x3", 50, "uveitis"): (3, 15), kind("3x3", 60, "diabetes"): (2, 9), kind("3x3", 70, "diabetes"): (2, 8),
        kind("6x6", 50, "glaucoma"): (1, 5),
    }  # fmt: skip
    made = [unit("U", kinds)]
    comparison = judge_counts(tuple(count for count, _ in made), UnitKind.SITE)
    cases = standardise_cases({count.unit.key: each for count, each in made}, comparison, ENDS_ON)
    assert cases.strata == {
        "octa-enface 3x3, 50 to 59 years, glaucoma": (4, 30),
        "octa-enface 3x3, 50 to 59 years, other": (6, 35),
        "octa-enface 3x3, other, other": (4, 17),
        "octa-enface 6x6, other, other": (1, 5),
    }


def test_a_hard_mix_of_cases_alone_makes_no_unit_bad() -> None:
    rng = np.random.default_rng(12)
    made = [unit(f"U{n}", {HARD: (0, 0), EASY: (int(rng.binomial(100, 0.1)), 100)}) for n in range(10)]
    made += [unit(f"H{n}", {HARD: (int(rng.binomial(100, 0.5)), 100), EASY: (1, 10)}) for n in range(5)]
    comparison = judge_counts(tuple(count for count, _ in made), UnitKind.SITE)
    cases = standardise_cases({count.unit.key: each for count, each in made}, comparison, ENDS_ON)
    crude = {each.unit.key: each.point.rate.value for each in comparison.units}
    assert min(crude[f"H{n}"] for n in range(5)) > 2 * max(crude[f"U{n}"] for n in range(10))
    for rate in cases.rates.values():
        assert isinstance(rate, StandardisedRate)
        assert rate.low_ratio < 1.25
        assert rate.high_ratio > 0.8
