"""The pieces that a report's content is made of: cells, rates and sentences as JSON that the templates know."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from core.statistics.proportions import Proportion
from core.store.completeness import SiteCompleteness
from core.wording import count, percent

Part = dict[str, Any]
Cell = str | Part | None
_MARKED = re.compile(r"(\*\*.+?\*\*|\*.+?\*)")


def rich(text: str) -> list[list[str]]:
    """``**bold** and *slanted*`` as runs of [style, text]; captions are written so for the pages."""
    runs = []
    for piece in _MARKED.split(text):
        if piece.startswith("**"):
            runs.append(["bold", piece.strip("*")])
        elif piece.startswith("*"):
            runs.append(["slanted", piece.strip("*")])
        elif piece:
            runs.append(["", piece])
    return runs


def chip(text: str, tone: str = "calm") -> Part:
    """A status in its colour; the words carry the meaning."""
    return {"chip": text, "tone": tone}


def named(name: str, below: str = "") -> Part:
    """A code with what it is called in small below."""
    return {"name": name, "below": below}


def bar(rate: Proportion | None, *, is_judged: bool = True) -> Part:
    """A rate between 0 and 100 % with its interval; an empty bar where there is none."""
    if rate is None:
        return {"bar": None}
    return {"bar": [rate.low, rate.value, rate.high], "judged": is_judged}


def share(rate: Proportion | None) -> str:
    """``71 %``, or a dash where nothing was counted."""
    return "–" if rate is None else percent(rate.value)


def of(k: int, n: int) -> str:
    """``12 of 80``."""
    return f"{count(k)} of {count(n)}"


def interval(rate: Proportion | None) -> str:
    """``60 % to 80 %``."""
    return "–" if rate is None else f"{percent(rate.low)} to {percent(rate.high)}"


def table(heads: Sequence[tuple[str, str, str]], rows: Sequence[Sequence[Cell]]) -> Part:
    """A table: per column its title, its alignment (left, right) and its width as Typst has it (1fr, auto, 20mm)."""
    return {
        "heads": [{"title": title, "align": align, "width": width} for title, align, width in heads],
        "rows": [list(row) for row in rows],
    }


def period_words(since: date, until: date) -> str:
    """``1 Jun 2026 – 22 Nov 2026 (25 weeks)``; ``until`` is the day after the last."""
    n_weeks, days = divmod((until - since).days, 7)
    length = f"{n_weeks} weeks" if not days and n_weeks > 1 else f"{(until - since).days} days"
    return f"{_day(since)} – {_day(until - timedelta(days=1))} ({length})"


def received_of(complete: Sequence[SiteCompleteness]) -> tuple[int, int]:
    """Expected scans of which anything was received, and all that were expected, over these sites."""
    return sum(site.n_received for site in complete), sum(site.n_expected for site in complete)


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
