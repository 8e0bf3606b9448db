"""The tracker's figures: success, within the window, time to receipt, questions per 100 scans; each with its data."""

from functools import partial

import streamlit as st

from core.charts.dictionaries import QUERY_COLUMNS, RECEIPT_COLUMNS
from core.charts.requests import draw_queries, draw_receipt, query_rows, receipt_rows
from core.statistics.proportions import Proportion
from core.statistics.survival import DurationQuantile, TurnAround
from core.usecases.follow_requests import RequestFigures
from core.values import NotComputable
from dashboard.components.chart import draw_chart
from dashboard.components.chart_data import ChartData, draw_chart_data
from dashboard.components.markup import Html, count, tag
from dashboard.components.panel import panel
from dashboard.components.rate import rate_card

RECEIPT_CAPTION = (
    "**Time to receipt.** The share of requests whose replacement has come by each day after the request (Kaplan and "
    "Meier), with its pointwise 95 % band. Requests that still wait count as long as they have waited, and those that "
    "ended as not possible until then: leaving them out would make a backlog look fast."
)
QUERY_CAPTION = (
    "**Questions.** Scans of first captures that the site was asked about, per 100 that were scored, by the week of "
    "capture, with Wilson's 95 % interval on the effective number; the dashed line is all sites together."
)


def draw_figures(found: RequestFigures) -> None:
    """Both rates as cards, then the two charts; what cannot be computed says why."""
    panel(tag("div", _success(found), _within(found), class_="rates"), key="figures")
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_receipt(found.to_receipt)
    with right:
        _draw_queries(found)
    st.caption(
        f"Requests made in the chosen period: {count(found.n_requests)} for {count(found.n_cases)} expected scans, "
        f"{count(found.n_open)} still open. As of {found.as_of:%d %b %Y, %H:%M} UTC. Requests of one patient resemble "
        "each other: intervals are Wilson's on the effective number with patients as clusters."
    )


def _success(found: RequestFigures) -> Html:
    return rate_card(
        "Taking it again succeeded", _known(found.success), delta=Html(""), unit="expected scans",
        what="Of those of which no round is open any more: a replacement was accepted. Others ended as not possible.",
    )  # fmt: skip


def _within(found: RequestFigures) -> Html:
    return rate_card(
        "Received within the window", _known(found.within_window), delta=Html(""), unit="requests",
        what="Of those answered, ended, or past their day: the replacement came by the day on which the visit window "
        "ends.",
    )  # fmt: skip


def _known(rate: Proportion | NotComputable) -> Proportion | None:
    return rate if isinstance(rate, Proportion) else None


def _draw_receipt(found: TurnAround | NotComputable) -> None:
    st.subheader("Days to receipt")
    if isinstance(found, NotComputable) or not len(found.times):
        st.caption("No request was made in this period.")
        return
    panel(tag("p", _quantile_words("Half", found.median), " ", _quantile_words("90 %", found.p90)), key="receipt-words")
    draw_chart(draw_receipt(found), alt="Share of requests whose replacement has come, by days since the request.")
    st.caption(RECEIPT_CAPTION)
    draw_chart_data(ChartData("time-to-receipt", partial(receipt_rows, found), RECEIPT_COLUMNS))


def _quantile_words(name: str, found: DurationQuantile | NotComputable) -> str:
    if isinstance(found, NotComputable):
        return f"Fewer than {name.lower()} of them have come so far."
    high = f"{found.high:.1f}" if found.high is not None else "not known yet"
    return f"{name} of them had come after {found.value:.1f} days (95 % interval {found.low:.1f} to {high})."


def _draw_queries(found: RequestFigures) -> None:
    st.subheader("Questions to sites")
    if not found.queries:
        st.caption("No scan was scored in this period.")
        return
    overall = _known(found.all_queries)
    draw_chart(draw_queries(found.queries, overall), alt="Scans that sites were asked about, per 100 scored.")
    st.caption(QUERY_CAPTION)
    draw_chart_data(ChartData("questions-by-site", partial(query_rows, found.queries), QUERY_COLUMNS))
