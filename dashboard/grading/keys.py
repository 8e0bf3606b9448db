"""Grading by keys: a digit chooses, S saves and goes on. What is chosen belongs to one scan alone."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.usecases.review_scan import GRADED_KIND
from core.vocabulary import SCALE_OF_KIND, GradeScale, ScanKind
from core.wording import GRADE_NAMES, grade_names
from dashboard.components.markup import Content, Html, tag
from dashboard.components.panel import panel

_CHOICE = "grading.choice"
CRITERIA = {
    GradeScale.COIPS_3: {
        0: "Macula off-centre or blurred, vessels blurred: not enough to judge anything.",
        1: "Moderate blur or stripe noise; macula clear, vessels moderately blurred.",
        2: "Fully visible, at most slight stripe noise; macula clear, vessels clear or slightly blurred.",
    },
    GradeScale.ONH_4: {
        0: "Unusable.",
        1: "The disc can be found; large parts are dark, shifted or lost.",
        2: "Disc and most vessels can be read; some signal is lost or one break is seen.",
        3: "No quality concern.",
    },
    GradeScale.STRUCTURAL_2: {
        0: "A criterion of OSCAR-IB fails: cut off, blinked, weak or uneven signal, wrong place.",
        1: "No criterion of OSCAR-IB fails.",
    },
}
"""COIPS, Table 2; the ends of the ONH scale as the poster has them, what lies between is ours; OSCAR-IB: Tewarie et al.
2012, doi:10.1371/journal.pone.0034823."""
KEYS_CAPTION = "Keys: the digits choose the grade, G saves it."
NEXT_CAPTION = "Keys: the digits choose the grade, S saves it and opens the next scan."


def chosen_grade(subject: str) -> int | None:
    """What is chosen for this subject (``assignment-7``) and not saved yet."""
    chosen: tuple[str, int] | None = st.session_state.get(_CHOICE)
    return chosen[1] if chosen is not None and chosen[0] == subject else None


def forget_choice() -> None:
    """Once a grade is saved."""
    st.session_state.pop(_CHOICE, None)


def draw_grade_keys(subject: str, kind: ScanKind = GRADED_KIND) -> None:
    """Draw a button per grade with its key and its criteria."""
    chosen = chosen_grade(subject)
    for ordinal, name in grade_names(kind).items():
        st.button(
            name,
            key=f"grading.{subject}.{ordinal}",
            type="primary" if chosen == ordinal else "secondary",
            icon=":material/radio_button_checked:" if chosen == ordinal else ":material/radio_button_unchecked:",
            shortcut=str(ordinal),
            on_click=_choose,
            args=(subject, ordinal),
            width="stretch",
        )
        st.caption(CRITERIA[SCALE_OF_KIND[kind]][ordinal])


def draw_save(
    subject: str, label: str, on_click: Callable[..., Any], args: tuple[Any, ...], *, onward: bool = True
) -> None:
    """The button that saves, once a grade is chosen; ``onward``: the next scan follows.

    On the Scan page, where no other scan follows, S belongs to the viewer.
    """
    st.button(
        label,
        key=f"grading.{subject}.save",
        type="primary",
        icon=":material/keyboard_return:",
        shortcut="s" if onward else "g",
        on_click=on_click,
        args=args,
        disabled=chosen_grade(subject) is None,
        width="stretch",
    )
    st.caption(NEXT_CAPTION if onward else KEYS_CAPTION)


def draw_picture(scan_id: int, next_scan_id: int | None, *, key: str, caption: str) -> None:
    """The scan's pixels, and the next one's fetched already, so that it is there at once."""
    picture = tag(
        "img", src=f"/scans/{scan_id}/image.png", alt="The scan to grade",
        style="width:100%;max-height:74vh;object-fit:contain;border-radius:8px;background:#000",
    )  # fmt: skip
    ahead: Content = (
        tag("img", src=f"/scans/{next_scan_id}/image.png", alt="", style="display:none")
        if next_scan_id is not None
        else None
    )
    panel(tag("div", picture, ahead), key=key)
    st.caption(caption)


def grade_table(rows: list[tuple[str, int]]) -> Html:
    """Whose grade is which."""
    body = [
        tag("tr", tag("th", who, scope="row"), tag("td", GRADE_NAMES[ordinal])) for who, ordinal in rows
    ]  # fmt: skip
    return tag("div", tag("table", tag("tbody", *body)), class_="scroll", aria_label="The graders' grades")


def _choose(subject: str, ordinal: int) -> None:
    st.session_state[_CHOICE] = (subject, ordinal)
