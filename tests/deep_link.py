"""Opens a page of the application as a link from outside does: in one run, without the Overview before it."""

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.navigation import PAGES


def led_to(test: AppTest, path: str) -> AppTest:
    """The same AppTest, whose next run draws the page of this file, "pages/scan.py".

    AppTest.switch_page knows the pages only after a run, which draws the Overview.
    """
    test._page_hash = calc_hash(next(page.url_path for page in PAGES if page.path == path))
    return test


def opened(test: AppTest, path: str) -> AppTest:
    """Run once at the page of this file; ValueError where the person has no such page."""
    led_to(test, path).run()
    if test._page_hash not in test._registered_pages:
        raise ValueError(f"Could not find a navigation page for {path}.")
    return test
