"""What is done about one unit of a comparison: who has seen its flag, what is open, and the forms to act."""

from collections.abc import Sequence
from datetime import date, timedelta

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.action import Person
from core.store.scan_filter import Choice
from core.store.unit import Unit, UnitKind
from core.usecases.acknowledge_flag import acknowledge_flags
from core.usecases.act_on_unit import assign_retraining, open_issue, suspend_device
from core.usecases.look_at_unit import UnitDossier, look_at_unit
from dashboard.administration.steps import draw_outcome, fresh_key, perform, popping_up
from dashboard.components.action_table import acknowledged_words, action_table
from dashboard.components.closing_form import draw_closing
from dashboard.components.markup import tag
from dashboard.components.panel import panel
from dashboard.components.unit_words import KIND_NAMES
from dashboard.installation import installation
from dashboard.session import current_user, open_session

DUE_IN = timedelta(days=14)
"""What a form offers as due day."""


def draw_unit_actions(units: Sequence[Unit], kind: UnitKind, *, study_id: int | None, today: date) -> None:
    """Choose one of the units, see what is done about it, and act where the person may."""
    st.subheader("What is done about it", anchor="actions")
    draw_outcome()  # here, where the forms are: the page's top is out of sight
    key = _chosen_key(units, kind)
    actor = current_user()
    with open_session() as session:
        dossier = look_at_unit(session, actor, kind, key, study_id=study_id)
    if dossier is None:
        st.caption("Choose a study above: a model and its versions may be used in several.")
        return
    panel(acknowledged_words(dossier.acknowledged), key="acknowledged")
    if dossier.actions:
        panel(action_table(dossier.actions, today, is_linked=False), key="unit-actions")
    else:
        panel(tag("p", f"No action about {dossier.unit.label} is open.", class_="muted"), key="unit-actions")
    if dossier.may_act:
        _draw_forms(dossier, today)


def _chosen_key(units: Sequence[Unit], kind: UnitKind) -> str:
    """The unit that the address names, else the one of most concern."""
    labels = {unit.key: unit.label for unit in units}
    widget = f"octaudit.unit.{kind}"
    asked = st.query_params.get("unit", "")
    st.session_state[widget] = asked if asked in labels else next(iter(labels))

    def write() -> None:
        st.query_params["unit"] = st.session_state[widget]

    st.selectbox(
        KIND_NAMES[kind], list(labels), key=widget, format_func=lambda each: labels[each], on_change=write, width=320
    )
    chosen: str = st.session_state[widget]
    return chosen


def _draw_forms(dossier: UnitDossier, today: date) -> None:
    with st.container(horizontal=True, gap="small", key="octaudit-unit-forms"):
        with popping_up("Acknowledge the flag", "acknowledge", icon="visibility"):
            _draw_acknowledge(dossier)
        if dossier.sites:
            with popping_up("Open an action", "issue", icon="assignment_add"):
                _draw_issue(dossier, today)
        if dossier.technicians:
            with popping_up("Assign retraining", "retraining", icon="school"):
                _draw_retraining(dossier, today)
        if dossier.unit.device_id is not None and dossier.suspension is None:
            with popping_up("Suspend the certificate", "suspension", icon="block"):
                _draw_suspension(dossier)
        if dossier.actions:
            with popping_up("Close an action", "unit-closing", icon="task_alt"):
                draw_closing(dossier.actions, "unit-closing")


def _draw_acknowledge(dossier: UnitDossier) -> None:
    unit = dossier.unit
    weeks = installation().settings.alert_weeks
    with st.form(fresh_key(f"acknowledge.{unit.kind}.{unit.key}"), border=False):
        comment = st.text_area(
            "Comment (required)", max_chars=1000, height=90, placeholder="New operator since June; trained on Monday."
        )
        if st.form_submit_button("Acknowledge", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                flags = acknowledge_flags(
                    session, actor=actor, kind=unit.kind, unit_key=unit.key, comment=comment, n_weeks=weeks,
                    study_id=unit.study_id,
                )  # fmt: skip
                return f"{len(flags)} flag{'' if len(flags) == 1 else 's'} of {unit.label} acknowledged."

            perform(step)
    st.caption(
        f"For every flag of {unit.label} over the last {weeks} weeks. It is no longer counted as new; when the flag "
        "is over and comes back, it is a new one."
    )


def _draw_issue(dossier: UnitDossier, today: date) -> None:
    unit = dossier.unit
    site = dossier.sites[0]
    if len(dossier.sites) > 1:  # outside the form, so that another site brings its own people
        site = st.selectbox(
            "Site that has to act", dossier.sites, format_func=lambda each: each.label,
            key=fresh_key(f"issue.site.{unit.key}"),
        )  # fmt: skip
    with st.form(fresh_key(f"issue.{unit.kind}.{unit.key}.{site.id}"), border=False):
        text = st.text_area("What has to be done, and why (required)", max_chars=1000, height=90)
        owner, due_on = _draw_owner(dossier.people[site.id], today)
        if st.form_submit_button("Open the action", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                open_issue(
                    session, actor=actor, kind=unit.kind, unit_key=unit.key, text=text, owner_id=owner.id,
                    due_on=due_on, site_id=site.id,
                )  # fmt: skip
                return f"The action about {unit.label} is open, due {due_on:%d %b %Y}."

            perform(step)
    st.caption("The site's technicians see it under Actions.")


def _draw_owner(people: Sequence[Person], today: date) -> tuple[Person, date]:
    left, right = st.columns(2)
    owner = left.selectbox("Owner", people, format_func=lambda person: person.name)
    due_on = right.date_input("Due", value=today + DUE_IN, min_value=today, format="YYYY-MM-DD")
    return owner, due_on


def _draw_retraining(dossier: UnitDossier, today: date) -> None:
    unit = dossier.unit
    assert unit.site_id is not None, "technicians are offered for one site"
    with st.form(fresh_key(f"retraining.{unit.kind}.{unit.key}"), border=False):
        who: Choice = st.selectbox("Technician", dossier.technicians, format_func=lambda each: each.label)
        text = st.text_area("What is to be learned (required)", max_chars=1000, height=90)
        owner, due_on = _draw_owner(dossier.people[unit.site_id], today)
        if st.form_submit_button("Assign", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                assign_retraining(
                    session, actor=actor, technician_id=who.id, text=text, owner_id=owner.id, due_on=due_on
                )
                return f"Retraining of {who.label} is assigned, due {due_on:%d %b %Y}."

            perform(step)
    st.caption("Of the site's people only the technician and the owner see it.")


def _draw_suspension(dossier: UnitDossier) -> None:
    device_id, label = dossier.unit.device_id, dossier.unit.label
    assert device_id is not None, "offered for devices"
    with st.form(fresh_key(f"suspension.{device_id}"), border=False):
        reason = st.text_area("Reason (required)", max_chars=1000, height=90)
        if st.form_submit_button("Suspend", type="primary"):

            def step(session: Session, actor: Actor) -> str:
                suspend_device(session, actor=actor, device_id=device_id, reason=reason)
                return f"The certificate of {label} is suspended."

            perform(step)
    st.caption("What the device takes from now on is accepted and marked, until the suspension is lifted.")
