"""A drop zone for one small table (CSV), whose bytes come to the page; scans have an uploader of their own."""

import base64
import binascii
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).resolve().parent
MAX_BYTES = 2_000_000
"""5,000 planned visits have about 0.3 MB; the page's own connection carries no more than 16 MB at once."""


def choose_table(call: str, *, key: str) -> bytes | None:
    """Show the drop zone with ``call`` in it; the bytes of a file in the one run after it was chosen, else None."""
    result = _component()(data={"call": call, "maxBytes": MAX_BYTES}, key=key, on_chosen_change=_nothing)
    try:
        return base64.b64decode(result.chosen["content"], validate=True) if result.chosen else None
    except (binascii.Error, KeyError, TypeError):
        return None


def _nothing() -> None:
    """A trigger needs a callback to exist; the value is read from the result."""


@cache
def _component() -> Any:
    return st.components.v2.component(
        "octaudit.table_file",
        css=(FOLDER.parent / "uploader.css").read_text("utf-8"),
        js=(FOLDER / "table_file.js").read_text("utf-8"),
    )
