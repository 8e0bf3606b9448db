"""The forms of the page Reports: ask for one, schedule it, take results away, print a tip sheet."""

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.orm import Session

from core.clock import now
from core.policy.reasons import REASON_TEXTS
from core.reports.export import ExportKind
from core.store.access import Actor
from core.store.batch import SiteRef
from core.store.report_schedule import Addressee, NewSchedule, Schedule, Timing, list_addressees
from core.usecases.ask_report import ask_report, may_have
from core.usecases.find_flags import standing_weeks
from core.usecases.schedule_reports import KEEPERS, LAST_DAYS, LAST_HOUR, make_schedule, set_recipients, set_schedule
from core.vocabulary import ReportKind, SchedulePace, ScheduleState
from core.wording import REASON_NAMES, REPORT_NAMES, reason_code_words
from dashboard.administration.steps import fresh_key, perform
from dashboard.components.report_table import schedule_words, timing_words
from dashboard.filters import Field
from dashboard.installation import installation
from dashboard.session import open_session

WEEKS = {4: "Last 4 weeks", 13: "Last 13 weeks", 26: "Last 26 weeks", 52: "Last 52 weeks"}
PACES = {SchedulePace.WEEK: "Every week", SchedulePace.MONTH: "Every month"}
EXPORT_NAMES = {ExportKind.SCANS: "Scans, one row each", ExportKind.RATES: "Counts by week, behind every rate"}
_STEPS = {
    ScheduleState.PAUSED: ("Pause", "pauses"), ScheduleState.RUNNING: ("Resume", "goes on"),
    ScheduleState.ENDED: ("End", "has ended"),
}  # fmt: skip


def draw_asking(actor: Actor, sites: Sequence[SiteRef]) -> None:
    """A report now: which, of what, over how long."""
    scope = _draw_scope(actor, sites, "ask")
    if scope is None:
        return
    kind, study_id, site_id = scope
    n_weeks = st.selectbox(
        "Period", list(WEEKS), index=2, format_func=WEEKS.__getitem__, key=fresh_key("ask.weeks"), width=300
    )
    if st.button("Make the report", type="primary", icon=":material/picture_as_pdf:", key=fresh_key("ask.go")):

        def step(session: Session, who: Actor) -> str:
            report_id = ask_report(session, actor=who, kind=kind, study_id=study_id, site_id=site_id, n_weeks=n_weeks)
            return f"Report {report_id} is being made. It appears in the list below within seconds."

        perform(step)


def draw_scheduling(actor: Actor, sites: Sequence[SiteRef]) -> None:
    """A schedule: which report, when, and to whom by mail."""
    kept = [place for place in sites if actor.has_role(*KEEPERS, study_id=place.study_id, site_id=place.site_id)]
    scope = _draw_scope(actor, kept, "schedule")
    if scope is None:
        return
    kind, study_id, site_id = scope
    left, middle, right = st.columns(3)
    every = left.selectbox("How often", list(PACES), format_func=PACES.__getitem__, key=fresh_key("schedule.every"))
    days = list(range(1, LAST_DAYS[every] + 1))
    day = middle.selectbox(
        "Day of the week" if every is SchedulePace.WEEK else "Day of the month", days, key=fresh_key(f"on.{every}"),
        format_func=lambda each: timing_words(Timing(every, each, 0)).partition(",")[0],
    )  # fmt: skip
    hour = right.number_input("Hour (UTC)", 0, LAST_HOUR, 6, key=fresh_key("schedule.hour"))
    n_weeks = left.selectbox("Period", list(WEEKS), index=1, format_func=WEEKS.__getitem__, key=fresh_key("s.weeks"))
    with open_session() as session:
        people = {each.user_id: each for each in list_addressees(session, kind, study_id=study_id, site_id=site_id)}
    chosen = st.multiselect(
        "Recipients", list(people), format_func=lambda each: _person(people[each]), key=fresh_key("schedule.people"),
        select_all=False,
        help="People whose role reaches the report. Both role and address are asked for again at every sending.",
    )  # fmt: skip
    if st.button("Make the schedule", type="primary", icon=":material/schedule_send:", key=fresh_key("schedule.go")):
        new = NewSchedule(kind, study_id, site_id, Timing(every, day, int(hour)), n_weeks)

        def step(session: Session, who: Actor) -> str:
            settings = installation().settings
            make_schedule(session, actor=who, new=new, recipient_ids=chosen, settings=settings)
            return f"Scheduled: {REPORT_NAMES[kind]}, {timing_words(new.timing)}."

        perform(step)


def draw_schedule_changes(schedules: Sequence[Schedule]) -> None:
    """Pause, resume or end one of the schedules, or send it to others."""
    schedule = st.selectbox(
        "Schedule", schedules, key=fresh_key("change.schedule"),
        format_func=lambda each: f"{schedule_words(each)} · {timing_words(each.timing)}",
    )  # fmt: skip
    is_paused = schedule.state is ScheduleState.PAUSED
    with st.container(horizontal=True):
        for state in (ScheduleState.RUNNING if is_paused else ScheduleState.PAUSED, ScheduleState.ENDED):
            label, outcome = _STEPS[state]
            if st.button(label, key=fresh_key(f"change.{state}")):
                _set(schedule, state, outcome)
    _draw_recipients(schedule)


def _draw_recipients(schedule: Schedule) -> None:
    """Who gets it: those who do stay offered, whether their rights still reach it or not."""
    with open_session() as session:
        found = list_addressees(session, schedule.kind, study_id=schedule.study_id, site_id=schedule.site_id)
    people = {each.user_id: _person(each) for each in found}
    for user_id, name in zip(schedule.recipient_ids, schedule.recipients, strict=True):
        people.setdefault(user_id, f"{name} (no right to it any more)")
    chosen = st.multiselect(
        "Recipients", list(people), default=schedule.recipient_ids, format_func=people.__getitem__,
        key=fresh_key(f"change.people.{schedule.id}"), select_all=False,
    )  # fmt: skip
    is_same = set(chosen) == set(schedule.recipient_ids)
    if st.button("Save the recipients", disabled=is_same, key=fresh_key("change.people.go")):

        def step(session: Session, who: Actor) -> str:
            set_recipients(session, actor=who, schedule_id=schedule.id, recipient_ids=chosen)
            return f"{schedule_words(schedule)} goes to {len(chosen)} {'person' if len(chosen) == 1 else 'people'}."

        perform(step)


def _set(schedule: Schedule, state: ScheduleState, outcome: str) -> None:
    def step(session: Session, who: Actor) -> str:
        set_schedule(session, actor=who, schedule_id=schedule.id, state=state)
        return f"{schedule_words(schedule)} {outcome}."

    perform(step)


def draw_export(sites: Sequence[SiteRef]) -> None:
    """What to take away; the link makes the file when it is followed."""
    left, middle, right = st.columns(3)
    kind = left.selectbox("What", list(EXPORT_NAMES), format_func=EXPORT_NAMES.__getitem__, key="export.kind")
    places: dict[tuple[int, int | None], str] = {(place.study_id, None): f"{place.study}, all sites" for place in sites}
    places |= {(place.study_id, place.site_id): f"{place.study} · {place.site}" for place in sites}
    study_id, site_id = middle.selectbox("Of", list(places), format_func=places.__getitem__, key="export.of")
    weeks = {0: "All time", **WEEKS}
    n_weeks = right.selectbox("Period", list(weeks), format_func=weeks.__getitem__, key="export.weeks")
    query = {"study": str(study_id)} | ({"site": str(site_id)} if site_id is not None else {})
    if n_weeks:
        since, until = standing_weeks(now().date(), n_weeks)
        query |= {"since": since.isoformat(), "until": until.isoformat()}
    st.link_button(
        "Export (ZIP)", f"/exports/{kind}.zip?{urlencode(query)}", icon=":material/download:", type="primary"
    )
    st.caption(
        "CSV and Parquet of the same rows, a data dictionary, model and protocol versions in every row, and a manifest "
        "with the SHA-256 of each file. In CSV an apostrophe stands before text that a spreadsheet would run as a "
        "formula. Original file names are never exported. Each export is on record in the audit trail."
    )


def draw_tips(sites: Sequence[SiteRef]) -> None:
    """A sheet about one cause, in the words of a study's protocol."""
    studies = {place.study_id: place.study for place in sites}
    left, right = st.columns(2)
    study_id = left.selectbox("Study", list(studies), format_func=studies.__getitem__, key="tips.study")
    code = right.selectbox(
        "Cause",
        list(REASON_TEXTS),
        format_func=lambda each: f"{REASON_NAMES[each]} ({reason_code_words(each)})",
        key="tips.code",
    )
    st.link_button("Tip sheet (PDF)", f"/tips/{study_id}/{code}.pdf", icon=":material/lightbulb:")


def _draw_scope(actor: Actor, sites: Sequence[SiteRef], name: str) -> tuple[ReportKind, int, int | None] | None:
    """Kind, study and site of a report that this person may have; None, with a word, where there is none.

    The site that the address names comes first.
    """
    studies = {place.study_id: place.study for place in sites}
    whole = [each for each in studies if may_have(actor, ReportKind.STUDY, study_id=each, site_id=None)]
    own = [place for place in sites if may_have(actor, ReportKind.SITE, study_id=place.study_id, site_id=place.site_id)]
    kinds = ([ReportKind.SITE] if own else []) + ([ReportKind.STUDY] if whole else [])
    if not kinds:
        st.caption("Your role reaches no report.")
        return None
    left, right = st.columns(2)
    kind = left.selectbox("Report", kinds, format_func=REPORT_NAMES.__getitem__, key=fresh_key(f"{name}.kind"))
    if kind is ReportKind.STUDY:
        study_id = right.selectbox("Study", whole, format_func=studies.__getitem__, key=fresh_key(f"{name}.study"))
        return kind, study_id, None
    asked = st.query_params.get(Field.SITE)
    first = next((index for index, each in enumerate(own) if str(each.site_id) == asked), 0)
    place = right.selectbox(
        "Site", own, first, format_func=lambda each: f"{each.study} · {each.site} · {each.site_name}",
        key=fresh_key(f"{name}.site.{asked}"),
    )  # fmt: skip
    return kind, place.study_id, place.site_id


def _person(person: Addressee) -> str:
    return person.name if person.has_address else f"{person.name} (no confirmed address)"
