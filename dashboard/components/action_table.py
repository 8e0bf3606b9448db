"""Actions as a table, and what was said of a unit's flags in sentences. Markup from frozen values."""

from collections.abc import Sequence
from datetime import date

from core.store.action import ActionRow
from core.store.flag_acknowledgement import Acknowledgement
from core.usecases.flag_sites import Indicator
from core.vocabulary import ActionKind, ActionState
from dashboard.components.markup import Content, Html, chip, count, join, page_link, tag
from dashboard.filters import Field

KIND_NAMES = {
    ActionKind.ISSUE: "Issue",
    ActionKind.RETRAINING: "Retraining",
    ActionKind.SUSPENSION: "Certificate suspended",
}
_TONES = {ActionKind.ISSUE: "info", ActionKind.RETRAINING: "info", ActionKind.SUSPENSION: "bad"}
INDICATOR_NAMES = {
    Indicator.POOR: "ungradable captures",
    Indicator.MOTION: "motion",
    Indicator.LOW_SIGNAL: "low signal",
    Indicator.DECENTRATION: "off centre",
    Indicator.DEVIATION: "captures off protocol",
}


def end_words(kind: ActionKind, state: ActionState) -> str:
    """How an action ended: a suspension is lifted."""
    return "lifted" if kind is ActionKind.SUSPENSION else state.value


def action_table(actions: Sequence[ActionRow], today: date, *, is_linked: bool) -> Html:
    """One row per action; ``is_linked``: the unit's name leads to its comparison with the others."""
    is_over = any(action.state is not ActionState.OPEN for action in actions)
    heads = ("What", "About", "Site", "Owner", "How it ended" if is_over else "Due", "Opened")
    head = tag("thead", tag("tr", *(tag("th", words, scope="col") for words in heads)))
    rows = [_row(action, today, is_linked=is_linked) for action in actions]
    return tag(
        "div", tag("table", head, tag("tbody", *rows)), class_="scroll", tabindex="0", role="region",
        aria_label="Actions",
    )  # fmt: skip


def action_rows(actions: Sequence[ActionRow], today: date) -> list[dict[str, object]]:
    """One row per action, as the download has it."""
    return [
        {
            "study": action.study_code,
            "site": action.site_code,
            "kind": action.kind.value,
            "unit_kind": action.unit_kind.value,
            "unit": action.unit_label,
            "text": action.text,
            "owner": action.owner,
            "due_on": action.due_on,
            "state": action.state.value,
            "is_overdue": action.is_overdue(today),
            "opened_by": action.opened_by,
            "opened_at": action.opened_at,
            "closed_at": action.closed_at,
            "closing": action.closing,
        }
        for action in actions
    ]


def actions_line(actions: Sequence[ActionRow], today: date) -> Html:
    """How many actions concern a site, for the top of its worklist; leads to them."""
    n_overdue = sum(action.is_overdue(today) for action in actions)
    lead = f"{len(actions)} open action{'' if len(actions) == 1 else 's'} of the reading centre"
    late = chip(f"{n_overdue} overdue", "bad") if n_overdue else None
    return tag("p", page_link(lead, "actions"), " ", late, class_="verdict", role="status")


def _row(action: ActionRow, today: date, *, is_linked: bool) -> Html:
    what = join([chip(KIND_NAMES[action.kind], _TONES[action.kind]), tag("p", action.text, class_="words")])
    about: Content = action.unit_label
    if is_linked:
        query = {Field.STUDY.value: action.study_id, "by": action.unit_kind.value, "unit": action.unit_key}
        about = page_link(action.unit_label, "sites", query)
    return tag(
        "tr",
        tag("th", what, scope="row"),
        tag("td", about, tag("span", action.unit_kind.value, class_="name")),
        tag("td", f"{action.study_code}, {action.site_code}"),
        tag("td", action.owner),
        tag("td", _due(action, today) if action.state is ActionState.OPEN else _end(action)),
        tag("td", f"{action.opened_at:%d %b %Y}", tag("span", f"by {action.opened_by}", class_="name")),
    )


def _due(action: ActionRow, today: date) -> Content:
    if action.due_on is None:
        return "until it is lifted"
    days = (action.due_on - today).days
    day = f"{action.due_on:%d %b %Y}"
    if days < 0:
        return join([day, " ", chip(f"overdue by {_days(-days)}", "bad")])
    return join([day, " ", tag("span", "today" if days == 0 else f"in {_days(days)}", class_="muted")])


def _days(n: int) -> str:
    return f"{count(n)} day{'' if n == 1 else 's'}"


def _end(action: ActionRow) -> Html:
    assert action.closed_at is not None, "what is not open was closed"
    words = f"{end_words(action.kind, action.state)} {action.closed_at:%d %b %Y}"
    return join([words[:1].upper() + words[1:], tag("p", action.closing, class_="words muted")])


def acknowledged_words(found: Sequence[Acknowledgement]) -> Html:
    """Who has seen which flag, when, and what they said; those with one comment as one sentence."""
    if not found:
        return tag("p", "Nobody has acknowledged a flag that stands.", class_="muted")
    first = min(found, key=lambda each: each.at)
    flags = ", ".join(INDICATOR_NAMES[Indicator(each.key.indicator)] for each in found)
    comments = list(dict.fromkeys(each.comment for each in found))
    lead = f"Flag acknowledged by {first.by} on {first.at:%d %b %Y} ({flags}): "
    return tag("p", chip("acknowledged", "good"), " ", lead, *(tag("q", each) for each in comments))


def seen_by(found: Sequence[Acknowledgement]) -> str:
    """The same in a few words, for what hovers over a mark."""
    return "; ".join(dict.fromkeys(f"{each.by}, {each.at:%d %b %Y}: {each.comment}" for each in found))
