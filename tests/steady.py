"""A person acts on what stands still: every click and entry of a browser test waits until the page has been drawn.

Streamlit draws a page bit by bit, and what is clicked while it is drawn anew loses the click. Playwright waits for the
element alone, not for the rest of the page.
"""

from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

STILL_MS = 300
AT_MOST_MS = 10_000
"""A page that shows work in progress is never still for long: then an act goes on all the same."""
ACTS = ("click", "fill", "focus", "check", "uncheck", "hover", "press", "select_option", "set_input_files")

_WAITS = count()
_IS_STILL = """([wait, still_ms, at_most_ms]) => {
    const now = performance.now();
    if (!document.querySelector('[data-testid="stApp"]')) return true;
    if (window.stillWait?.number !== wait) window.stillWait = { number: wait, began: now, since: now };
    if (document.querySelector('[data-testid="stStatusWidget"], [data-stale="true"], [data-testid="stSkeleton"]'))
        window.stillWait.since = now;
    const isLate = at_most_ms !== null && now - window.stillWait.began >= at_most_ms;
    return isLate || now - window.stillWait.since >= still_ms;
}"""


def wait_until_still(page: Page, still_ms: int, at_most_ms: int | None = None) -> None:
    """Wait until a page of the application has drawn nothing anew for ``still_ms``.

    After ``at_most_ms`` it goes on all the same; None: the page has to become still, or the test fails.
    """
    page.wait_for_function(_IS_STILL, arg=[next(_WAITS), still_ms, at_most_ms])


def act_on_still_pages(patch: pytest.MonkeyPatch) -> None:
    """From now on every act of a locator waits for its page."""
    for name in ACTS:
        patch.setattr(Locator, name, _waiting(getattr(Locator, name)))


def _waiting(act: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(act)
    def on_still_page(found: Locator, *arguments: Any, **named: Any) -> Any:
        wait_until_still(found.page, STILL_MS, AT_MOST_MS)
        return act(found, *arguments, **named)

    return on_still_page
