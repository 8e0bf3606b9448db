"""Forms of the Admin page that correct what was set up, or take it out of use: study, site, device, technician."""

from collections.abc import Mapping, Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Account, Actor
from core.store.administration import DeviceRow, SiteRow, StudyRow, TechnicianRow
from core.store.place import Place
from core.usecases.change_place import activate, change_place, deactivate
from dashboard.administration.steps import changing, perform

_REASON = "optional; kept in the audit trail"
_LATER = {
    Place.SITE: "It takes no new scans; those it has sent stay.",
    Place.DEVICE: "New scans cannot name it; those it took stay.",
    Place.TECHNICIAN: "New scans cannot name this code; those already taken stay.",
}

Values = Mapping[str, str | int | None]


def draw_study_change(studies: Sequence[StudyRow]) -> None:
    """Rename a study."""
    with changing("Rename a study", "study-change", studies, lambda each: each.code) as study:
        name = st.text_input("Name", study.name)
        reason = st.text_input("Reason", placeholder=_REASON)
        if st.form_submit_button("Save", type="primary"):
            _save(Place.STUDY, study.id, {"name": name}, reason)


def draw_site_change(sites: Sequence[SiteRow]) -> None:
    """Rename a site, move it to another country, or take it out of use."""
    with changing("Change a site", "site-change", sites, lambda each: f"{each.code} · {each.name}") as site:
        left, right = st.columns(2)
        values = {"name": left.text_input("Name", site.name), "country": right.text_input("Country", site.country)}
        _draw_buttons(Place.SITE, site.id, values, is_active=site.is_active)


def draw_device_change(devices: Sequence[DeviceRow]) -> None:
    """Correct a device's maker, model or serial number, or take it out of use."""
    with changing(
        "Change a device", "device-change", devices, lambda each: f"{each.code} · {each.manufacturer} {each.model}"
    ) as device:
        left, right = st.columns(2)
        values = {
            "manufacturer": left.text_input("Manufacturer", device.manufacturer),
            "model": right.text_input("Model", device.model),
            "serial": left.text_input("Serial number", device.serial),
        }
        st.caption(
            "For corrections. Scans already judged keep their verdict. A new software version is noted above; another "
            "machine is another device."
        )
        _draw_buttons(Place.DEVICE, device.id, values, is_active=device.is_active)


def draw_technician_change(technicians: Sequence[TechnicianRow], accounts: Sequence[Account]) -> None:
    """Correct a technician's name or login, or take the code out of use."""
    logins = {account.user_id: account.name for account in accounts}
    with changing(
        "Change a technician", "technician-change", technicians, lambda each: f"{each.site_code} · {each.code}"
    ) as technician:
        left, right = st.columns(2)
        name = left.text_input("Name", technician.name)
        # A login that this administrator may not see stays as it is.
        choices = list(dict.fromkeys([technician.user_id, None, *logins]))
        user_id = right.selectbox(
            "Login", choices, format_func=lambda each: logins.get(each, "another login") if each else "none"
        )
        values = {"name": name, "user_id": user_id}
        _draw_buttons(Place.TECHNICIAN, technician.id, values, is_active=technician.is_active)


def _draw_buttons(place: Place, row_id: int, values: Values, *, is_active: bool) -> None:
    """Save, and the switch between in use and not."""
    reason = st.text_input("Reason", placeholder=_REASON)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.form_submit_button("Save", type="primary"):
            _save(place, row_id, values, reason)
        word, verb = ("Deactivate", deactivate) if is_active else ("Activate again", activate)
        if st.form_submit_button(word, help=_LATER[place] if is_active else None):
            done = "is deactivated" if is_active else "is in use again"
            perform(lambda session, actor: _said(
                verb(session, actor=actor, place=place, row_id=row_id, reason=reason).code, done
            ))  # fmt: skip


def _save(place: Place, row_id: int, values: Values, reason: str) -> None:
    def step(session: Session, actor: Actor) -> str:
        row = change_place(session, actor=actor, place=place, row_id=row_id, values=values, reason=reason)
        return _said(row.code, "is changed")

    perform(step)


def _said(code: str, done: str) -> str:
    return f"{code} {done}."
