"""A person acts on what stands still: every click and entry of a browser test waits until the page has been drawn.

Streamlit draws a page bit by bit, and what is clicked while it is drawn anew loses the click. Playwright waits for the
element alone, not for the rest of the page.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from playwright.sync_api import Locator

STILL_MS = 300
AT_MOST_MS = 10_000
"""A page that shows work in progress is never still for long."""
ACTS = ("click", "fill", "focus", "check", "uncheck", "hover", "press", "select_option", "set_input_files")

_IS_STILL = """([still_ms, at_most_ms]) => {
    const now = performance.now();
    if (!document.querySelector('[data-testid="stApp"]')) return true;
    window.actionSince ??= now;
    const busy = document.querySelector('[data-testid="stStatusWidget"], [data-stale="true"], [data-testid="stSkeleton"]');
    if (busy || window.stillSince === undefined) window.stillSince = now;
    if (now - window.stillSince < still_ms && now - window.actionSince < at_most_ms) return false;
    delete window.stillSince; delete window.actionSince;
    return true;
}"""


def act_on_still_pages(patch: pytest.MonkeyPatch) -> None:
    """From now on every act of a locator waits for its page."""
    for name in ACTS:
        patch.setattr(Locator, name, _waiting(getattr(Locator, name)))


def _waiting(act: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(act)
    def on_still_page(found: Locator, *arguments: Any, **named: Any) -> Any:
        found.page.wait_for_function(_IS_STILL, arg=[STILL_MS, AT_MOST_MS])
        return act(found, *arguments, **named)

    return on_still_page
