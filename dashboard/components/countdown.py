"""How long a site still has, in words and with a sign that is read without colour. Markup from plain values."""

from datetime import date

from core.wording import days_left_words, days_owed_words
from dashboard.components.markup import Html, tag

SOON_DAYS = 7
"""A window that ends within a week is marked: an appointment takes about that long to make."""
OVERDUE, SOON, CALM = "▲", "◆", "○"
"""Signs before the words: past its day, within a week, later. Colour only repeats them."""
_TONES = {OVERDUE: "bad", SOON: "warn", CALM: None}


def countdown(days: int | None, due_on: date | None, *, is_owed: bool = True) -> Html:
    """``▲ overdue by 3 days``, ``◆ 2 days left``, ``○ 20 days left`` with the day below it; without one that.

    ``is_owed`` False: nobody was asked for anything, and only the visit window has closed.
    """
    sign = sign_of(days)
    mark = tag("span", sign, class_="sign", aria_hidden="true") if sign else None
    day = tag("span", f"until {due_on:%d %b %Y}", class_="small muted") if due_on else None
    tone = _TONES[sign] if sign else None
    words = tag("strong", mark, " " if mark else None, (days_owed_words if is_owed else days_left_words)(days))
    return tag("div", words, day, class_=f"due {tone or ''}".strip())


def sign_of(days: int | None) -> str | None:
    """The sign of a number of days left; None without a due day."""
    if days is None:
        return None
    return OVERDUE if days < 0 else SOON if days <= SOON_DAYS else CALM
