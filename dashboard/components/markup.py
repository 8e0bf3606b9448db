"""Small pieces of HTML as strings, every value escaped. Pure: knows neither Streamlit nor the database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from urllib.parse import quote_plus, urlencode

from core.wording import count, percent

__all__ = ["TONES", "Content", "Html", "chip", "count", "join", "page_link", "percent", "safe", "tag"]

# A table repeats a handful of names, classes and words thousands of times.
_MOST_KEPT = 4096
_escape = lru_cache(_MOST_KEPT)(escape)
_quote = lru_cache(_MOST_KEPT)(quote_plus)

TONES = ("good", "warn", "bad", "info", "calm")


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is known to be safe: made here, with everything from outside escaped."""

    text: str

    def __str__(self) -> str:
        """The markup."""
        return self.text


Content = Html | str | float | int | None


def safe(content: Content) -> str:
    """Markup as it is; anything else as escaped text."""
    if content is None:
        return ""
    return content.text if isinstance(content, Html) else _escape(str(content))


def join(parts: Iterable[Content], separator: str = "") -> Html:
    """The parts one after the other."""
    return Html(separator.join(map(safe, parts)))


def tag(name: str, *contents: Content, **attributes: str | float | bool | None) -> Html:
    """An element. ``class_`` becomes class, ``aria_label`` aria-label; None and False leave an attribute out."""
    written = "".join(
        [
            _attribute(key) if value is True else f'{_attribute(key)}="{_escape(str(value))}"'
            for key, value in attributes.items()
            if value is not None and value is not False
        ]
    )
    if name in {"img", "br", "input"}:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{''.join(map(safe, contents))}</{name}>")


@lru_cache(_MOST_KEPT)
def _attribute(key: str) -> str:
    return f" {key.rstrip('_').replace('_', '-')}"


def chip(text: str, tone: str = "calm", *, title: str | None = None) -> Html:
    """A status chip. The words carry the meaning, the colour only helps."""
    assert tone in TONES, tone
    return tag("span", text, class_=f"chip {tone}", title=title)


def page_link(
    content: Content, page: str, query: Mapping[str, object] | None = None, *, class_: str | None = None
) -> Html:
    """A link to one of our pages; opened in place by the panel, and in a new tab like any link."""
    address = f"/{page}" + (f"?{urlencode(query, quote_via=_quote)}" if query else "")
    return tag("a", content, href=address, data_page=page, class_=class_)
