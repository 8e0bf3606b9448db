"""Shows the bar above a scan and says what was asked for in it. Knows words and the data's shape, writes nothing."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from pydantic import BaseModel, ConfigDict, ValidationError

from core.vocabulary import SampleMark

FOLDER = Path(__file__).resolve().parent
KEYS = (
    ("1 … 7", "a letter of the form: passed or failed"),
    ("a", "accept, and on to the next scan"),
    ("o", "override the grade, with the reason"),
    ("r", "ask for a new scan"),
    ("q", "ask the site"),
    ("u", "undo your last decision"),
    ("n p", "next and previous scan of the list"),
    ("w", "back to the list"),
    ("m f c s", "masks, FAZ outline, Grad-CAM, other slabs: on and off"),
    ("v", "the previous visit beside this one: on and off"),
    ("?", "these keys"),
)
"""The keys of the page in the order of a review."""
SAMPLE_KEYS = (("y x", "agree or disagree with the acceptance of a sampled scan"),)


@dataclass(frozen=True, slots=True)
class WalkState:
    """A place in a list. ``number`` None: the scan is in it no more. The rest are addresses."""

    name: str
    number: int | None
    total: int
    previous: str | None
    next: str | None
    back: str


@dataclass(frozen=True, slots=True)
class BarState:
    """What the bar shows."""

    scan_id: int
    walk: WalkState | None
    undo: tuple[int, str] | None
    """The review that can be undone and what it was, in words."""
    is_sample: bool = False
    """Whether the scan is one of a bulk acceptance's sample, which is agreed to or not."""
    mark: SampleMark | None = None
    round: int = 0
    """Another number says that what was asked for was refused: the keys work again at once."""


class BarEvent(BaseModel):
    """What was asked for: an address to go to, a review to undo, or a mark of the sample."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: int
    go: str | None = None
    undo: int | None = None
    mark: SampleMark | None = None


def show_bar(state: BarState, *, key: str) -> BarEvent | None:
    """Show the bar; return what was just asked for of this scan. What a browser sends that is no event is ignored."""
    walk = state.walk
    data = {
        "scan": state.scan_id,
        "round": state.round,
        "list": None
        if walk is None
        else {
            "name": walk.name,
            "number": walk.number,
            "total": walk.total,
            "previous": walk.previous,
            "next": walk.next,
            "back": walk.back,
        },
        "undo": None if state.undo is None else {"id": state.undo[0], "words": state.undo[1]},
        "sample": {"mark": state.mark} if state.is_sample else None,
        "keys": [*KEYS, *(SAMPLE_KEYS if state.is_sample else ())],
    }
    result = _component()(data=data, key=key, on_asked_change=_nothing)
    try:
        event = BarEvent.model_validate(result.asked) if result.asked else None
    except ValidationError:
        return None
    return event if event is not None and event.at == state.scan_id else None


def _nothing() -> None:
    """A trigger needs a callback to exist; the value is read from the result."""


@cache
def _component() -> Any:
    shared = (FOLDER.parent / "panel.css").read_text("utf-8")
    return st.components.v2.component(
        "octaudit.review_bar",
        html=(FOLDER / "bar.html").read_text("utf-8"),
        css=shared + (FOLDER / "bar.css").read_text("utf-8"),
        js=(FOLDER.parent / "keys.js").read_text("utf-8") + (FOLDER / "bar.js").read_text("utf-8"),
    )
