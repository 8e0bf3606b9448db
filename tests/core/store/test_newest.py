"""Looking for the newest rows step by step: as far as it takes, in steps that fit, and no further than is allowed."""

from itertools import pairwise

from core.store.newest import newest


def hits(oldest: int, latest: int, *, every: int) -> list[int]:
    return [id_ for id_ in range(latest, oldest, -1) if id_ % every == 0]


def look(*, every: int, n: int, most_reach: int | None = None) -> tuple[list[int], list[int]]:
    """What is found among 100,000 ids of which every so many-th is a hit, and how far back each step looked."""
    steps: list[int] = []

    def ask(oldest: int, latest: int) -> list[int]:
        assert latest == 100_000 - (steps[-1] if steps else 0), "no id is looked at twice, and none is left out"
        steps.append(100_000 - oldest)
        return hits(oldest, latest, every=every)[:n]

    return list(newest(100_000, ask, n=n, first_reach=1_000, most_reach=most_reach)), steps


def test_a_second_step_reaches_as_far_as_the_first_lets_expect() -> None:
    found, steps = look(every=20, n=200)  # 50 in the first 1,000
    assert found == [100_000 - 20 * number for number in range(200)]
    assert steps == [1_000, 5_000]


def test_no_step_is_more_than_eight_times_the_last() -> None:
    found, steps = look(every=10_000, n=5)
    assert len(found) == 5
    assert all(later <= 8 * earlier for earlier, later in pairwise(steps))


def test_what_is_not_there_is_looked_for_to_the_end_or_as_far_as_is_allowed() -> None:
    assert look(every=1_000_000, n=5)[1][-1] == 100_000
    assert look(every=1_000_000, n=5, most_reach=3_000)[1] == [1_000, 3_000]
