"""The form below a trend by which a manager marks an event, or takes a mark back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import streamlit as st
from sqlalchemy.orm import Session

from core.store.access import Actor
from core.store.mark import Mark, MarkKind
from core.store.scan_filter import Choice, FilterChoices, ScanFilter, read_filter_choices
from core.store.signed_baseline import only_study
from core.usecases.acknowledge_flag import KEEPERS
from core.usecases.annotate_event import OFFERED, annotate_event, withdraw_annotation
from dashboard.administration.steps import fresh_key, perform, popping_up
from dashboard.session import open_session


@dataclass(frozen=True, slots=True)
class _Where:
    """A study, a site of it or a device, as one entry of a list."""

    label: str
    site_id: int | None = None
    device_id: int | None = None


def draw_annotation(chosen: ScanFilter, marks: Sequence[Mark], actor: Actor, *, today: date) -> None:
    """Both forms side by side, for who manages what is chosen."""
    with open_session() as session:
        study_id = only_study(session, chosen)
        choices = read_filter_choices(session, ScanFilter(study_id=study_id))
    if study_id is None or not actor.has_role(*KEEPERS, study_id=study_id):
        return
    own = [mark for mark in marks if mark.id is not None]
    with st.container(horizontal=True, gap="small", key="octaudit-marks"):
        with popping_up("Mark an event", "mark", icon="add_location_alt"):
            _draw_marking(study_id, _places(choices, actor, study_id), chosen, today)
        if own:
            with popping_up("Withdraw a mark", "mark.withdraw", icon="undo"):
                _draw_withdrawing(own)


def _places(choices: FilterChoices, actor: Actor, study_id: int) -> list[_Where]:
    """What the person may mark: the study where the role is for all of it, sites, and devices of one's own sites."""
    is_whole = any(
        each.role in KEEPERS and each.site_id is None and each.covers(study_id, None) for each in actor.grants
    )
    sites: Sequence[Choice] = [
        each for each in choices.sites if actor.has_role(*KEEPERS, study_id=study_id, site_id=each.id)
    ]
    found = [_Where("The whole study")] if is_whole else []
    found += [_Where(each.label, site_id=each.id) for each in sites]
    # Devices of sites that the person does not manage are refused with the reason.
    return found + [_Where(f"Device {each.label}", device_id=each.id) for each in choices.devices]


def _draw_marking(study_id: int, places: Sequence[_Where], chosen: ScanFilter, today: date) -> None:
    def is_chosen(place: _Where) -> bool:
        wanted = _Where("", None if chosen.device_id else chosen.site_id, chosen.device_id)
        return (place.site_id, place.device_id) == (wanted.site_id, wanted.device_id)

    first = next((index for index, place in enumerate(places) if is_chosen(place)), 0)
    with st.form(fresh_key("mark"), border=False):
        left, right = st.columns(2)
        happened_on = left.date_input("Day", value=today, max_value=today, format="YYYY-MM-DD")
        kind = right.selectbox("What", OFFERED, format_func=lambda each: each.value.capitalize())
        where = st.selectbox("Where", places, first, format_func=lambda place: place.label)
        text = st.text_input("In a few words (required)", max_chars=200, placeholder="Moved to another room.")
        if st.form_submit_button("Mark it", type="primary"):
            perform(lambda session, actor: _mark(session, actor, study_id, happened_on, kind, where, text))
    st.caption("Everybody who sees the place sees the mark, on Trends and on the Overview.")


def _mark(  # noqa: PLR0917 - one form
    session: Session, actor: Actor, study_id: int, happened_on: date, kind: MarkKind, where: _Where, text: str
) -> str:
    annotate_event(
        session, actor=actor, study_id=study_id, happened_on=happened_on, kind=kind, text=text,
        site_id=where.site_id, device_id=where.device_id,
    )  # fmt: skip
    return f"Marked on {happened_on:%d %b %Y}."


def _draw_withdrawing(marks: Sequence[Mark]) -> None:
    def named(mark: Mark) -> str:
        return f"{mark.happened_at:%d %b %Y} · {mark.kind}: {mark.text}"

    with st.form(fresh_key("mark.withdraw"), border=False):
        mark = st.selectbox("Which one", list(reversed(marks)), format_func=named)
        reason = st.text_input("Reason (required)", max_chars=500, placeholder="Made for the wrong site.")
        if st.form_submit_button("Withdraw", type="primary"):
            perform(lambda session, actor: _withdraw(session, actor, mark, reason))
    st.caption("For mistakes. The mark is drawn no more; the audit trail keeps it with the reason.")


def _withdraw(session: Session, actor: Actor, mark: Mark, reason: str) -> str:
    assert mark.id is not None, "offered for rows"
    withdraw_annotation(session, actor=actor, mark_id=mark.id, reason=reason)
    return f"The mark of {mark.happened_at:%d %b %Y} is withdrawn."
