"""The dashboard as ``octaudit up`` runs it, over a test's database, and a browser that notes what it should not do.

Import as `from served import chromium, serve, signed_in`.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from browser import find_chromium, launch_arguments
from playwright.sync_api import Browser, Page, expect, sync_playwright
from steady import wait_until_still

from core.settings import Settings
from core.usecases.keep_running import Reach, dashboard_program

PATIENCE_MS = 60_000
"""The machine may be busy with the rest of the suite."""


@contextmanager
def serve(settings: Settings) -> Iterator[str]:
    """Where the server answers, for as long as the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    urls = {
        f"OCTAUDIT_{name.upper()}": value.get_secret_value()
        for name, value in settings
        if name.endswith("_url") and hasattr(value, "get_secret_value")
    }
    program = dashboard_program(settings, Reach("127.0.0.1", port))
    server = subprocess.Popen(program.command, env={**os.environ, **urls, **program.environment}, cwd=settings.home)
    try:
        yield _wait_for(f"http://127.0.0.1:{port}", server)
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            if httpx.get(f"{address}/healthz").status_code == 200:
                return address
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server did not answer within two minutes")


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A browser for as long as the block runs, with more arguments for its command line where a test needs them."""
    path = find_chromium()
    assert path, "python tests/browser.py fetches a browser"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*launch_arguments(), *arguments])
        yield browser
        browser.close()


def signed_in(browser: Browser, address: str, token: str, strays: list[str]) -> Page:
    """A watched page of the person whose session's token this is."""
    page = watched_page(browser, address, strays)
    page.context.add_cookies([{"name": "octaudit_session", "value": token, "url": address}])
    return page


WRONG = ("Content Security Policy", "encountered fatal error")
"""Words of the browser's log that a page must not cause: a thing refused, and a connection that Streamlit gives up."""


def watched_page(browser: Browser, address: str, strays: list[str]) -> Page:
    """A page that notes in ``strays`` what it asks of other hosts and what goes wrong in it."""
    opened = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    opened.set_default_timeout(PATIENCE_MS)
    host = address.removeprefix("http://")
    own = (f"http://{host}/", f"ws://{host}/", "data:", "blob:")
    opened.on("request", lambda asked: None if asked.url.startswith(own) else strays.append(asked.url))
    opened.on("pageerror", lambda error: strays.append(str(error)))
    opened.on("console", lambda said: strays.append(said.text) if any(w in said.text for w in WRONG) else None)
    return opened


QUIET_MS = 700
"""Streamlit fades what is being drawn anew after half a second, and starts a second run when a component answers."""


def settle(page: Page) -> None:
    """Wait until a page of the application has a heading and has drawn nothing anew for ``QUIET_MS``.

    An open list closes when the page is drawn anew, and what is being drawn is paler than it will be.
    """
    expect(page.get_by_role("heading", level=1).first).to_be_visible(timeout=PATIENCE_MS)
    wait_until_still(page, QUIET_MS)
