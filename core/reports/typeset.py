"""Sets a document as PDF: a Typst template and frozen content in, bytes out. Same content and moment: same bytes.

The content reaches the template as data and is never read as markup, so nothing that a person typed can become any.
Fonts are embedded; scripts that the report's own font lacks come from the fonts of the machine, where it has them.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst

from core.charts.palette import AMBER, BETTER, CALM, FAINT, RED
from core.charts.print_theme import BRAND, FONT, INK, LINE, MUTED, PANEL, TONES
from core.reports.chart_image import FONTS

_TEMPLATES = files("core.reports") / "templates"


@dataclass(frozen=True, slots=True)
class Document:
    """What a report says. ``content`` is JSON and depends on the data alone, never on who asks or when."""

    template: str
    title: str
    scope: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SetDocument:
    """A finished PDF. ``content_sha256`` covers content and template, not the moment and the number."""

    pdf: bytes
    content_sha256: str
    n_pages: int


def typeset(document: Document, *, made_at: datetime, number: int | None = None) -> SetDocument:
    """Set ``document``; ``number`` is the report's own, None where it has none (a file that nobody keeps)."""
    source, content = _source(document.template), _content(document)
    content_sha256 = hashlib.sha256(source + content.encode()).hexdigest()
    made = {"at": f"{made_at:%d %b %Y, %H:%M} UTC", "number": number, "content": content_sha256[:16]}
    inputs = {"data": content, "made": json.dumps(made)}
    pdf = typst.compile(
        source, format="pdf", font_paths=_fonts(), sys_inputs=inputs, timestamp=int(made_at.timestamp())
    )
    n_pages = typst.query(source, "<pages>", field="value", one=True, font_paths=_fonts(), sys_inputs=inputs)
    return SetDocument(pdf, content_sha256, int(json.loads(n_pages)))


def _content(document: Document) -> str:
    tones = {name: {"ink": ink, "paper": paper} for name, (ink, paper) in TONES.items()}
    colours = {
        "brand": BRAND, "ink": INK, "muted": MUTED, "line": LINE, "panel": PANEL, "red": RED, "amber": AMBER,
        "calm": CALM, "better": BETTER, "faint": FAINT,
    }  # fmt: skip
    whole = {
        **document.content, "title": document.title, "scope": document.scope, "colours": colours, "tones": tones,
        "font": FONT, "mark": (_TEMPLATES / "mark.svg").read_text("utf-8"),
    }  # fmt: skip
    return json.dumps(whole, ensure_ascii=False, sort_keys=True)


@cache
def _source(template: str) -> bytes:
    return b"\n".join((_TEMPLATES / f"{name}.typ").read_bytes() for name in ("base", template))


@cache
def _fonts() -> typst.Fonts:
    folders = [FONTS]
    found = find_spec("matplotlib")
    if found is not None and found.origin is not None:  # its DejaVu knows more scripts; only where it is installed
        folders.append(str(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"))
    return typst.Fonts(include_system_fonts=True, include_embedded_fonts=True, font_paths=folders)
