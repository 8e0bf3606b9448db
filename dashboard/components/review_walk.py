"""The way through a list of scans: the place of the open one, the bar above it, and where a decision leads."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from core.store.list_place import ListPlace
from core.store.worklist import WorklistTab
from core.usecases.undo_review import Undoable
from core.vocabulary import ReviewDecision
from dashboard import decisions
from dashboard.components.panel import go_to
from dashboard.components.review_bar.show import BarEvent, BarState, WalkState, show_bar
from dashboard.scan_list import ScanList, list_in

LIST_NAMES = {
    WorklistTab.TO_DECIDE: "to decide",
    WorklistTab.REACQUIRE: "to be taken again",
    WorklistTab.QUERIED: "questions to the site",
    WorklistTab.WAITING: "waiting for a score",
    WorklistTab.STUCK: "could not be scored",
    WorklistTab.RESULT: "waiting for a result",
}
_ROUND = "octaudit.bar.round"
UNDO_WORDS = {
    ReviewDecision.ACCEPT: "acceptance",
    ReviewDecision.OVERRIDE: "override",
    ReviewDecision.REQUEST_REACQUISITION: "request",
    ReviewDecision.QUERY: "question",
}


@dataclass(frozen=True, slots=True)
class Walk:
    """A list and the open scan's place in it. ``is_followed``: the person came from it, so a decision leads on."""

    within: ScanList
    place: ListPlace
    is_followed: bool

    @property
    def onward(self) -> str | None:
        """Where a decision leads: the next scan, at the end the first one that is left, then the list itself."""
        if not self.is_followed:
            return None
        place = self.place
        following = place.next_id if place.next_id is not None else place.first_id
        is_last = place.next_id is None and place.previous_id is None
        return self.within.address if following is None or is_last else self.within.scan_address(following)


def list_of(query: Mapping[str, str]) -> tuple[ScanList, bool]:
    """The list that an address names and True; else everything that waits for a decision and False."""
    named = list_in(query)
    return (named, True) if named is not None else (ScanList(WorklistTab.TO_DECIDE, {}), False)


def draw_walk(walk: Walk, undoable: Undoable | None, *, scan_id: int) -> None:
    """Draw the bar and do what is asked for in it."""
    event = show_bar(_bar_state(walk, undoable, scan_id), key="bar")
    if event is not None:
        _follow(event, walk, undoable)


def _bar_state(walk: Walk, undoable: Undoable | None, scan_id: int) -> BarState:
    place, within = walk.place, walk.within
    shown = WalkState(
        name=LIST_NAMES[within.tab],
        number=place.number,
        total=place.total,
        previous=within.scan_address(place.previous_id) if place.previous_id is not None else None,
        next=within.scan_address(place.next_id) if place.next_id is not None else None,
        back=within.address,
    )
    undo = None if undoable is None else (undoable.review_id, UNDO_WORDS[undoable.decision])
    return BarState(scan_id, shown, undo, round=st.session_state.get(_ROUND, 0))


def _follow(event: BarEvent, walk: Walk, undoable: Undoable | None) -> None:
    if event.go is not None:
        go_to(event.go)
    elif event.undo is not None:
        if decisions.undo(event.undo) and undoable is not None and undoable.review_id == event.undo:
            go_to(walk.within.scan_address(undoable.scan_id))
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
        st.rerun()
