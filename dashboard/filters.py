"""The filters that every page shares, held in the URL: a link shows a colleague the same numbers.

The URL is the truth. Widgets are set from it before they are drawn and write back when they change; what was chosen is
also remembered for the session, so that a filter survives the way to another page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.orm import Session

from core.store.finer_choice import read_finer_choices
from core.store.scan_filter import ScanFilter, read_filter_choices, whole_weeks
from core.vocabulary import GradeSource, Laterality, Slab
from dashboard.filter_offers import Offer, offers_of

_REMEMBERED = "octaudit.filters"
MAX_ID = 2**63 - 1
"""Largest id of the database; a longer number in a URL is no id."""


class Field(StrEnum):
    """A filter's name in the URL."""

    STUDY = "study"
    SITE = "site"
    DEVICE = "device"
    TECHNICIAN = "technician"
    MANUFACTURER = "manufacturer"
    MODEL = "model"
    SOFTWARE = "software"
    TYPE = "type"
    SLAB = "slab"
    EYE = "eye"
    VISIT = "visit"
    VERSION = "scored_by"
    """Id of the model version whose score counts."""
    GRADED = "graded_by"
    PERIOD = "period"
    DAYS = "days"
    """From one day to another, both included: ``2026-08-03..2026-08-16``. Outweighs the period, and belongs to it."""


class Period(StrEnum):
    """How far back, in whole weeks (Monday to Sunday, UTC) up to and including the present one."""

    WEEKS_4 = "4w"
    WEEKS_13 = "13w"
    WEEKS_26 = "26w"
    WEEKS_52 = "52w"
    ALL = "all"


PERIOD_NAMES = {
    Period.WEEKS_4: "Last 4 weeks",
    Period.WEEKS_13: "Last 13 weeks",
    Period.WEEKS_26: "Last 26 weeks",
    Period.WEEKS_52: "Last 52 weeks",
    Period.ALL: "All time",
}
FINER_FIELDS = (Field.MANUFACTURER, Field.MODEL, Field.SOFTWARE, Field.VISIT, Field.VERSION, Field.GRADED)
"""Behind the button *More filters* until one is chosen."""
RATE_FIELDS = (
    Field.STUDY, Field.SITE, Field.DEVICE, Field.TECHNICIAN, Field.TYPE, Field.EYE, Field.PERIOD, *FINER_FIELDS,
)  # fmt: skip
"""Filters of pages that show rates: the unit is a whole capture, so the slab does not narrow it."""
SCAN_FIELDS = (Field.STUDY, Field.SITE, Field.DEVICE, Field.TYPE, Field.TECHNICIAN, Field.SLAB, Field.EYE)
"""Filters of lists of open work, which has no period: what waits does so whenever it was acquired."""
POINT_FIELDS = (*SCAN_FIELDS, Field.PERIOD, *FINER_FIELDS)
"""Filters of pages that show single scans, whoever graded them."""
_WIDTHS_PX = {
    Field.STUDY: 124, Field.SITE: 120, Field.DEVICE: 128, Field.TECHNICIAN: 160, Field.TYPE: 148, Field.SLAB: 118,
    Field.EYE: 118, Field.PERIOD: 146, Field.DAYS: 230, Field.MODEL: 136, Field.SOFTWARE: 136, Field.VISIT: 118,
    Field.VERSION: 160, Field.GRADED: 160, Field.MANUFACTURER: 160,
}  # fmt: skip
"""As narrow as "all of them" allows: eight of them and the button stand in one row on 1440 pixels. Where there are
fewer they grow (frame.css)."""
_COARSE = {
    Field.STUDY: (Field.SITE, Field.DEVICE, Field.TECHNICIAN),
    Field.SITE: (Field.DEVICE, Field.TECHNICIAN),
    Field.MANUFACTURER: (Field.MODEL,),
}
"""Choosing another study, site or manufacturer forgets what lies within the old one."""
_OTHER_DAYS = "days"
"""Stands among the periods for days of one's own."""
_LEFT_ASIDE = {
    Field.STUDY: "study", Field.SITE: "site", Field.DEVICE: "device", Field.TECHNICIAN: "technician",
    Field.MANUFACTURER: "manufacturer", Field.MODEL: "model", Field.SOFTWARE: "software", Field.TYPE: "scan type",
    Field.SLAB: "slab", Field.EYE: "eye", Field.VISIT: "visit", Field.VERSION: "model version",
    Field.GRADED: "whose grade counts", Field.PERIOD: "period", Field.DAYS: "days",
}  # fmt: skip
_PERIODS = Offer(
    "Period",
    [*Period, _OTHER_DAYS],
    {**{each.value: name for each, name in PERIOD_NAMES.items()}, _OTHER_DAYS: "From … to …"},
    "",
)
_N_ENDS = 2


def url_filters() -> dict[str, str]:
    """The filters as the URL names them, for links that keep them."""
    given = st.query_params.to_dict()
    return {field: given[field] for field in Field if field in given}


def days_value(first: date, last: date) -> str:
    """From one day to another as the URL has it."""
    return f"{first.isoformat()}..{last.isoformat()}"


UNGRADABLE = {"grade": "0"}
"""How the page Examples is asked for the ungradable."""


def days_address(first: str, last: str, filters: Mapping[str, str], asked: Mapping[str, str] = UNGRADABLE) -> str:
    """The address of the scans as ``asked`` that were captured from ``first`` to ``last`` (ISO days)."""
    kept = {name: value for name, value in filters.items() if name not in {Field.PERIOD.value, "by"}}
    return scans_address({**kept, Field.DAYS.value: f"{first}..{last}"}, asked)


def scans_address(query: Mapping[str, str], asked: Mapping[str, str] = UNGRADABLE) -> str:
    """The address of the scans as ``asked`` under these filters."""
    return f"/examples?{urlencode({**query, **asked})}"


def day_bounds(text: str | None) -> tuple[date, date] | None:
    """First day and day after the last of ``2026-08-03..2026-08-16``; None where that names no such days."""
    first, _, last = (text or "").partition("..")
    try:
        bounds = date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)
        whole_weeks(*bounds)  # the calendar's last days are in no whole week
    except (ValueError, OverflowError):
        return None
    return bounds if bounds[0] < bounds[1] else None


def filter_query(chosen: ScanFilter) -> dict[str, str]:
    """What a ScanFilter has chosen, under the names of the URL; the period is named, never given by days."""
    named = {
        Field.STUDY: chosen.study_id,
        Field.SITE: chosen.site_id,
        Field.DEVICE: chosen.device_id,
        Field.TECHNICIAN: chosen.technician_id,
        Field.MANUFACTURER: chosen.manufacturer,
        Field.MODEL: chosen.device_model,
        Field.SOFTWARE: chosen.software_version,
        Field.TYPE: chosen.scan_type,
        Field.SLAB: chosen.slab,
        Field.EYE: chosen.laterality,
        Field.VISIT: chosen.visit_code,
        Field.VERSION: chosen.model_version_id,
        Field.GRADED: chosen.graded_by,
    }
    return {field.value: str(value) for field, value in named.items() if value is not None}


def url_choice(label: str, name: str, words: Mapping[str, str]) -> str:
    """A choice of a page that is no filter, as buttons held in the URL under ``name``; without one the first."""
    key = f"octaudit.choice.{name}"
    asked = st.query_params.get(name, "")
    st.session_state[key] = asked if asked in words else next(iter(words))
    st.segmented_control(
        label, list(words), key=key, format_func=lambda value: words[value], required=True,
        on_change=_write_choice, args=(name, key), label_visibility="collapsed",
    )  # fmt: skip
    chosen: str = st.session_state[key]
    return chosen


def _write_choice(name: str, key: str) -> None:
    st.query_params[name] = st.session_state[key]


def draw_filters(
    session: Session, fields: Sequence[Field], *, today: date, period: Period = Period.ALL, by_week: bool = False
) -> ScanFilter:
    """Draw the filters of a page and return what is chosen; ``period`` is the one without a choice in the URL.

    ``by_week``: the page reads counts, which are kept by week; days within a week are widened to it, and it says so.
    """
    _restore()
    chosen = replace(_read(period, today), since=None, until=None)
    finer = read_finer_choices(session, chosen) if set(FINER_FIELDS) & set(fields) else None
    offers = {**offers_of(read_filter_choices(session, chosen), finer, url_filters()), Field.PERIOD.value: _PERIODS}
    shown = [
        field for field in fields if field in st.query_params or len(offers[field].values) > 1 or offers[field].is_open
    ]
    behind = [field for field in shown if field in FINER_FIELDS and field not in st.query_params]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="octaudit-filters"):
        for field in shown:
            if field is Field.PERIOD:
                _draw_period(offers[field], period, today)
            elif field not in behind:
                _draw_select(field, offers[field])
        if behind:
            with st.popover("More filters", icon=":material/filter_alt:", type="tertiary", key="octaudit.filters.more"):
                for field in behind:
                    _draw_select(field, offers[field])
        if any(field in st.query_params for field in Field):
            st.button("Clear", icon=":material/filter_alt_off:", type="tertiary", on_click=_clear, width="content")
    found = _only(fields, _read(period, today))
    counted = found.in_whole_weeks
    if by_week and counted != found:
        assert counted.since is not None
        assert counted.until is not None, "all time is never widened"
        last = counted.until - timedelta(days=1)
        st.caption(
            f"Counts are kept by week: shown are the whole weeks from {counted.since:%d %b %Y} to {last:%d %b %Y}."
        )
    _say_left_aside(fields)
    return counted if by_week else found


def _say_left_aside(fields: Sequence[Field]) -> None:
    """Name what the URL chooses and this page does not narrow by: nobody shall take it for narrowed."""
    aside = [field for field in _LEFT_ASIDE if field in st.query_params and field not in fields]
    if Field.PERIOD in fields and Field.DAYS in aside:
        aside.remove(Field.DAYS)
    if aside:
        names = " and ".join(_LEFT_ASIDE[field] for field in aside)
        why = " Rates count whole captures." if Field.SLAB in aside and Field.EYE in fields else ""
        st.caption(f"Chosen, but not narrowed by on this page: {names}.{why}")


def filter_in_url(fields: Sequence[Field], *, today: date) -> ScanFilter:
    """What the address chooses of these filters, for a page that draws none of them."""
    return _only(fields, _read(Period.ALL, today))


def _draw_select(field: Field, offer: Offer) -> None:
    key = f"octaudit.filter.{field}"
    options = ["", *offer.values] if offer.all_words else list(offer.values)
    current = st.query_params.get(field, "")
    st.session_state[key] = current if current in options else options[0]
    st.selectbox(
        offer.label,
        options,
        key=key,
        format_func=lambda value: offer.words.get(value, value) if value else offer.all_words,
        on_change=_write,
        args=(field, key),
        width=_WIDTHS_PX[field],
        accept_new_options=offer.is_open,
    )


def _draw_period(offer: Offer, default: Period, today: date) -> None:
    """The period, and beside it the days where they are one's own."""
    key, days_key = "octaudit.filter.period", "octaudit.filter.days"
    bounds = day_bounds(st.query_params.get(Field.DAYS))
    current = _OTHER_DAYS if bounds else st.query_params.get(Field.PERIOD, default)
    st.session_state[key] = current if current in offer.values else default
    st.selectbox(
        offer.label, offer.values, key=key, format_func=lambda value: offer.words[value], on_change=_write_period,
        args=(key, today), width=_WIDTHS_PX[Field.PERIOD],
    )  # fmt: skip
    if bounds is None:
        st.session_state.pop(days_key, None)
        return
    half_chosen = st.session_state.get(days_key)
    if not (isinstance(half_chosen, tuple) and len(half_chosen) == 1):
        st.session_state[days_key] = (bounds[0], bounds[1] - timedelta(days=1))
    st.date_input(
        "Days", key=days_key, format="YYYY-MM-DD", on_change=_write_days, args=(days_key,),
        width=_WIDTHS_PX[Field.DAYS],
    )  # fmt: skip


def _write(field: Field, key: str) -> None:
    value = st.session_state[key]
    for finer in (field, *_COARSE.get(field, ())):
        st.query_params.pop(finer, None)
    if value:
        st.query_params[field] = value
    _remember()


def _write_period(key: str, today: date) -> None:
    """Days of one's own begin with those of the period before them."""
    value = st.session_state[key]
    before = _member(Period, st.query_params.get(Field.PERIOD)) or Period.WEEKS_4
    st.query_params.pop(Field.DAYS, None)
    if value == _OTHER_DAYS:
        since, until = period_bounds(Period.WEEKS_4 if before is Period.ALL else before, today)
        assert since is not None
        assert until is not None, "only all time has no bounds"
        st.query_params.pop(Field.PERIOD, None)
        st.query_params[Field.DAYS] = days_value(since, min(until - timedelta(days=1), today))
    else:
        st.query_params[Field.PERIOD] = value
    _remember()


def _write_days(key: str) -> None:
    days = st.session_state[key]
    if len(days) == _N_ENDS:  # else only the first was clicked so far
        st.query_params[Field.DAYS] = days_value(*days)
        _remember()


def _remember() -> None:
    st.query_params.pop("page", None)  # the tenth page of another list means nothing
    st.session_state[_REMEMBERED] = url_filters()


def _clear() -> None:
    for field in (*Field, "page"):
        st.query_params.pop(field, None)
    st.session_state[_REMEMBERED] = {}


def _restore() -> None:
    """Bring remembered filters into a URL that names none; remember those of a URL that does."""
    if found := url_filters():
        st.session_state[_REMEMBERED] = found
        return
    remembered: dict[str, str] = st.session_state.get(_REMEMBERED, {})
    if remembered:
        st.query_params.update(remembered)


def _read(period: Period, today: date) -> ScanFilter:
    get = st.query_params.get
    since, until = day_bounds(get(Field.DAYS)) or period_bounds(_member(Period, get(Field.PERIOD)) or period, today)
    return ScanFilter(
        study_id=_id(get(Field.STUDY)),
        site_id=_id(get(Field.SITE)),
        device_id=_id(get(Field.DEVICE)),
        technician_id=_id(get(Field.TECHNICIAN)),
        manufacturer=get(Field.MANUFACTURER) or None,
        device_model=get(Field.MODEL) or None,
        software_version=get(Field.SOFTWARE),
        scan_type=get(Field.TYPE) or None,
        slab=_member(Slab, get(Field.SLAB)),
        laterality=_member(Laterality, get(Field.EYE)),
        visit_code=get(Field.VISIT) or None,
        model_version_id=_id(get(Field.VERSION)),
        graded_by=_member(GradeSource, get(Field.GRADED)),
        since=since,
        until=until,
    )


def period_bounds(period: Period, today: date) -> tuple[date | None, date | None]:
    """First day and day after the last of a period; (None, None) for all time."""
    if period is Period.ALL:
        return None, None
    until = today + timedelta(days=7 - today.weekday())
    return until - timedelta(weeks=int(period.removesuffix("w"))), until


def _only(fields: Sequence[Field], chosen: ScanFilter) -> ScanFilter:
    """What this page shows as chosen and nothing else: a filter that cannot be seen must not act."""
    dropped: dict[Field, dict[str, Any]] = {
        Field.STUDY: {"study_id": None},
        Field.SITE: {"site_id": None},
        Field.DEVICE: {"device_id": None},
        Field.TECHNICIAN: {"technician_id": None},
        Field.MANUFACTURER: {"manufacturer": None},
        Field.MODEL: {"device_model": None},
        Field.SOFTWARE: {"software_version": None},
        Field.TYPE: {"scan_type": None},
        Field.SLAB: {"slab": None},
        Field.EYE: {"laterality": None},
        Field.VISIT: {"visit_code": None},
        Field.VERSION: {"model_version_id": None},
        Field.GRADED: {"graded_by": None},
        Field.PERIOD: {"since": None, "until": None},
    }
    for field in dropped.keys() - set(fields):
        chosen = replace(chosen, **dropped[field])
    return chosen


def _id(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdecimal() or int(text) > MAX_ID:
        return None
    return int(text)


def _member(kind: Callable[[str], Any], text: str | None) -> Any:
    """The enum's member of that value, or None where a URL names none."""
    try:
        return kind(text) if text else None
    except ValueError:
        return None
