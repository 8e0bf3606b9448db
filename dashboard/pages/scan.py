"""Scan: one image with what the model saw in it, and the decision about it. Load, choose, draw."""

import streamlit as st

from core.clock import now
from core.scoring.card import calibration_in
from core.store.access import Actor
from core.store.masked_grade import ScanToGrade, read_scan_to_grade
from core.store.scan_view import ScanView, read_scan
from core.usecases.look_at_scan import Surroundings, look_at_scan
from dashboard.components.capture_check import check_list
from dashboard.components.capture_choice import draw_captures
from dashboard.components.dicom_download import draw_dicom_download
from dashboard.components.exchange import draw_exchange
from dashboard.components.guarantee import accept_guarantee
from dashboard.components.lanes import LANE_PARTS, OWN_VIEWERS
from dashboard.components.masked_grade import draw_masked_grade
from dashboard.components.panel import empty_state, panel
from dashboard.components.review_box import ReviewContext, draw_claims, draw_review, may_review
from dashboard.components.review_walk import Walk, draw_walk, list_of
from dashboard.components.sample_walk import SAMPLED, draw_sample_walk, read_sample
from dashboard.components.scan_facts import facts, history, same_image, title
from dashboard.components.scan_grade import grade, is_stranger, reasons
from dashboard.components.viewer.show import show_viewer
from dashboard.filters import MAX_ID, SCAN_FIELDS, filter_in_url
from dashboard.grading.own_first import draw_difference, draw_own_first
from dashboard.outcome import draw_outcome
from dashboard.session import current_user, open_session


def main() -> None:
    """Draw the page."""
    actor, scan_id, today = current_user(), _asked_scan(), now().date()
    within, is_followed = list_of(st.query_params)
    chosen = filter_in_url(SCAN_FIELDS, today=today)
    with open_session() as session:
        view = read_scan(session, scan_id) if scan_id is not None else None
        if view is None:
            to_grade = read_scan_to_grade(session, scan_id) if scan_id is not None else None
        else:
            beside = look_at_scan(session, view, actor=actor, chosen=chosen, tab=within.tab, today=today)
    if view is None:
        _draw_without_view(to_grade)
        return
    walk, sample = Walk(within, beside.place, is_followed), read_sample(actor, view.scan_id)
    panel(title(view), key="title")
    if sample is not None:
        draw_sample_walk(sample, view.scan_id)
    elif may_review(view, actor) or is_followed or beside.undoable is not None:
        draw_walk(walk, beside.undoable, scan_id=view.scan_id)
    draw_outcome()
    _draw_scan(view, actor, beside, walk.onward, is_sampled=sample is not None)


def _draw_without_view(to_grade: ScanToGrade | None) -> None:
    """A scan that the person has yet to grade, or none at all."""
    if to_grade is not None:
        draw_masked_grade(to_grade)
        return
    st.title("Scan")
    empty_state(
        "No such scan",
        "There is no scan under this address, or it belongs to a site that your role does not cover. "
        "Choose one from the worklist or the examples.",
        key="empty",
    )


def _draw_scan(view: ScanView, actor: Actor, beside: Surroundings, onward: str | None, *, is_sampled: bool) -> None:
    image, verdict = st.columns([8, 5], gap="medium")
    with verdict:  # the form before the image: whoever sees a scan can decide it
        _draw_verdict(view, actor, beside, onward, is_sampled=is_sampled)
    with image:
        if view.kind not in OWN_VIEWERS:
            show_viewer(view, beside.previous, key=f"viewer-{view.acquisition_id}-{view.scan_id}")
        if view.kind in OWN_VIEWERS or not (view.is_model_hidden or is_stranger(view)):
            LANE_PARTS[view.kind](view)
        draw_captures(view.acquisition_id, actor, today=now().date())
    with verdict:
        draw_exchange(view, actor, today=now().date())
        _draw_guarantee(view)
        st.subheader("Check list")
        panel(check_list(view, beside.checks), key="checks")
        st.subheader("Capture")
        panel(facts(view), key="facts")
        draw_dicom_download(view, actor)
        st.subheader("History")
        panel(history(view), key="history")


def _draw_verdict(view: ScanView, actor: Actor, beside: Surroundings, onward: str | None, *, is_sampled: bool) -> None:
    if view.is_model_hidden:
        draw_own_first(view)
    else:
        draw_difference(view)
        panel(grade(view), key="grade")
        panel(reasons(view), key="reasons")
    if view.same_image:
        panel(same_image(view), key="same-image")
    if is_sampled:
        st.info(SAMPLED, icon=":material/casino:")
    elif may_review(view, actor) and not view.is_model_hidden:
        draw_claims(view, actor)
        draw_review(view, ReviewContext(beside.draft, onward))


def _draw_guarantee(view: ScanView) -> None:
    if view.assessment is None:
        return
    judged = view.assessment
    with st.expander("What the accept level promises"):
        promise = accept_guarantee(
            calibration_in(judged.card),
            judged.conformal_level,
            model=f"{judged.model_name} {judged.model_version}, protocol version {judged.protocol_number}",
            is_inherit=judged.is_inherit,
        )
        panel(promise, key="guarantee")


def _asked_scan() -> int | None:
    text = st.query_params.get("id", "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= MAX_ID else None


main()
