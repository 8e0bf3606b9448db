"""The tracker's table and board: who owes what until when. Markup from frozen values; each row opens its request."""

from collections.abc import Mapping, Sequence
from datetime import date

from core.store.tracker import OWED, TrackedRequest, TrackerPage
from core.vocabulary import RequestState
from core.wording import EYE_NAMES, REASON_NAMES, REQUEST_NAMES, scan_words
from dashboard.components.countdown import countdown
from dashboard.components.markup import Content, Html, chip, count, join, page_link, tag

LANES = (
    RequestState.REQUESTED,
    RequestState.ACKNOWLEDGED,
    RequestState.SCHEDULED,
    RequestState.RECEIVED,
    RequestState.REGRADED,
    RequestState.CLOSED,
    RequestState.NOT_POSSIBLE,
)
"""The board's columns, in the order in which a request goes through them."""
CARDS = 8
"""Cards of one column; the table has the rest."""


def tracker_words(found: TrackerPage) -> Html:
    """How much is open, whose move it is, and what is overdue."""
    owed = sum(found.by_state.get(state, 0) for state in OWED)
    answered = sum(found.by_state.get(state, 0) for state in (RequestState.RECEIVED, RequestState.REGRADED))
    late = chip(f"▲ {count(found.n_overdue)} overdue", "bad") if found.n_overdue else None
    return tag(
        "p",
        tag("b", f"{count(owed + answered)} open. "),
        f"{count(owed)} wait for a site, {count(answered)} for the reading centre. ",
        late,
        class_="verdict",
        role="status",
    )


def tracker_table(items: Sequence[TrackedRequest], today: date, query: Mapping[str, str]) -> Html:
    """One row per request; ``query`` keeps the page's filters when one is opened."""
    heads = ("Scan", "Eye", "Reason", "State", "Window", "Owner", "Requested")
    head = tag("thead", tag("tr", *(tag("th", words, scope="col") for words in heads)))
    rows = [_row(item, today, query) for item in items]
    return tag(
        "div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label="Requests",
    )  # fmt: skip


def _row(item: TrackedRequest, today: date, query: Mapping[str, str]) -> Html:
    what = scan_words(item.scan_type, item.slab)
    state: list[Content] = [chip(REQUEST_NAMES[item.state], _tone(item))]
    if item.n_rounds > 1:
        state += [" ", chip(f"Round {item.round_number} of {item.n_rounds}", "warn")]
    if item.replacement_scan_id is not None:
        link = page_link("new scan", "scan", {"id": item.replacement_scan_id})
        state.append(tag("span", link, " · found by the program" if item.is_link_found else None, class_="name"))
    return tag(
        "tr",
        tag("th", _opener(item, query), tag("span", what, class_="name"), scope="row"),
        tag("td", tag("b", item.laterality), tag("span", EYE_NAMES[item.laterality], class_="name")),
        tag("td", REASON_NAMES[item.reason], title=item.reason_words),
        tag("td", *state),
        tag("td", _window(item, today)),
        tag("td", item.owner or tag("span", "nobody yet", class_="muted")),
        tag("td", f"{item.created_at:%d %b %Y}"),
    )


def _opener(item: TrackedRequest, query: Mapping[str, str]) -> Html:
    words = f"{item.site_code} · {item.subject_code} · {item.visit_code}"
    return page_link(words, "tracker", {**query, "request": item.id})


def _tone(item: TrackedRequest) -> str:
    if item.state is RequestState.CLOSED:
        return "good"
    return "calm" if not item.is_open else "info"


def _window(item: TrackedRequest, today: date) -> Content:
    if item.is_owed:
        return countdown(item.days_left(today), item.due_on)
    if item.is_open:
        return tag("span", "replacement sent", class_="muted")
    assert item.closed_at is not None, "what is not open has ended"
    return tag("span", f"ended {item.closed_at:%d %b %Y}", class_="muted")


def board(
    lanes: Mapping[RequestState, Sequence[TrackedRequest]],
    by_state: Mapping[RequestState, int],
    today: date,
    query: Mapping[str, str],
    *,
    chosen_id: int | None,
) -> Html:
    """A column per state with its cards, the soonest due on top; a card opens the request with its buttons."""
    columns = [_lane(state, lanes.get(state, ()), by_state.get(state, 0), today, query, chosen_id) for state in LANES]
    return tag("div", *columns, class_="board", tabindex="0", role="region", aria_label="Board of requests")


def _lane(  # noqa: PLR0917 - one column of the board
    state: RequestState,
    items: Sequence[TrackedRequest],
    n: int,
    today: date,
    query: Mapping[str, str],
    chosen_id: int | None,
) -> Html:
    head = tag("h3", REQUEST_NAMES[state], tag("span", count(n)))
    if not items:
        return tag("section", head, tag("p", "none", class_="none"), class_="lane", aria_label=REQUEST_NAMES[state])
    cards = tag("ul", *(_card(item, today, query, is_chosen=item.id == chosen_id) for item in items))
    rest = page_link(f"{count(n - len(items))} more", "tracker", {**query, "view": "table", "state": state.value})
    more = tag("p", rest, class_="none") if n > len(items) else None
    return tag("section", head, cards, more, class_="lane", aria_label=REQUEST_NAMES[state])


def _card(item: TrackedRequest, today: date, query: Mapping[str, str], *, is_chosen: bool) -> Html:
    eye = tag("span", item.laterality, class_="eye")
    words = f"{item.subject_code} · {item.visit_code}"
    link = page_link(words, "tracker", {**query, "view": "board", "request": item.id})
    owner = tag("span", f"{item.site_code} · {item.owner or 'no owner yet'}", class_="muted")
    again = chip(f"Round {item.round_number}", "warn") if item.round_number > 1 else None
    left = countdown(item.days_left(today), item.due_on) if item.is_owed else None
    parts = (tag("div", eye, " ", tag("b", link)), tag("span", REASON_NAMES[item.reason]), owner, left, again)
    return tag("li", join(parts), class_="is-chosen" if is_chosen else None)
