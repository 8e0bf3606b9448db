"""What the Scan page says of a request: a day to keep as long as the site has to act, and none after that."""

from datetime import date

import pytest

from core.store.scan_history import OpenRequest
from core.vocabulary import RequestState
from dashboard.components.decision import request_words

DUE_ON = date(2026, 3, 11)


@pytest.mark.parametrize(
    ("state", "today", "words"),
    [
        (RequestState.ACKNOWLEDGED, date(2026, 3, 4), "acknowledged · 7 days left"),
        (RequestState.SCHEDULED, date(2026, 3, 20), "scheduled · closed 9 days ago"),
        (RequestState.RECEIVED, date(2026, 3, 20), "replacement received"),
        (RequestState.REGRADED, date(2026, 3, 20), "replacement scored"),
    ],
)
def test_days_are_counted_only_while_the_site_has_to_act(state: RequestState, today: date, words: str) -> None:
    request = OpenRequest(1, state, "The eye moved.", "Take it again.", DUE_ON, 1, None)
    assert request_words(request, today) == f"**A new scan is asked for** · {words}"
