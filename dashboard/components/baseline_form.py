"""Baselines below a control chart: every signed version, and the form by which a manager signs the next."""

from collections.abc import Sequence
from datetime import date, timedelta

import streamlit as st

from core.store.access import Actor
from core.store.scan_filter import ScanFilter
from core.store.signed_baseline import BaselineScope, SignedVersion, read_baseline_history
from core.usecases.sign_baseline import (
    MEANINGS,
    baseline_weeks,
    may_sign,
    propose_baseline,
    scope_of,
    sign_baseline,
)
from core.usecases.watch_units import Trend
from core.values import NotComputable
from dashboard.administration.steps import fresh_key, perform_apart, popping_up
from dashboard.components.markup import Html, count, percent, tag
from dashboard.components.panel import panel
from dashboard.components.signature import draw_password
from dashboard.installation import installation
from dashboard.session import open_session


def draw_baselines(chosen: ScanFilter, trend: Trend, actor: Actor, *, today: date) -> None:
    """The versions of what is chosen, and the form for who may sign one."""
    with open_session() as session:
        scope = scope_of(session, chosen)
        history = () if isinstance(scope, NotComputable) else read_baseline_history(session, scope)
    if history:
        panel(history_table(history), key="baselines")
    if isinstance(scope, NotComputable):
        st.caption(f"No baseline can be signed here: {scope.reason}.")
    elif may_sign(actor, scope):
        with popping_up("Sign a baseline", "baseline", icon="draw"):
            _draw_form(chosen, scope, trend, today)


def history_table(history: Sequence[SignedVersion]) -> Html:
    """One row per version, the one in force first; none is ever changed."""
    heads = ("Version", "Period", "Ungradable", "Points", "Spread", "Signed", "Meaning and reason")
    numbers = {"Ungradable", "Points", "Spread"}
    head = [tag("th", name, scope="col", class_="num" if name in numbers else None) for name in heads]
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", *head)), tag("tbody", *(_row(each) for each in history))),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Signed baselines",
    )


def _row(version: SignedVersion) -> Html:
    baseline = version.baseline
    return tag(
        "tr",
        tag("th", str(version.number), scope="row"),
        tag("td", f"{baseline.starts_on:%d %b %Y} – {baseline.ends_on:%d %b %Y}"),
        tag("td", f"{percent(baseline.centre, 1)} of {count(baseline.n)}", class_="num"),
        tag("td", count(baseline.n_points), class_="num"),
        tag("td", f"× {baseline.sigma_z:.2f}", class_="num", title="Laney's factor: how much more weeks vary"),
        tag("td", version.signed_by, tag("span", f"{version.signed_at:%d %b %Y, %H:%M} UTC", class_="name")),
        tag("td", version.meaning, tag("p", version.reason, class_="words muted")),
    )


def _draw_form(chosen: ScanFilter, scope: BaselineScope, trend: Trend, today: date) -> None:
    current = trend.chart.baseline
    last_sunday = today - timedelta(days=today.weekday() + 1)
    name = f"{scope.kind}.{scope.key}.{scope.scan_type}"
    left, right = st.columns(2)  # outside the form, so that the rate below follows them
    starts_on = left.date_input(
        "From", value=min(current.starts_on, last_sunday), max_value=last_sunday, format="YYYY-MM-DD",
        key=fresh_key(f"baseline.from.{name}"),
    )  # fmt: skip
    ends_on = right.date_input(
        "To", value=min(current.ends_on, last_sunday), max_value=last_sunday, format="YYYY-MM-DD",
        key=fresh_key(f"baseline.to.{name}"),
    )  # fmt: skip
    with open_session() as session:
        proposed = propose_baseline(session, chosen, scope, starts_on=starts_on, ends_on=ends_on)
    first, last = baseline_weeks(starts_on, ends_on)
    if isinstance(proposed, NotComputable):
        st.caption(f":red[{first:%d %b %Y} – {last:%d %b %Y}: {proposed.reason}.]")
        return
    who = f"{scope.label[:1].upper()}{scope.label[1:]}"
    st.markdown(
        f"**{who}: {percent(proposed.centre, 1)} ungradable** of {count(proposed.n)} first captures in "
        f"{proposed.n_points} points, {proposed.starts_on:%d %b %Y} – {proposed.ends_on:%d %b %Y}."
    )
    with st.form(fresh_key(f"baseline.{name}"), border=False):
        meaning = st.selectbox("What the signature means", MEANINGS, format_func=str.capitalize)
        reason = st.text_area("Reason (required)", max_chars=1000, height=90)
        password = draw_password()
        if st.form_submit_button("Sign", type="primary"):
            perform_apart(
                lambda token: _sign(
                    token, chosen, (first, last), password=password, meaning=meaning, reason=reason, label=scope.label
                )
            )
    st.caption("The values above are frozen as the next version; earlier ones stay below the chart.")


def _sign(
    token: str,
    chosen: ScanFilter,
    period: tuple[date, date],
    *,
    password: str,
    meaning: str,
    reason: str,
    label: str,
) -> str:
    number = sign_baseline(
        installation().database, token=token, chosen=chosen, starts_on=period[0], ends_on=period[1],
        password=password, meaning=meaning, reason=reason,
    )  # fmt: skip
    return f"Version {number} of the baseline of {label} is signed."
