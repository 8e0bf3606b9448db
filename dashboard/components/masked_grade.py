"""The scan page of a grader who has not graded the scan yet: the image alone, and the form for the own grade."""

import streamlit as st

from core.errors import OctauditError
from core.store.masked_grade import ScanToGrade
from core.wording import SLAB_NAMES, grade_names
from dashboard import decisions, outcome
from dashboard.components.markup import tag
from dashboard.components.panel import panel
from dashboard.components.volume_viewer.show import show_bscans
from dashboard.installation import installation
from dashboard.volume_shelf import shelf_over


def draw_masked_grade(scan: ScanToGrade) -> None:
    """Draw the image and the form; what the model and other people said does not reach this page."""
    st.title(f"Scan {scan.scan_id}")
    outcome.draw_outcome()
    image, form = st.columns([8, 5], gap="medium")
    with image:
        if scan.volume_sha256 is None:
            _draw_image(scan)
        else:
            _draw_volume(scan, scan.volume_sha256)
    with form:
        names = grade_names(scan.kind)
        st.subheader("Your grade")
        st.caption("The model's grade and everybody else's stay hidden from you until you have given yours.")
        st.radio(
            "Grade",
            list(names),
            index=None,
            key="masked.grade",
            format_func=names.__getitem__,
            label_visibility="collapsed",
        )
        st.text_area("Remark (optional)", key="masked.reason", max_chars=1000, height=90)
        st.button("Save my grade", type="primary", on_click=decisions.grade, args=(scan.scan_id,))
        st.caption("It is given once and decides nothing about the scan.")


def _draw_image(scan: ScanToGrade) -> None:
    picture = tag(
        "img",
        src=f"/scans/{scan.scan_id}/image.png",
        alt="The scan",
        width=scan.width_px,
        height=scan.height_px,
        style="width:100%;height:auto;border-radius:8px",
    )
    panel(picture, key="masked-image")
    st.caption(f"{SLAB_NAMES[scan.slab]}, {scan.width_px} × {scan.height_px} px")


def _draw_volume(scan: ScanToGrade, volume_sha256: str) -> None:
    """Every B-scan; the slider, its buttons and the arrow keys leaf through them."""
    try:
        volume = shelf_over(installation().blobs).volume(volume_sha256)
    except OctauditError as error:
        st.error(str(error), icon=":material/error:")
        return
    show_bscans(scan.scan_id, volume)
    st.caption("Look through all B-scans before you grade: the grade is of the whole volume.")
