"""Live sessions as a table. Markup from frozen values."""

from collections.abc import Sequence

from core.store.login_session import LiveSession
from dashboard.components.markup import Content, Html, chip, tag


def session_table(lines: Sequence[LiveSession]) -> Html:
    """One row per session, last used first; the one that asks is marked."""
    heads = ("With", "Signed in (UTC)", "Last used (UTC)", "Ends unused (UTC)")
    head = tag("thead", tag("tr", *(tag("th", words, scope="col") for words in heads)))
    body = tag("tbody", *(_row(line) for line in lines))
    return tag("div", tag("table", head, body), class_="scroll", tabindex="0", role="region", aria_label="Sessions")


def _row(line: LiveSession) -> Html:
    moments = (line.opened_at, line.last_seen_at, line.expires_at)
    own: list[Content] = [" ", chip("this one", "info")] if line.is_own else []
    return tag(
        "tr",
        tag("th", line.client or "unknown", *own, scope="row"),
        *(tag("td", f"{moment:%d %b %Y, %H:%M}") for moment in moments),
    )
