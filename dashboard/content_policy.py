"""The content security policy of every answer: what a page of ours may load and run, and why no less.

Scripts come from this host alone. Streamlit's start page has one inline script, allowed by its hash, by nothing else;
its components load as blob modules; charts are drawn by Vega's interpreter, so nothing is compiled from text. Styles
stay open to inline ones: Streamlit writes them into the page as it runs, and our own markup gives single elements their
width, colour and place. No text that a person typed reaches either: markup is escaped.
"""

import base64
import hashlib
import re
from pathlib import Path

import streamlit as st

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def start_page() -> str:
    """Streamlit's start page as it is installed."""
    return (Path(st.__file__).parent / "static" / "index.html").read_text("utf-8")


def script_hashes(page: str) -> tuple[str, ...]:
    """The sources of a policy that allow the inline scripts of a page, and no other text."""
    digests = (hashlib.sha256(text.encode()).digest() for text in _INLINE_SCRIPT.findall(page))
    return tuple(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def content_security_policy(page: str) -> str:
    """The policy under which ``page`` and everything that it loads runs."""
    directives = {
        "default-src": ("'self'",),
        "script-src": ("'self'", *script_hashes(page), "blob:"),
        "style-src": ("'self'", "'unsafe-inline'"),
        "img-src": ("'self'", "data:", "blob:"),
        "font-src": ("'self'", "data:"),
        "connect-src": ("'self'",),
        "worker-src": ("'self'", "blob:"),
        "object-src": ("'none'",),
        "base-uri": ("'self'",),
        "form-action": ("'self'",),
        "frame-ancestors": ("'none'",),
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())
