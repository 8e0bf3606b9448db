"""Check of accepted scans: the next one that was drawn, the own grade for it, and what else waits."""

from dataclasses import dataclass

import streamlit as st
from sqlalchemy.orm import Session

from core.store.accepted_check import OpenCheck, OpenChecks, read_model_grade, read_open_checks
from core.store.scan_filter import ScanFilter
from core.vocabulary import CheckCause
from core.wording import EYE_NAMES, GRADE_NAMES, percent, scan_words
from dashboard.components.markup import Html, chip, page_link, tag
from dashboard.components.pager import counted
from dashboard.components.panel import empty_state, panel
from dashboard.grading import steps
from dashboard.grading.keys import draw_grade_keys, draw_picture, draw_save

PAGE_SIZE = 25
CAUSE_WORDS = {
    CheckCause.SAMPLE: ("Drawn by the protocol", "info"),
    CheckCause.CONSENSUS: ("Graders found it ungradable", "warn"),
}


@dataclass(frozen=True, slots=True)
class CheckList:
    """What waits, and what the model said of the first, where the reviewer may know."""

    found: OpenChecks
    model: tuple[int, float] | None


def read_check_list(session: Session, chosen: ScanFilter, asked: int | None) -> CheckList:
    """The open checks, with the one asked for by id in front."""
    found = read_open_checks(session, chosen, page=0, page_size=PAGE_SIZE)
    items = tuple(sorted(found.items, key=lambda item: item.id != asked))
    model = read_model_grade(session, items[0].scan_id) if items else None
    return CheckList(OpenChecks(items, found.total), model)


def draw_checks(checks: CheckList) -> None:
    """The next accepted scan to check, with the rest below it."""
    if not checks.found.items:
        empty_state(
            "Nothing to check",
            "No accepted scan was drawn for a check in this selection. The protocol's grading plan says how many are.",
            key="check-empty",
        )
        return
    item, *others = checks.found.items
    subject = f"check-{item.id}"
    st.caption(
        f"{counted(checks.found.total, 'scans')} that the model accepted wait for a person. Your grade decides: "
        "gradable confirms the acceptance, ungradable takes it back."
    )
    image, form = st.columns([8, 5], gap="medium")
    with image:
        draw_picture(item.scan_id, others[0].scan_id if others else None, key="check-picture", caption=_where(item))
    with form:
        words, tone = CAUSE_WORDS[item.cause]
        panel(chip(words, tone), key="check-cause")
        if checks.model is None:
            st.caption("Calibration mode: the model's grade is shown once you have given yours.")
        else:
            ordinal, probability = checks.model
            st.caption(f"The model: {GRADE_NAMES[ordinal]}, probability {percent(probability)}.")
        draw_grade_keys(subject)
        draw_save(subject, "Save and next", steps.answer_check, (subject, item))
        st.text_area("Reason (required for ungradable)", key=steps.remark_key(subject), max_chars=1000, height=90)
    if others:
        st.subheader("Next")
        panel(_table(others), key="check-rest")


def _where(item: OpenCheck) -> str:
    return (
        f"{item.site_code} · {item.subject_code} · {EYE_NAMES[item.laterality]} · "
        f"{scan_words(item.scan_type, item.slab)} · {item.device_code}"
    )


def _table(items: list[OpenCheck]) -> Html:
    heads = [tag("th", words, scope="col") for words in ("Scan", "Where", "Why", "Drawn")]
    rows = [
        tag(
            "tr",
            tag("th", page_link(f"Scan {item.scan_id}", "grading", {"view": "checks", "check": item.id}), scope="row"),
            tag("td", _where(item)),
            tag("td", chip(*CAUSE_WORDS[item.cause])),
            tag("td", f"{item.drawn_at:%d %b %Y}"),
        )
        for item in items
    ]
    return tag(
        "div", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)), class_="scroll", tabindex="0",
        role="region", aria_label="Accepted scans to check",
    )  # fmt: skip
