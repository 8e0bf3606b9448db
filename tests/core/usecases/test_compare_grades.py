"""Agreement on masked grades: who is paired with whom, what is left out, and who may see it."""

from datetime import date

import pytest
from demo_rows import Demo

from core.database.session import session_scope
from core.statistics.agreement_intervals import Agreement
from core.statistics.resampling import Interval
from core.store.blind_grade import MaskedScan, read_masked_grades
from core.store.scan_filter import ScanFilter
from core.usecases.compare_grades import GradeComparison, GroupBy, compare_grades, model_pairs, people_pairs
from core.vocabulary import Slab


def look(demo: Demo, by: GroupBy = GroupBy.SITE, token: str = "", **chosen: object) -> GradeComparison:
    with session_scope(demo.database, token=token or demo.rows.manager) as session:
        return compare_grades(session, ScanFilter(**chosen), by)


def scan(model: int | None, *grades: tuple[int, int]) -> MaskedScan:
    return MaskedScan(1, 1, "S1", "D1", Slab.SUPERFICIAL, model, grades)


def test_the_model_meets_every_person_and_people_meet_each_other() -> None:
    found = [scan(1, (7, 0), (9, 2)), scan(None, (9, 1), (7, 1))]
    assert [(pair.first, pair.second) for pair in model_pairs(found)] == [(1, 0), (1, 2)]
    assert [(pair.first, pair.second) for pair in people_pairs(found)] == [(0, 2), (1, 1)]
    assert [pair.is_across for pair in model_pairs(found)] == [True, False]


def test_the_demo_s_graders_agree_as_they_were_made_to(demo: Demo) -> None:
    comparison = look(demo)
    study = demo.rows.study
    by_scan: dict[str, list[int]] = {}
    for each in study.gradings:
        by_scan.setdefault(each.scan.file_name, []).append(int(each.ordinal))
    equal = [first == second for first, second in by_scan.values()]
    assert isinstance(comparison.people, Agreement)
    assert comparison.people.n_scans == len(equal)
    assert comparison.people.percent.value == pytest.approx(sum(equal) / len(equal))
    truth = [int(each.scan.acquisition.foreseen) == int(each.ordinal) for each in study.gradings]
    assert isinstance(comparison.model, Agreement)
    assert comparison.model.percent.value == pytest.approx(sum(truth) / len(truth))
    assert isinstance(comparison.model.kappa, Interval)
    assert comparison.model.kappa.low < comparison.model.kappa.value < comparison.model.kappa.high
    assert comparison.disputed


def test_groups_are_the_parts_of_the_whole(demo: Demo) -> None:
    for by in GroupBy:
        comparison = look(demo, by)
        assert isinstance(comparison.model, Agreement)
        assert sum(group.n_pairs for group in comparison.groups) == comparison.model.n_scans


def test_filters_narrow_what_is_compared(demo: Demo) -> None:
    sites = {group.name for group in look(demo, site_id=demo.rows.site_ids["ELM"]).groups}
    assert sites <= {"ELM"}
    assert look(demo, since=date(2030, 1, 1)).groups == ()


def test_a_site_s_person_sees_no_masked_grade(demo: Demo) -> None:
    assert look(demo, token=demo.rows.technician).groups == ()


def test_only_the_latest_grades_are_read(demo: Demo) -> None:
    with session_scope(demo.database, token=demo.rows.manager) as session:
        few = read_masked_grades(session, ScanFilter(), limit=10)
    assert few.is_cut
    assert sum(len(each.grades) for each in few.scans) == 10
