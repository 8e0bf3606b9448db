"""A row of the worklist says whose move it is: what the site has answered asks nothing of it any more."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from core.store.worklist import ItemRequest, WorklistItem
from core.values import Reason
from core.vocabulary import Laterality, OperatorFixable, ReasonCode, RequestState, ScanState, Slab, Verdict
from dashboard.components.pager import counted
from dashboard.components.worklist_rows import worklist_rows

TODAY = date(2026, 3, 20)
ASKED = WorklistItem(
    scan_id=7,
    state=ScanState.REACQUISITION_REQUESTED,
    verdict=Verdict.REACQUIRE,
    laterality=Laterality.OD,
    slab=Slab.DEEP,
    scan_type="octa-enface 3x3",
    study_id=1,
    site_id=2,
    site_code="ELM",
    device_code="ELM-1",
    technician_code=None,
    subject_code="ELM-0001",
    visit_code="V1",
    acquired_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
    due_on=date(2026, 3, 11),
    grade_ordinal=0,
    is_abstained=False,
    request=ItemRequest(3, 2, RequestState.ACKNOWLEDGED, 4, "T04", 1),
    failure=None,
    reasons=(Reason(ReasonCode.MP_MOTION, OperatorFixable.YES, "The eye moved.", "Take it again."),),
    question=None,
)


def test_an_open_request_says_what_to_do_and_until_when() -> None:
    row = worklist_rows([ASKED], TODAY).text
    for words in ("The eye moved.", "Take it again.", "overdue by 9 days", "due bad", "Acknowledged"):
        assert words in row, words


def test_an_answered_request_asks_for_nothing_and_is_not_overdue() -> None:
    for state, chip in ((RequestState.RECEIVED, "Replacement received"), (RequestState.REGRADED, "Replacement scored")):
        row = worklist_rows([replace(ASKED, request=ItemRequest(3, 2, state, 4, "T04", 1))], TODAY).text
        assert chip in row
        assert "replacement sent" in row
        for words in ("Take it again.", "overdue", "due bad", "Take again", "can be cured"):
            assert words not in row, words


def test_the_row_names_owner_round_and_what_is_new() -> None:
    row = worklist_rows([replace(ASKED, request=ItemRequest(3, 2, RequestState.REQUESTED, 4, "T04", 2))], TODAY).text
    assert "Owner T04" in row
    assert "Round 2" in row
    nobody = ItemRequest(3, 2, RequestState.REQUESTED, None, None, 1)
    row = worklist_rows([replace(ASKED, request=nobody, n_new_messages=1)], TODAY).text
    assert "No owner yet" in row
    assert "1 new message" in row
    assert "Round" not in row


def test_the_days_left_are_told_without_colour() -> None:
    signs = {3: "◆", 0: "◆", 20: "○", -1: "▲"}
    for days, sign in signs.items():
        assert sign in worklist_rows([replace(ASKED, due_on=TODAY + timedelta(days=days))], TODAY).text, days
    assert "no visit window" in worklist_rows([replace(ASKED, due_on=None)], TODAY).text


def test_one_scan_is_not_counted_as_scans() -> None:
    assert [counted(n, "scans") for n in (0, 1, 24)] == ["0 scans", "1 scan", "24 scans"]
