"""My feedback: the own first-pass rate beside the study's median, what to do about the main reason, certificates."""

from datetime import date, timedelta

import streamlit as st

from core.charts.causes import top_cause
from core.charts.dictionaries import FEEDBACK_COLUMNS
from core.charts.feedback import draw_trend, trend_rows
from core.clock import now
from core.store.access import Actor
from core.store.cause import FindingCounts
from core.store.first_pass import OwnPlace, read_own_places
from core.store.own_certificate import read_own_certificates
from core.usecases.give_feedback import Feedback, give_feedback
from core.vocabulary import Role
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.feedback_words import cause_lead, certificates, footnote, own_rate, verdict
from dashboard.components.panel import empty_state, panel
from dashboard.components.tip_sheet import tip_sheet
from dashboard.filters import Field, url_choice
from dashboard.session import current_user, open_session

WEEKS = {"26w": "Last 26 weeks", "13w": "Last 13 weeks", "52w": "Last 52 weeks"}
TREND_CAPTION = (
    "**Over time.** The gradable share of your decided first captures, four weeks a point by the day of capture, with "
    "95 % intervals. A point of few captures moves by chance: read its interval."
)
MEDIAN_CAPTION = "The dashed line is the median of the study's technicians over the whole period, with its interval."


def main() -> None:
    """Draw the page."""
    today, actor = now().date(), current_user()
    st.title("My feedback")
    with open_session() as session:
        places = read_own_places(session, actor.user_id or 0, _own_site_ids(actor))
    if not places:
        empty_state("No site of yours", "Your account has a technician's role at no site.", key="empty")
        return
    place = _choose_place(places)
    since, until = _period(url_choice("Period", "period", WEEKS), today)
    with open_session() as session:
        found = give_feedback(session, place, since=since, until=until)
        held = read_own_certificates(session, place.technician_id) if place.technician_id is not None else None
    panel(verdict(found), key="verdict")
    panel(own_rate(found), key="rates")
    _draw_causes(found)
    _draw_trend(found)
    if held is not None:
        st.subheader("Certification")
        panel(certificates(held, today), key="certificates")
    panel(footnote(found, f"{now():%d %b %Y, %H:%M}"), key="footnote")


def _own_site_ids(actor: Actor) -> tuple[int, ...]:
    """Sites where the person is a technician; a grant for all sites of a study names none of one's own."""
    return tuple(g.site_id for g in actor.grants if g.role is Role.SITE_TECHNICIAN and g.site_id is not None)


def _choose_place(places: tuple[OwnPlace, ...]) -> OwnPlace:
    """The person's place; of several the one in the URL."""
    if len(places) == 1:
        return places[0]
    named = {f"{place.site_id}.{place.technician_id or 0}": place for place in places}
    words = {
        key: f"{place.study_code}, {place.site_code}" + (f" · {place.technician_code}" if place.technician_code else "")
        for key, place in named.items()
    }
    return named[url_choice("Where", "place", words)]


def _period(name: str, today: date) -> tuple[date, date]:
    until = today + timedelta(days=7 - today.weekday())
    return until - timedelta(weeks=int(name.removesuffix("w"))), until


def _draw_causes(found: Feedback) -> None:
    st.subheader("Main reason of the last weeks")
    panel(cause_lead(found), key="cause-lead")
    top = top_cause(found.causes)
    if top is None:
        return
    code, n = top
    alone = FindingCounts(
        decided=found.causes.decided, gradable=found.causes.gradable, first_causes={code: n},
        causes={code: found.causes.causes.get(code, n)},
    )  # fmt: skip
    panel(tip_sheet(alone, {Field.SITE.value: str(found.place.site_id)}), key="tip")


def _draw_trend(found: Feedback) -> None:
    if not found.trend:
        return
    st.subheader("Over time")
    draw_chart(
        draw_trend(found.trend, found.median),
        alt="Own gradable share at the first pass by four weeks, with the study's median.",
    )
    st.caption(TREND_CAPTION if found.median is None else f"{TREND_CAPTION} {MEDIAN_CAPTION}")
    draw_chart_data(ChartData("my-feedback", trend_rows(found.trend), FEEDBACK_COLUMNS))


main()
