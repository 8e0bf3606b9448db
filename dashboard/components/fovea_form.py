"""The form that moves a volume's fovea to where the cross was put, or lets the program's own finding count again."""

from functools import partial

import streamlit as st
from sqlalchemy.orm import Session

from core.measures.fovea import Fovea
from core.store.access import Actor
from core.usecases.look_at_volume import VolumeLook, VolumeSource
from core.usecases.mark_fovea import mark_fovea
from dashboard.administration.steps import fresh_key, perform, popping_up

Place = tuple[float, float]


def draw_fovea_form(look: VolumeLook, picked: Place | None, *, source: VolumeSource) -> None:
    """Nothing until a place is picked or a mark stands. ``picked`` is in mm, right of and below the fundus's corner."""
    kept = f"volume.picked.{look.files.scan_id}"
    if picked is not None:
        st.session_state[kept] = picked
    place: Place | None = st.session_state.get(kept)
    if place is not None:
        _draw_mark(look.files.scan_id, place, kept, source)
    elif isinstance(look.fovea, Fovea) and look.fovea.is_manual:
        _draw_taking_back(look.files.scan_id, source)


def _draw_mark(scan_id: int, place: Place, kept: str, source: VolumeSource) -> None:
    with st.container(border=True):
        st.markdown(f"**Move the fovea** to {place[0]:.2f} mm right, {place[1]:.2f} mm down")
        reason = st.text_input("Reason (required)", max_chars=1000, key=fresh_key("fovea.reason"))
        with st.container(horizontal=True):
            if st.button("Move the fovea", type="primary", key=fresh_key("fovea.save")):
                perform(partial(_move, scan_id=scan_id, place=place, reason=reason, source=source))
            if st.button("Leave it", key=fresh_key("fovea.leave")):
                st.session_state.pop(kept, None)
                st.rerun(scope="fragment")


def _draw_taking_back(scan_id: int, source: VolumeSource) -> None:
    with popping_up("Take the mark back", "fovea.back", icon="undo"):
        reason = st.text_area("Reason (required)", max_chars=1000, height=90, key=fresh_key("fovea.back.reason"))
        if st.button("Let the program find it", type="primary", key=fresh_key("fovea.back.save")):
            perform(partial(_move, scan_id=scan_id, place=None, reason=reason, source=source))


def _move(
    session: Session, actor: Actor, *, scan_id: int, place: Place | None, reason: str, source: VolumeSource
) -> str:
    mark_fovea(session, actor=actor, scan_id=scan_id, place_mm=place, reason=reason, source=source)
    st.session_state.pop(f"volume.picked.{scan_id}", None)
    return "The fovea was moved; the sectors follow." if place else "The program's own finding counts again."
