"""Champion against challenger: agreement of grades, the verdicts that would change, and what is not scored again."""

from datetime import UTC, datetime

from core.statistics.agreement_intervals import Agreement
from core.statistics.resampling import Interval
from core.store.version_pair import Said, VersionPair, VersionPairs
from core.usecases.compare_versions import compare_pairs
from core.vocabulary import Slab, Verdict

DAY = datetime(2026, 6, 1, tzinfo=UTC)
OLD, NEW = 1, 2
VERDICTS = (Verdict.REACQUIRE, Verdict.ACCEPT, Verdict.ACCEPT)


def pair(number: int, champion: int | None, challenger: int | None, version: int = NEW) -> VersionPair:
    def said(id_: int, ordinal: int | None) -> Said:
        verdict = Verdict.REVIEW if ordinal is None else VERDICTS[ordinal]
        return Said(id_, ordinal, verdict, 1 if ordinal is None else ordinal)

    return VersionPair(
        number, number, "CEDAR", "CEDAR-A", Slab.DEEP, said(OLD, champion), said(version, challenger)
    )  # fmt: skip


def found(*pairs: VersionPair, counting: dict[int, int] | None = None) -> VersionPairs:
    names = {OLD: "model 1.0", NEW: "model 2.0", 3: "model 3.0"}
    return VersionPairs(DAY, names, counting or {OLD: len(pairs)}, pairs, 300)


def test_grades_and_verdicts_are_compared_scan_by_scan() -> None:
    pairs = [pair(n, n % 3, n % 3) for n in range(40)] + [pair(n, 0, 1) for n in range(40, 50)] + [pair(60, None, 2)]
    comparison = compare_pairs(found(*pairs)).comparisons[0]
    assert (comparison.champion, comparison.challenger) == ("model 1.0", "model 2.0")
    assert isinstance(comparison.grades, Agreement)
    assert comparison.grades.confusion[0, 1] == 10
    assert comparison.n_silent == 1
    assert comparison.verdicts[Verdict.REACQUIRE, Verdict.ACCEPT] == 10
    assert comparison.verdicts[Verdict.REVIEW, Verdict.ACCEPT] == 1
    assert [change.scan_id for change in comparison.changes] == [60, *range(49, 39, -1)]
    assert isinstance(comparison.changed, Interval)
    assert comparison.changed.low < comparison.changed.value == 11 / 51 < comparison.changed.high


def test_every_other_version_stands_by_itself_the_one_with_most_scans_first() -> None:
    pairs = [pair(1, 0, 0), *(pair(n, 1, 1, version=3) for n in range(2, 5))]
    assert [each.challenger for each in compare_pairs(found(*pairs)).comparisons] == ["model 3.0", "model 2.0"]


def test_scans_that_were_not_scored_again_are_counted_by_their_version() -> None:
    versions = compare_pairs(found(counting={OLD: 5, NEW: 40}))
    assert versions.counting == (("model 2.0", 40), ("model 1.0", 5))
    assert versions.comparisons == ()


def test_of_models_that_always_abstain_the_likeliest_grades_are_compared() -> None:
    pairs = [pair(n, None, None) for n in range(12)] + [pair(20, None, 0)]
    comparison = compare_pairs(found(*pairs)).comparisons[0]
    assert (comparison.n_silent, comparison.is_of_likeliest) == (13, True)
    assert isinstance(comparison.grades, Agreement)
    assert (comparison.grades.confusion[1, 1], comparison.grades.confusion[1, 0]) == (12, 1)
    assert not compare_pairs(found(*pairs, pair(21, 1, 1))).comparisons[0].is_of_likeliest
