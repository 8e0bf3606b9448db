"""Admin: studies, their protocol, sites, devices and technicians, and who may do what. Load, choose, draw."""

from collections.abc import Sequence

import streamlit as st

from core.store import administration as store
from core.store.access import Actor, list_accounts, list_grants
from core.store.administration import StudyRow
from core.store.model_version import read_last_model
from core.vocabulary import Role
from dashboard.administration.changes import draw_study_change
from dashboard.administration.clients import draw_clients
from dashboard.administration.people import draw_grants, draw_users
from dashboard.administration.places import draw_devices, draw_list, draw_sites, draw_study_form, draw_technicians
from dashboard.administration.protocol import draw_protocol
from dashboard.administration.re_evaluation import draw_re_evaluation
from dashboard.administration.steps import draw_outcome
from dashboard.components.panel import empty_state
from dashboard.session import current_user, open_session

SECTIONS = {
    "Places": ("Studies", "Sites", "Devices", "Technicians"),
    "Protocol": ("Protocol", "Re-evaluation"),
    "People": ("Users", "Roles", "API clients"),
}
"""What belongs together; certificates have a page of their own, because managers keep them."""
PART_WORDS = {"Protocol": "Versions"}
STUDY_COLUMNS = {"code": "Code", "name": "Name", "n_sites": "Sites"}


def main() -> None:
    """Draw the page."""
    actor = current_user()
    st.title("Admin")
    if Role.ADMIN not in actor.roles:
        empty_state("For administrators", "Ask your reading centre's administrator for the role.", key="closed")
        return
    draw_outcome()
    is_global_admin = any(grant.role is Role.ADMIN and grant.study_id is None for grant in actor.grants)
    with open_session() as session:
        studies = store.list_studies(session)
    part = _chosen_part()
    if part == "Studies":
        draw_list(studies, STUDY_COLUMNS, key="studies", nothing=("No study yet", "Add the first one below."))
        if is_global_admin:
            draw_study_form()
        else:
            st.caption("Studies are added by an administrator of all studies.")
        own = [each for each in studies if actor.has_role(Role.ADMIN, study_id=each.id)]
        if own:
            draw_study_change(own)
    elif part == "Users":
        with open_session() as session:
            accounts = list_accounts(session)
        draw_users(accounts, is_global_admin=is_global_admin)
    else:
        _draw_study_part(part, studies, actor)


def _chosen_part() -> str:
    """The section and its part, as buttons; the part is held in the URL."""
    asked = st.query_params.get("part", "Studies")
    section = next((name for name, parts in SECTIONS.items() if asked in parts), "Places")
    st.session_state["admin.section"] = section
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Section", list(SECTIONS), key="admin.section", label_visibility="collapsed", required=True,
            on_change=_open_section,
        )  # fmt: skip
        if st.button("Certificates", icon=":material/verified:", type="tertiary"):
            st.switch_page("pages/certificates.py")
    parts = SECTIONS[section]
    st.session_state["admin.part"] = asked if asked in parts else parts[0]
    chosen = st.segmented_control(
        "Part", parts, key="admin.part", label_visibility="collapsed", required=True, on_change=_write, args=("part",),
        format_func=lambda part: PART_WORDS.get(part, part),
    )  # fmt: skip
    return chosen or parts[0]


def _open_section() -> None:
    """Go to the first part of the section that was chosen."""
    st.query_params["part"] = SECTIONS[st.session_state["admin.section"]][0]


def _draw_study_part(part: str, studies: Sequence[StudyRow], actor: Actor) -> None:
    study = _chosen_study([each for each in studies if actor.has_role(Role.ADMIN, study_id=each.id)])
    if study is None:
        empty_state("No study yet", "Add one under Studies first.", key="no-study")
        return
    with open_session() as session:
        sites = store.list_sites(session, study.id)
        devices = store.list_devices(session, study.id)
        technicians = store.list_technicians(session, study.id)
        versions = store.list_protocol_versions(session, study.id)
        accounts, grants = list_accounts(session), list_grants(session)
        model = read_last_model(session)
    match part:
        case "Protocol":
            draw_protocol(study, versions, model)
        case "Re-evaluation":
            draw_re_evaluation(study, versions, sites)
        case "API clients":
            draw_clients(study, sites, actor)
        case "Sites":
            draw_sites(study, sites)
        case "Devices":
            draw_devices(sites, devices)
        case "Technicians":
            draw_technicians(sites, technicians, accounts)
        case _:
            draw_grants(study, sites, accounts, grants)


def _chosen_study(studies: Sequence[StudyRow]) -> StudyRow | None:
    names = {study.code: f"{study.code} · {study.name}" for study in studies}
    if not names:
        return None
    asked = st.query_params.get("of", "")
    st.session_state["admin.of"] = asked if asked in names else next(iter(names))
    code = st.selectbox(
        "Study", list(names), key="admin.of", format_func=names.__getitem__, width=320, on_change=_write, args=("of",)
    )
    return next(study for study in studies if study.code == code)


def _write(name: str) -> None:
    """Put a choice into the URL, which is where the next run reads it."""
    st.query_params[name] = st.session_state[f"admin.{name}"]


main()
