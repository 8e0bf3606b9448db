"""Forms of the calendar of visits: import it with a look at what would change, call a visit off, or on again."""

from collections.abc import Mapping, Sequence

import streamlit as st
from sqlalchemy.orm import Session

from core.intake.problems import Problem
from core.intake.visit_calendar import MAX_REASON_LENGTH, CalendarTable, calendar_template, read_calendar
from core.store.access import Actor
from core.store.completeness import VisitRow
from core.usecases.plan_visits import (
    CalendarCheck,
    PlanChange,
    PlanLine,
    call_off_visit,
    check_calendar,
    plan_visits,
    resume_visit,
)
from core.wording import scan_type_words
from dashboard.administration.steps import fresh_key, perform
from dashboard.components.markup import Html, chip, count, join, tag
from dashboard.components.pager import counted
from dashboard.components.panel import panel
from dashboard.components.table_file.show import choose_table
from dashboard.session import current_user, open_session

SHOWN_LINES = 20
_TABLE = "calendar.table"
_TONES = {
    PlanChange.NEW: "good", PlanChange.MOVED: "info", PlanChange.CALLED_OFF: "warn", PlanChange.RESUMED: "info",
    PlanChange.REPLACED: "info", PlanChange.LEFT_OUT: "warn", PlanChange.UNCHANGED: "calm",
}  # fmt: skip


def draw_import(studies: Mapping[int, str]) -> None:
    """The calendar as a file or pasted: what each row would do, then the button that does it."""
    with st.expander("Import the calendar of visits", icon=":material/calendar_month:", key=fresh_key("calendar.open")):
        st.caption(
            "One row per planned visit: site, subject, visit, planned_on (year-month-day); window_ends_on where it is "
            "not the protocol's, called_off with the reason where the visit does not take place. Import the "
            "calendar again when it or the protocol changes: what is unchanged is left, and what a visit expects and "
            "nothing arrived of follows the protocol of its day."
        )
        study_id = st.selectbox(
            "Study", list(studies), format_func=studies.__getitem__, key=fresh_key("calendar.study"), width=300
        )
        st.download_button(
            "Template (CSV)", calendar_template(), file_name="calendar.csv", mime="text/csv", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip
        table = _draw_choice()
        if table is not None:
            _draw_check(table, study_id)


def _draw_choice() -> CalendarTable | None:
    """The table from a file or from the text field; the last one chosen stays until it was imported."""
    key = fresh_key(_TABLE)
    data = choose_table("Drop the calendar (CSV) here, or", key=fresh_key("calendar.file"))
    if data is not None:
        st.session_state[key] = data
    pasted = st.text_area("Or paste the rows with their headings", key=fresh_key("calendar.pasted"), height=110)
    if pasted.strip():
        return read_calendar(pasted.encode())
    chosen: bytes | None = st.session_state.get(key)
    return None if chosen is None else read_calendar(chosen)


def _draw_check(table: CalendarTable, study_id: int) -> None:
    is_whole = st.checkbox(
        "It names every visit of its sites: call off planned ones that it leaves out and that sent nothing",
        key=fresh_key("calendar.whole"),
    )
    with open_session() as session:
        check = check_calendar(session, table, actor=current_user(), study_id=study_id, is_whole=is_whole)
    panel(check_words(check), key="calendar-check")
    n_changes = len(check.lines) - check.count(PlanChange.UNCHANGED)
    if not n_changes:
        return
    if st.button(
        f"Import {counted(n_changes, 'changes')}", type="primary", icon=":material/event_available:",
        key=fresh_key("calendar.go"),
    ):  # fmt: skip

        def step(session: Session, actor: Actor) -> str:
            done = plan_visits(session, table, actor=actor, study_id=study_id, is_whole=is_whole)
            return f"Imported: {summary(done)}."

        perform(step)


def summary(check: CalendarCheck) -> str:
    """How many rows do what, e.g. ``12 new, 3 moved``."""
    counts = [(check.count(change), change) for change in PlanChange]
    return ", ".join(f"{count(n)} {change}" for n, change in counts if n) or "nothing"


def check_words(check: CalendarCheck) -> Html:
    """What importing would do, its first rows that change something, and every problem with its cure."""
    n_refused = sum(problem.is_blocking for problem in check.problems)
    refused = f" {counted(n_refused, 'faults')}: see below; the other rows can be imported." if n_refused else ""
    lead = tag("p", tag("b", f"{summary(check).capitalize()}."), refused, role="status")
    heading = tag("p", tag("b", "What cannot be imported, or is to be known")) if check.problems else None
    return join([lead, _lines(check), heading, _faults(check.problems)])


def _lines(check: CalendarCheck) -> Html | None:
    changed = [line for line in check.lines if line.change is not PlanChange.UNCHANGED]
    if not changed:
        return None
    rows = [
        tag(
            "tr",
            tag("th", f"{line.row.subject} · {line.row.visit}", tag("span", line.row.site, class_="name"), scope="row"),
            tag("td", chip(str(line.change), _TONES[line.change]), _replaced(line)),
            tag("td", f"{line.row.planned_on:%d %b %Y}", _former(line)),
            tag("td", f"{line.window_ends_on:%d %b %Y}" if line.window_ends_on else "always open"),
            tag("td", line.row.called_off),
        )
        for line in changed[:SHOWN_LINES]
    ]
    if len(changed) > SHOWN_LINES:
        rows.append(tag("tr", tag("td", f"and {count(len(changed) - SHOWN_LINES)} more", colspan=5, class_="muted")))
    heads = ("Subject, visit", "What changes", "Planned", "Window until", "Called off because")
    return _table(heads, rows, "What the calendar changes")


def _former(line: PlanLine) -> Html | None:
    day = line.former.planned_on if line.former is not None else None
    return tag("span", f"was {day:%d %b %Y}", class_="name") if day not in {None, line.row.planned_on} else None


def _replaced(line: PlanLine) -> Html | None:
    """What a known visit expects from now on, and what no longer."""
    sides = [(slots, words) for slots, words in ((line.added, "now also"), (line.removed, "no longer")) if slots]
    return join(
        tag("span", f"{words} " + "; ".join(f"{eye}, {scan_type_words(kind)}" for eye, kind in slots), class_="name")
        for slots, words in sides
    )


def _faults(problems: Sequence[Problem]) -> Html | None:
    if not problems:
        return None
    rows = [
        tag(
            "tr",
            tag("td", chip("not imported", "bad") if problem.is_blocking else chip("note", "calm")),
            tag("td", problem.message, tag("span", problem.remedy, class_="name")),
        )
        for problem in problems[:SHOWN_LINES]
    ]
    if len(problems) > SHOWN_LINES:
        rows.append(tag("tr", tag("td", f"and {count(len(problems) - SHOWN_LINES)} more", colspan=2, class_="muted")))
    return _table(("", "What is wrong, and what to do"), rows, "Rows that cannot be imported")


def _table(heads: Sequence[str], rows: Sequence[Html], label: str) -> Html:
    head = tag("tr", *(tag("th", words, scope="col") for words in heads))
    return tag(
        "div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label=label,
    )  # fmt: skip


def draw_calling_off(visits: Sequence[VisitRow]) -> None:
    """Call one of these visits off, or a called-off one on again."""
    visit = st.selectbox(
        "Visit", visits, key=fresh_key("visit.which"),
        format_func=lambda each: f"{each.subject_code} · {each.visit_code} · {each.site_code}",
    )  # fmt: skip
    words = f"{visit.subject_code} · {visit.visit_code}"
    if visit.called_off_reason:
        st.caption(f"Called off: {visit.called_off_reason}")
        if st.button("It takes place after all", key=fresh_key("visit.resume")):

            def resume(session: Session, actor: Actor) -> str:
                resume_visit(session, actor=actor, visit_id=visit.visit_id)
                return f"{words} is expected again."

            perform(resume)
        return
    reason = st.text_input("Reason (required)", max_chars=MAX_REASON_LENGTH, key=fresh_key("visit.reason"))
    if st.button("Call it off", type="primary", key=fresh_key("visit.off")):

        def call_off(session: Session, actor: Actor) -> str:
            call_off_visit(session, actor=actor, visit_id=visit.visit_id, reason=reason)
            return f"{words} is called off; nothing of it is missing any more."

        perform(call_off)
