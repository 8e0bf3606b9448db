"""Examples: image, artifact masks and Grad-CAM side by side, per grade and reason. Load, choose, draw."""

import streamlit as st

from core.clock import now
from core.store.example import read_examples
from core.vocabulary import ReasonCode
from core.wording import GRADE_NAMES, REASON_NAMES
from dashboard.components.gallery import gallery
from dashboard.components.pager import draw_pager, page_number
from dashboard.components.panel import empty_state, panel
from dashboard.filters import Field, draw_filters
from dashboard.session import open_session

PAGE_SIZE = 12
FIELDS = (
    Field.STUDY, Field.SITE, Field.DEVICE, Field.TECHNICIAN, Field.MODEL, Field.SOFTWARE, Field.TYPE, Field.SLAB,
    Field.EYE, Field.PERIOD, Field.DAYS,
)  # fmt: skip
MACHINE_REASONS = (
    ReasonCode.MP_MOTION,
    ReasonCode.MP_SIGNAL,
    ReasonCode.MP_OBVIOUS,
    ReasonCode.MP_CENTRATION,
    ReasonCode.NO_CENTRATION,
    ReasonCode.UNGRADABLE,
    ReasonCode.ABSTAINED,
    ReasonCode.SLAB_DISAGREEMENT,
    ReasonCode.CAM_DISAGREEMENT,
    ReasonCode.NOT_OCTA,
    ReasonCode.PROTOCOL,
    ReasonCode.UNCERTIFIED,
)
"""Reasons that the program itself gives; the others are set by people only."""


def main() -> None:
    """Draw the page."""
    st.title("Examples")
    with open_session() as session:
        chosen = draw_filters(session, FIELDS, today=now().date())
        ordinal, reason = _draw_choice()
        number = page_number()
        found = read_examples(session, chosen, ordinal=ordinal, reason=reason, page=number, page_size=PAGE_SIZE)
    if not found.items:
        empty_state(
            "No such scan",
            "No scored scan in this selection has that grade and reason. Choose another grade or clear the filters.",
            key="empty",
        )
        return
    panel(gallery(found.items), key="gallery")
    total = None if found.has_more else number * PAGE_SIZE + len(found.items)
    draw_pager(number, PAGE_SIZE, shown=len(found.items), total=total, noun="scans")
    st.caption(
        "Grad-CAM shows where the model looked, in the viridis colour map from violet (little) to yellow (much). "
        "It is no measurement."
    )


def _draw_choice() -> tuple[int | None, ReasonCode | None]:
    asked_grade, asked_reason = st.query_params.get("grade", ""), st.query_params.get("reason", "")
    st.session_state["examples.grade"] = asked_grade if asked_grade in map(str, GRADE_NAMES) else ""
    st.session_state["examples.reason"] = asked_reason if asked_reason in MACHINE_REASONS else ""
    with st.container(horizontal=True, vertical_alignment="top"):
        st.segmented_control(
            "Grade",
            ["", *map(str, GRADE_NAMES)],
            key="examples.grade",
            format_func=lambda value: GRADE_NAMES[int(value)] if value else "All",
            required=True,
            on_change=_choose,
            args=("grade",),
        )
        st.selectbox(
            "Reason",
            ["", *MACHINE_REASONS],
            key="examples.reason",
            format_func=lambda code: REASON_NAMES[code] if code else "Any or none",
            on_change=_choose,
            args=("reason",),
            width=280,
        )
    grade, reason = st.session_state["examples.grade"], st.session_state["examples.reason"]
    return int(grade) if grade else None, ReasonCode(reason) if reason else None


def _choose(name: str) -> None:
    st.query_params.pop("page", None)
    if value := st.session_state[f"examples.{name}"]:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


main()
