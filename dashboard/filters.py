"""The filters that every page shares, held in the URL: a link shows a colleague the same numbers.

The URL is the truth. Widgets are set from it before they are drawn and write back when they change; what was chosen is
also remembered for the session, so that a filter survives the way to another page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.orm import Session

from core.store.scan_filter import Choice, ScanFilter, read_filter_choices
from core.vocabulary import Laterality, Slab
from core.wording import EYE_NAMES, SLAB_NAMES, scan_type_words

_REMEMBERED = "octaudit.filters"
MAX_ID = 2**63 - 1
"""Largest id of the database; a longer number in a URL is no id."""


class Field(StrEnum):
    """A filter's name in the URL."""

    STUDY = "study"
    SITE = "site"
    DEVICE = "device"
    TECHNICIAN = "technician"
    MODEL = "model"
    SOFTWARE = "software"
    TYPE = "type"
    SLAB = "slab"
    EYE = "eye"
    PERIOD = "period"
    DAYS = "days"
    """From one day to another, both included: ``2026-08-03..2026-08-16``; only links set it. Outweighs the period."""


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
RATE_FIELDS = (Field.STUDY, Field.SITE, Field.DEVICE, Field.TECHNICIAN, Field.TYPE, Field.PERIOD)
"""Filters of pages that show rates: the unit is a whole capture, so slab and eye do not narrow it."""
UNIT_FIELDS = (*RATE_FIELDS[:-1], Field.MODEL, Field.SOFTWARE, Field.PERIOD)
"""Filters of pages that compare units: a link from one of them may name a model or a software version."""
SCAN_FIELDS = (Field.STUDY, Field.SITE, Field.DEVICE, Field.TYPE, Field.TECHNICIAN, Field.SLAB, Field.EYE)
"""Filters of lists of open work, which has no period: what waits does so whenever it was acquired."""
_WIDTHS_PX = {
    Field.STUDY: 124, Field.SITE: 120, Field.DEVICE: 128, Field.TECHNICIAN: 160, Field.TYPE: 148, Field.SLAB: 118,
    Field.EYE: 118, Field.PERIOD: 146, Field.DAYS: 200, Field.MODEL: 136, Field.SOFTWARE: 136,
}  # fmt: skip
"""As narrow as "all of them" allows: eight of them and the button stand in one row on 1440 pixels. Where there are
fewer they grow (frame.css)."""
_COARSE = {Field.STUDY: (Field.SITE, Field.DEVICE, Field.TECHNICIAN), Field.SITE: (Field.DEVICE, Field.TECHNICIAN)}
"""Choosing another study or site forgets what lies within the old one."""


@dataclass(frozen=True, slots=True)
class _Offer:
    label: str
    values: Sequence[str]
    words: Mapping[str, str]
    all_words: str


def url_filters() -> dict[str, str]:
    """The filters as the URL names them, for links that keep them."""
    return {field: st.query_params[field] for field in Field if field in st.query_params}


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


def _day_bounds(text: str | None) -> tuple[date, date] | None:
    """First day and day after the last; None where the URL names no such days."""
    first, _, last = (text or "").partition("..")
    try:
        return date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1)
    except ValueError:
        return None


def filter_query(chosen: ScanFilter) -> dict[str, str]:
    """What a ScanFilter has chosen, under the names of the URL; the period is named, never given by days."""
    named = {
        Field.STUDY: chosen.study_id,
        Field.SITE: chosen.site_id,
        Field.DEVICE: chosen.device_id,
        Field.TECHNICIAN: chosen.technician_id,
        Field.MODEL: chosen.device_model,
        Field.SOFTWARE: chosen.software_version,
        Field.TYPE: chosen.scan_type,
        Field.SLAB: chosen.slab,
        Field.EYE: chosen.laterality,
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


def draw_filters(session: Session, fields: Sequence[Field], *, today: date, period: Period = Period.ALL) -> ScanFilter:
    """Draw the filters of a page and return what is chosen; ``period`` is the one without a choice in the URL."""
    _restore()
    chosen = replace(_read(period, today), since=None, until=None)
    choices = read_filter_choices(session, chosen)
    offers = {
        Field.STUDY: _of_choices("Study", choices.studies, "All studies"),
        Field.SITE: _of_choices("Site", choices.sites, "All sites"),
        Field.DEVICE: _of_choices("Device", choices.devices, "All devices"),
        Field.TECHNICIAN: _of_choices("Technician", choices.technicians, "All technicians"),
        Field.MODEL: _Offer("Model", _given(Field.MODEL), {}, "All models"),
        Field.SOFTWARE: _Offer("Software", _given(Field.SOFTWARE), {}, "All versions"),
        Field.TYPE: _Offer(
            "Scan type", choices.scan_types, {each: scan_type_words(each) for each in choices.scan_types}, "All types"
        ),
        Field.SLAB: _Offer("Slab", list(Slab), {slab: SLAB_NAMES[slab] for slab in Slab}, "All slabs"),
        Field.EYE: _Offer("Eye", list(Laterality), {e: f"{e} · {EYE_NAMES[e]}" for e in Laterality}, "Both eyes"),
        Field.DAYS: _Offer("Days", _given(Field.DAYS), {}, "Any day"),
        Field.PERIOD: _Offer("Period", list(Period), {each: PERIOD_NAMES[each] for each in Period}, ""),
    }
    shown = [field for field in fields if field in st.query_params or len(offers[field].values) > 1]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="octaudit-filters"):
        for field in shown:
            _draw_select(field, offers[field], default=period if field is Field.PERIOD else None)
        if any(field in st.query_params for field in Field):
            st.button("Clear", icon=":material/filter_alt_off:", type="tertiary", on_click=_clear, width="content")
    return _only(fields, _read(period, today))


def filter_in_url(fields: Sequence[Field], *, today: date) -> ScanFilter:
    """What the address chooses of these filters, for a page that draws none of them."""
    return _only(fields, _read(Period.ALL, today))


def _draw_select(field: Field, offer: _Offer, *, default: str | None) -> None:
    key = f"octaudit.filter.{field}"
    options = ["", *offer.values] if offer.all_words else list(offer.values)
    current = st.query_params.get(field, default or "")
    st.session_state[key] = current if current in options else options[0]
    st.selectbox(
        offer.label,
        options,
        key=key,
        format_func=lambda value: offer.words.get(value, value) if value else offer.all_words,
        on_change=_write,
        args=(field, key),
        width=_WIDTHS_PX[field],
    )


def _write(field: Field, key: str) -> None:
    value = st.session_state[key]
    for finer in (field, *_COARSE.get(field, ())):
        st.query_params.pop(finer, None)
    if value:
        st.query_params[field] = value
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
    since, until = _day_bounds(get(Field.DAYS)) or period_bounds(_member(Period, get(Field.PERIOD)) or period, today)
    return ScanFilter(
        study_id=_id(get(Field.STUDY)),
        site_id=_id(get(Field.SITE)),
        device_id=_id(get(Field.DEVICE)),
        technician_id=_id(get(Field.TECHNICIAN)),
        device_model=get(Field.MODEL) or None,
        software_version=get(Field.SOFTWARE),
        scan_type=get(Field.TYPE) or None,
        slab=_member(Slab, get(Field.SLAB)),
        laterality=_member(Laterality, get(Field.EYE)),
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
        Field.MODEL: {"device_model": None},
        Field.SOFTWARE: {"software_version": None},
        Field.TYPE: {"scan_type": None},
        Field.SLAB: {"slab": None},
        Field.EYE: {"laterality": None},
        Field.PERIOD: {"since": None, "until": None},
    }
    for field in dropped.keys() - set(fields):
        chosen = replace(chosen, **dropped[field])
    return chosen


def _given(field: Field) -> list[str]:
    """The one value that a link has chosen: there is no list of what else there is."""
    return [st.query_params[field]] if st.query_params.get(field) else []


def _of_choices(label: str, choices: Sequence[Choice], all_words: str) -> _Offer:
    return _Offer(label, [str(c.id) for c in choices], {str(c.id): c.label for c in choices}, all_words)


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
