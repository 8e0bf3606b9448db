"""The filters of the audit browser, held in the URL: study, site, person, kind, action, record and period."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from core.store.audit_trail import Person, Place, TrailFilter, TrailKind
from core.store.scan_filter import Choice, FilterChoices
from dashboard.filters import MAX_ID

INSTALLATION = "installation"
"""As study: what belongs to none, such as sign-ins."""
EVERYTHING = ""
KIND_NAMES = {
    TrailKind.ALL: "Everything",
    TrailKind.SIGN_INS: "Sign-ins",
    TrailKind.REFUSALS: "Refusals",
    TrailKind.EXPORTS: "Exports",
    TrailKind.SIGNATURES: "Signatures",
    TrailKind.ACCOUNTS: "Accounts & roles",
}
DAYS = {"1": "Today", "7": "Last 7 days", "30": "Last 30 days", "365": "Last year", EVERYTHING: "All time"}
KEPT = ("study", "site", "person", "kind", "days", "action", "entity", "record")
"""Names in the URL."""


def kept_query() -> dict[str, str]:
    """The filters as the URL names them, without the place in the list."""
    return {name: st.query_params[name] for name in KEPT if st.query_params.get(name)}


def draw_trail_filters(choices: FilterChoices, people: Sequence[Person], *, is_global: bool) -> None:
    """One row of boxes set from the URL; what a link has chosen beside them is shown with a way out."""
    studies = {str(each.id): each.label for each in choices.studies}
    if is_global:
        studies = {EVERYTHING: "All studies", INSTALLATION: "Installation", **studies}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _box("Study", "study", studies)
        _box("Site", "site", {EVERYTHING: "All sites", **_labels(choices.sites)})
        _box("Person", "person", {EVERYTHING: "Everybody", **{str(each.id): each.label for each in people}})
        _box("Kind", "kind", {kind.value: name for kind, name in KIND_NAMES.items()})
        _box("Period", "days", DAYS)
        if st.query_params.get("action") or st.query_params.get("entity"):
            words = " ".join(st.query_params.get(name, "") for name in ("action", "entity", "record")).strip()
            st.button(f"Only {words.replace('_', ' ')}", icon=":material/close:", on_click=_forget_record)


def chosen_trail(choices: FilterChoices, *, is_global: bool, today: date) -> TrailFilter:
    """What the URL asks for. Who is no administrator of all studies looks at one study at a time."""
    query = st.query_params
    study = query.get("study", EVERYTHING)
    study_id = _id(study)
    if study_id is None and not is_global:
        study_id = choices.studies[0].id if choices.studies else 0
    days = query.get("days", EVERYTHING)
    since = None
    if days in DAYS and days:
        first = today - timedelta(days=int(days) - 1)
        since = datetime.combine(first, time.min, UTC)
    kind = query.get("kind", TrailKind.ALL.value)
    return TrailFilter(
        study_id=study_id,
        is_installation=is_global and study == INSTALLATION,
        site_id=_id(query.get("site")),
        actor_id=_id(query.get("person")),
        kind=TrailKind(kind) if kind in set(TrailKind) else TrailKind.ALL,
        action=query.get("action"),
        entity=query.get("entity"),
        entity_id=_id(query.get("record")),
        since=since,
    )


def place_of_url() -> Place | None:
    """Where the page before ended; None for the newest events, and for what makes no sense."""
    moment, _, id_ = st.query_params.get("after", "").partition("_")
    try:
        return Place(datetime.fromtimestamp(int(moment) / 1e6, UTC), int(id_)) if int(id_) <= MAX_ID else None
    except (ValueError, OverflowError, OSError):
        return None


def write_place(place: Place | None) -> None:
    """Put the place into the URL, to the microsecond, or take it out."""
    if place is None:
        st.query_params.pop("after", None)
        return
    since_epoch = place.happened_at - datetime.fromtimestamp(0, UTC)
    st.query_params["after"] = f"{since_epoch // timedelta(microseconds=1)}_{place.id}"


def _box(label: str, name: str, options: Mapping[str, str]) -> None:
    asked = st.query_params.get(name, "")
    key = f"audit.{name}"
    st.session_state[key] = asked if asked in options else next(iter(options), None)
    st.selectbox(
        label, list(options), key=key, format_func=options.__getitem__, width=190, on_change=_write, args=(name,)
    )


def _write(name: str) -> None:
    st.query_params.pop("after", None)
    value = st.session_state[f"audit.{name}"]
    if name == "study":
        st.query_params.pop("site", None)
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def _forget_record() -> None:
    for name in ("action", "entity", "record", "after"):
        st.query_params.pop(name, None)


def _labels(choices: Sequence[Choice]) -> dict[str, str]:
    return {str(each.id): each.label for each in choices}


def _id(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and int(text) <= MAX_ID else None
