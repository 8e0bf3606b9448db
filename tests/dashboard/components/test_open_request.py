"""What the Scan page says of a request: a day to keep as long as the site has to act, and words as they were typed."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from core.store.tracker import TrackedRequest
from core.vocabulary import Laterality, ReasonCode, RequestState, Slab
from dashboard.components.open_request import open_request

DUE_ON = date(2026, 3, 11)
REQUEST = TrackedRequest(
    id=1, version=1, state=RequestState.REQUESTED, study_id=1, site_id=2, study_code="ELM", site_code="S01",
    subject_code="S01-001", visit_code="V1", laterality=Laterality.OD, scan_type="octa-enface 3x3",
    slab=Slab.SUPERFICIAL, scan_id=7, acquisition_id=6, expected_scan_id=5, reason=ReasonCode.MP_MOTION, text="The eye moved.",
    remedy="Take it again.", due_on=DUE_ON, owner_id=4, owner="T04", round_number=2, n_rounds=2,
    created_at=datetime(2026, 3, 2, tzinfo=UTC), received_at=None, closed_at=None, replacement_scan_id=None,
    is_link_found=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("state", "today", "words"),
    [
        (RequestState.ACKNOWLEDGED, date(2026, 3, 4), "◆"),
        (RequestState.SCHEDULED, date(2026, 3, 20), "overdue by 9 days"),
        (RequestState.REQUESTED, date(2026, 2, 1), "○"),
    ],
)
def test_days_are_counted_while_the_site_has_to_act(state: RequestState, today: date, words: str) -> None:
    markup = open_request(replace(REQUEST, state=state), today).text
    assert words in markup
    assert "until 11 Mar 2026" in markup


@pytest.mark.parametrize("state", [RequestState.RECEIVED, RequestState.REGRADED])
def test_no_days_are_counted_once_the_site_has_answered(state: RequestState) -> None:
    markup = open_request(replace(REQUEST, state=state), date(2026, 3, 20)).text
    assert "overdue" not in markup
    assert "until" not in markup


def test_what_was_typed_is_shown_as_it_was_typed() -> None:
    markup = open_request(replace(REQUEST, text="<b>bold</b> [a](http://x)", remedy=""), date(2026, 3, 4)).text
    assert "&lt;b&gt;bold&lt;/b&gt; [a](http://x)" in markup
    assert "What to do" not in markup
    assert "Round 2" in markup
    assert "Owner T04" in markup
