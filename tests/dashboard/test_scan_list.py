"""The list that a person came from stands in the address, and nothing that it does not know does."""

from core.store.list_place import ListPlace
from core.store.worklist import WorklistTab
from dashboard.components.review_walk import Walk, list_of
from dashboard.scan_list import ScanList, list_in


def test_a_list_is_read_back_from_the_address_that_it_gave() -> None:
    within = ScanList(WorklistTab.TO_DECIDE, {"site": "3", "type": "octa-enface 3x3"})
    assert within.scan_address(7) == "/scan?id=7&list=to-decide&site=3&type=octa-enface+3x3"
    assert within.address == "/worklist?tab=to-decide&site=3&type=octa-enface+3x3"
    assert list_in({"id": "7", **within.query, "colour": "red"}) == within


def test_an_address_without_a_list_is_followed_nowhere() -> None:
    assert list_in({"id": "7", "list": "nonsense"}) is None
    within, is_followed = list_of({"id": "7"})
    assert (within.tab, is_followed) == (WorklistTab.TO_DECIDE, False)
    assert Walk(within, ListPlace(1, 2, None, 9, 7), is_followed).onward is None


def test_a_decision_leads_to_the_next_scan_then_to_what_is_left_and_at_last_to_the_list() -> None:
    within = ScanList(WorklistTab.TO_DECIDE, {})
    for place, onward in (
        (ListPlace(1, 3, None, 8, 7), within.scan_address(8)),
        (ListPlace(3, 3, 8, None, 7), within.scan_address(7)),
        (ListPlace(1, 1, None, None, 7), within.address),
        (ListPlace(None, 2, None, 8, 8), within.scan_address(8)),
        (ListPlace(None, 0, None, None, None), within.address),
    ):
        assert Walk(within, place, is_followed=True).onward == onward
