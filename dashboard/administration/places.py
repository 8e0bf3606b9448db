"""Studies, sites, devices and technicians on the Admin page: a list of each and a form to add one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Account, Actor
from core.store.administration import DeviceRow, SiteRow, StudyRow, TechnicianRow
from core.usecases.administer_study import (
    add_device,
    add_site,
    add_study,
    add_technician,
    record_software_update,
)
from dashboard.administration.changes import (
    draw_device_change,
    draw_site_change,
    draw_technician_change,
)
from dashboard.administration.steps import adding, perform
from dashboard.components.markup import Content, Html, chip, tag
from dashboard.components.panel import empty_state, panel

CODE_HELP = "Up to 32 letters, digits, dots, dashes and underscores. It cannot be changed later: manifests name it."


@dataclass(frozen=True, slots=True)
class _TechnicianLine:
    site_code: str
    code: str
    name: str
    login: str
    is_active: bool


def draw_list(rows: Sequence[Any], columns: dict[str, str], *, key: str, nothing: tuple[str, str]) -> None:
    """The given columns (field to heading) of frozen rows; ``nothing`` is heading and advice where there are none."""
    if rows:
        panel(list_table(rows, columns), key=key)
    else:
        empty_state(*nothing, key=f"{key}-empty")


def list_table(rows: Sequence[Any], columns: dict[str, str]) -> Html:
    """A plain table; numbers stand to the right."""
    is_number = {field: type(getattr(rows[0], field)) is int for field in columns}
    head = [
        tag("th", heading, scope="col", class_="num" if is_number[field] else None)
        for field, heading in columns.items()
    ]
    body = [
        tag(
            "tr",
            *(tag("td", _cell(getattr(row, field)), class_="num" if is_number[field] else None) for field in columns),
        )
        for row in rows
    ]
    return tag("div", tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body)), class_="scroll", tabindex="0")


def _cell(value: Any) -> Content:
    """A cell's content; a truth value says whether something is in use."""
    if isinstance(value, bool):
        return "in use" if value else chip("deactivated", "warn")
    return value if value != "" else "–"


def draw_study_form() -> None:
    """Add a study; its first protocol version is the default one."""
    with adding("Add a study", "study"):
        code = st.text_input("Code", help=CODE_HELP, max_chars=32)
        name = st.text_input("Name")
        if st.form_submit_button("Add study", type="primary"):
            perform(lambda session, actor: _add_study(session, actor, code, name))


def _add_study(session: Session, actor: Actor, code: str, name: str) -> str:
    add_study(session, actor=actor, code=code.strip(), name=name.strip())
    return f"Study {code} is there, with the default protocol. Add its sites next."


def draw_sites(study: StudyRow, sites: Sequence[SiteRow]) -> None:
    """A study's sites."""
    columns = {"code": "Code", "name": "Name", "country": "Country", "is_active": "State"}
    draw_list(sites, columns, key="sites", nothing=("No sites yet", "Add the first one below."))
    with adding("Add a site", "site"):
        code = st.text_input("Code", help=CODE_HELP, max_chars=32, placeholder="S1")
        name = st.text_input("Name", placeholder="University Eye Clinic")
        country = st.text_input("Country", placeholder="optional")
        if st.form_submit_button("Add site", type="primary"):
            perform(lambda session, actor: _add_site(session, actor, study, code, name, country))
    if sites:
        draw_site_change(sites)


def _add_site(session: Session, actor: Actor, study: StudyRow, code: str, name: str, country: str) -> str:  # noqa: PLR0917 - one form
    add_site(session, actor=actor, study_id=study.id, code=code.strip(), name=name.strip(), country=country.strip())
    return f"Site {code} is there. Add its devices and technicians next."


def draw_devices(sites: Sequence[SiteRow], devices: Sequence[DeviceRow]) -> None:
    """The devices of a study's sites, a form for one more and one for a software update."""
    columns = {
        "site_code": "Site", "code": "Code", "manufacturer": "Manufacturer", "model": "Model",
        "serial": "Serial number", "software_version": "Software", "is_active": "State",
    }  # fmt: skip
    draw_list(devices, columns, key="devices", nothing=("No devices yet", "A scan names the device that took it."))
    if not sites:
        return
    with adding("Add a device", "device"):
        site = _site_choice(sites)
        code = st.text_input("Code", help=CODE_HELP, max_chars=32, placeholder=f"{sites[0].code}-A")
        left, right = st.columns(2)
        maker, model = left.text_input("Manufacturer"), right.text_input("Model")
        serial, software = left.text_input("Serial number"), right.text_input("Software version")
        if st.form_submit_button("Add device", type="primary"):
            values = {
                "code": code,
                "manufacturer": maker,
                "model": model,
                "serial": serial,
                "software_version": software,
            }
            perform(lambda session, actor: _add_device(session, actor, site, values))
    if devices:
        _draw_software_form(devices)
        draw_device_change(devices)


def _add_device(session: Session, actor: Actor, site: SiteRow, values: dict[str, str]) -> str:
    clean = {name: value.strip() for name, value in values.items()}
    add_device(session, actor=actor, site_id=site.id, **clean)
    return f"Device {clean['code']} is there."


def _draw_software_form(devices: Sequence[DeviceRow]) -> None:
    with adding("Note a software update", "software", icon="update"):
        device = st.selectbox(
            "Device", devices, format_func=lambda each: f"{each.code} · now {each.software_version or 'unknown'}"
        )
        version = st.text_input("New version", help="Trends show a mark at this moment.")
        if st.form_submit_button("Note update", type="primary"):
            perform(lambda session, actor: _note_update(session, actor, device, version))


def _note_update(session: Session, actor: Actor, device: DeviceRow, version: str) -> str:
    record_software_update(session, actor=actor, device_id=device.id, software_version=version.strip())
    return f"Device {device.code} runs {version} from now on."


def draw_technicians(
    sites: Sequence[SiteRow], technicians: Sequence[TechnicianRow], accounts: Sequence[Account]
) -> None:
    """The technicians of a study's sites."""
    logins = {account.user_id: account.name for account in accounts}
    lines = [
        _TechnicianLine(each.site_code, each.code, each.name, logins.get(each.user_id or 0, ""), each.is_active)
        for each in technicians
    ]
    columns = {"site_code": "Site", "code": "Code", "name": "Name", "login": "Login", "is_active": "State"}
    advice = "A scan names who took it, by a pseudonymous code."
    draw_list(lines, columns, key="technicians", nothing=("No technicians yet", advice))
    if not sites:
        return
    with adding("Add a technician", "technician"):
        site = _site_choice(sites)
        code = st.text_input("Code", help=CODE_HELP, max_chars=32, placeholder="T01")
        name = st.text_input("Name", placeholder="optional")
        user = st.selectbox(
            "Login", [None, *accounts], format_func=lambda each: each.name if each else "none",
            help="Where the person also logs in: nobody can review scans that they took.",
        )  # fmt: skip
        if st.form_submit_button("Add technician", type="primary"):
            user_id = user.user_id if user else None
            perform(lambda session, actor: _add_technician(session, actor, site, code, name, user_id))
    if technicians:
        draw_technician_change(technicians, accounts)


def _add_technician(  # noqa: PLR0917 - one form
    session: Session, actor: Actor, site: SiteRow, code: str, name: str, user_id: int | None
) -> str:
    add_technician(session, actor=actor, site_id=site.id, code=code.strip(), name=name.strip(), user_id=user_id)
    return f"Technician {code} is there."


def _site_choice(sites: Sequence[SiteRow]) -> SiteRow:
    chosen: SiteRow = st.selectbox("Site", sites, format_func=lambda site: f"{site.code} · {site.name}")
    return chosen
