"""Picture every page of a running installation with the demo study: light and dark, 1440 and 1024 px wide.

``make screenshots`` after ``make demo`` in another terminal; the pictures lie in runs/screenshots. Sessions are made in
the database as its owner, so no password is needed.
"""

import hashlib
import secrets
import sys
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import now
from core.database import tables
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.settings import load_settings
from core.usecases.keep_running import Reach
from core.vocabulary import ScanState

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from browser import find_chromium, launch_arguments

THEMES = ("light", "dark")
WIDTHS_PX = (1440, 1024)
HEIGHT_PX = 900
TALLEST_PX = 6000
PATIENCE_MS = 120_000
IS_STILL = """() => {
  const drawn = document.querySelector('[data-testid="stMainBlockContainer"] [data-testid="stElementContainer"]');
  const busy = document.querySelector('[data-testid*="Skeleton"], [data-testid="stStatusWidget"]');
  window.stillSince = drawn && !busy ? (window.stillSince ?? performance.now()) : null;
  return window.stillSince !== null && performance.now() - window.stillSince > 1500;
}"""
"""Something is drawn, nothing is awaited, and it has been so for a while: charts and images come last."""


def open_session(session: Session, name: str) -> str:
    """A session token of a person, valid for an hour."""
    user_id = session.scalars(select(tables.User.id).where(tables.User.name == name)).one()
    token, moment, hour = secrets.token_urlsafe(32), now(), timedelta(hours=1)
    session.add(
        tables.Session(
            token_sha256=hashlib.sha256(token.encode()).hexdigest(), user_id=user_id, last_seen_at=moment,
            idle_timeout=hour, ends_at=moment + hour, expires_at=moment + hour,
        )
    )  # fmt: skip
    return token


def addresses(session: Session) -> list[tuple[str, str, str]]:
    """(name of the picture, person, address) of every page."""
    flagged = session.scalars(
        select(tables.Scan.id).where(tables.Scan.state == ScanState.UNDER_REVIEW.value).order_by(tables.Scan.id.desc())
    ).first()
    parts = ("Studies", "Protocol", "Sites", "Devices", "Technicians", "Users", "Roles")
    return [
        ("overview", "manager", "/?period=26w"),
        ("worklist", "qc", "/worklist"),
        ("scan", "qc", f"/scan?id={flagged}"),
        ("examples", "manager", "/examples"),
        ("upload", "cedar", "/upload"),
        ("site-worklist", "cedar", "/worklist?tab=reacquire"),
        *((f"admin-{part.lower()}", "study-admin", f"/admin?part={part}&of=DEMO") for part in parts),
    ]


def picture(page: Page, url: str, path: Path) -> None:
    """Load a page, wait until Streamlit is still, and save all of it."""
    page.goto(url, wait_until="networkidle")
    page.wait_for_function(IS_STILL, timeout=PATIENCE_MS)
    # Streamlit scrolls inside the page, so a full-page picture needs a window as tall as the content.
    for _ in range(2):  # charts and images may still have grown after the first look
        content_px = int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
        width_px = page.viewport_size["width"]
        page.set_viewport_size({"width": width_px, "height": min(max(HEIGHT_PX, content_px), TALLEST_PX)})
        page.evaluate("window.stillSince = null")
        page.wait_for_function(IS_STILL, timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)


def take(browser: Browser, url: str, pages: list[tuple[str, str, str]], tokens: dict[str, str], folder: Path) -> None:
    """Every page in every theme and width."""
    for theme in THEMES:
        for width in WIDTHS_PX:
            for name, person, address in pages:
                context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": HEIGHT_PX})
                context.add_cookies([{"name": "octaudit_session", "value": tokens[person], "url": url}])
                picture(context.new_page(), url + address, folder / f"{name}-{theme}-{width}.png")
                context.close()


def main() -> None:
    """Picture the installation of OCTAUDIT_HOME."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    settings = load_settings()
    with open_database(settings, DatabaseRole.OWNER) as database, session_scope(database) as session:
        pages = addresses(session)
        tokens = {person: open_session(session, person) for person in {person for _, person, _ in pages}}
    reach = Reach(settings.dashboard_host, settings.dashboard_port)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=launch_arguments())
        take(browser, reach.url, pages, tokens, folder)
        browser.close()


if __name__ == "__main__":
    main()
