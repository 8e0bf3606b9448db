"""A grader's own list: the next scan, nothing but its pixels, and the keys to grade it."""

from dataclasses import dataclass
from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from core.store.own_grading import OwnProgress, OwnWork, read_own_progress, read_own_work
from core.wording import count
from dashboard.components.markup import Html, chip, join, tag
from dashboard.components.panel import empty_state, panel
from dashboard.grading import steps
from dashboard.grading.keys import draw_grade_keys, draw_picture, draw_save


@dataclass(frozen=True, slots=True)
class OwnList:
    """How far the grader is, and the next two scans."""

    progress: OwnProgress
    works: tuple[OwnWork, ...]


def read_own_list(session: Session, today: date) -> OwnList:
    """What the page shows."""
    return OwnList(read_own_progress(session, today=today), read_own_work(session, limit=2))


def draw_own_list(own: OwnList, today: date) -> None:
    """The next scan to grade; no number tells which one it is, so that a repeat is not recognised."""
    panel(_progress(own.progress), key="own-progress")
    if not own.works:
        empty_state(
            "Nothing to grade",
            "Every scan that was drawn for you has its grade. New ones appear here by themselves.",
            key="own-empty",
        )
        return
    work, following = own.works[0], own.works[1] if len(own.works) > 1 else None
    subject = f"own-{work.assignment_id}"
    image, form = st.columns([8, 5], gap="medium")
    with image:
        draw_picture(
            work.scan_id, following.scan_id if following else None, key="own-picture",
            caption="The model's grade and everybody else's stay hidden from you.",
        )  # fmt: skip
    with form:
        panel(_due(work.due_on, today), key="own-due")
        draw_grade_keys(subject)
        draw_save(subject, "Save and next", steps.save_own, (subject, work.assignment_id))
        st.text_area("Remark (optional)", key=steps.remark_key(subject), max_chars=1000, height=90)


def _progress(progress: OwnProgress) -> Html:
    n_all = progress.n_open + progress.n_done
    late = chip(f"{count(progress.n_overdue)} overdue", "bad") if progress.n_overdue else None
    words = f"{count(progress.n_open)} to grade, {count(progress.n_done)} of {count(n_all)} graded"
    return tag("p", join([words, late], " "), class_="verdict", role="status")


def _due(due_on: date, today: date) -> Html:
    days = (due_on - today).days
    words = f"Due {due_on:%d %b %Y}"
    tone = "bad" if days < 0 else "warn" if days <= 1 else "calm"
    return chip(f"{words}, overdue" if days < 0 else words, tone)
