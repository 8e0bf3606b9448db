"""What is counted from the latest rows alone says so: a bound must not read as a total."""

from types import SimpleNamespace

import pytest

from core.policy.grading_plan import Settlement
from core.statistics.proportions import wilson_interval
from core.store.accepted_check import MOST_CHECKS
from core.store.grading_view import MOST_SETTLED
from core.wording import count
from dashboard.components import agreement_words
from dashboard.grading import progress

SETTLED = SimpleNamespace(
    settlement=Settlement.AGREEMENT, is_senior_check=False, is_overruled=False, ordinals=(1, 1), model_ordinal=1,
    consensus_ordinal=1,
)  # fmt: skip


@pytest.mark.parametrize(("n", "is_said"), [(MOST_SETTLED - 1, False), (MOST_SETTLED, True)])
def test_settled_scans_are_called_the_latest_where_there_may_be_more(n: int, is_said: bool):
    for words in (agreement_words.settled_words([SETTLED] * n), progress.settled_words([SETTLED] * n, {})):
        assert (f"Counted are the latest {count(MOST_SETTLED)}" in str(words)) is is_said


@pytest.mark.parametrize(("n", "is_said"), [(MOST_CHECKS - 1, False), (MOST_CHECKS, True)])
def test_checks_are_called_the_latest_where_there_may_be_more(n: int, is_said: bool):
    found = SimpleNamespace(overturned=wilson_interval(3, n), of_all=None, accepted_share=None)
    assert (f"the latest {count(MOST_CHECKS)} checks" in str(progress.acceptance_words(found, 0.01))) is is_said
