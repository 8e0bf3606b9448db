"""Picture every page of a running installation with the demo study: light and dark, 1440 and 1024 px wide.

``make screenshots`` after ``make demo`` in another terminal; the pictures lie in runs/screenshots. Sessions are made in
the database as its owner, so no password is needed. ``make screenshots ONLY="scan upload"`` takes those pages alone.
"""

import hashlib
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import now
from core.database import tables
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.settings import load_settings
from core.usecases.keep_running import Reach

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from browser import find_chromium, launch_arguments
from screenshot_scenes import Uploader, flagged_scan, make_draft, make_receipt, marked_scan, ungraded_scan

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
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


@dataclass(frozen=True)
class Shot:
    """One page to picture: as whom (None: nobody is signed in), where, and what is done there first."""

    name: str
    person: str | None
    address: str
    prepare: Callable[[Page], None] = lambda _: None


def show_all_overlays(page: Page) -> None:
    """Grad-CAM on as well, beside the masks and the outline that are on from the start."""
    page.get_by_label("Grad-CAM").check()


def open_popover(label: str) -> Callable[[Page], None]:
    """Open one of the page's popovers or folded forms."""
    return lambda page: page.get_by_text(label, exact=True).first.click()


def shots(session: Session, draft_id: int, receipt_id: int) -> list[Shot]:
    """Every page, and what on it shows at a click only."""
    flagged, marked = flagged_scan(session), marked_scan(session)
    parts = ("Studies", "Protocol", "Sites", "Devices", "Technicians", "Users", "Roles")
    return [
        Shot("overview", "manager", "/?period=26w"),
        Shot("overview-empty", "grader-1", "/"),
        Shot("sites", "manager", "/sites"),
        Shot("sites-device", "manager", "/sites?by=device"),
        Shot("sites-standardised", "manager", "/sites?rates=standardised"),
        Shot("sites-scans", "manager", "/sites?view=scans"),
        Shot("trends", "manager", "/trends"),
        Shot("trends-device", "manager", "/trends?by=device"),
        Shot("why", "manager", "/why"),
        Shot("agreement", "manager", "/agreement"),
        Shot("watch", "manager", "/watch"),
        Shot("watch-calibration", "manager", "/watch?view=calibration"),
        Shot("watch-versions", "manager", "/watch?view=versions"),
        Shot("faz", "manager", "/faz"),
        Shot("faz-device", "manager", "/faz?group=device&scale=corrected"),
        Shot("worklist", "qc", "/worklist"),
        Shot("worklist-empty", "qc", "/worklist?tab=stuck"),
        Shot("site-worklist", "cedar", "/worklist?tab=reacquire"),
        Shot("scan", "qc", f"/scan?id={flagged}"),
        Shot("scan-overlays", "qc", f"/scan?id={marked}", show_all_overlays),
        Shot("scan-grader", "grader-1", f"/scan?id={ungraded_scan(session, 'grader-1')}"),
        Shot("scan-unknown", "qc", "/scan?id=999999999"),
        Shot("examples", "manager", "/examples?grade=0"),
        Shot("examples-borderline", "manager", "/examples?set=borderline"),
        Shot("models", "study-admin", "/models", open_popover("Activate a model")),
        Shot("models-cards", "manager", "/models?view=cards"),
        Shot("models-again", "study-admin", "/models?view=again", open_popover("Score again with another model")),
        Shot("bulk", "qc", "/bulk"),
        Shot("grading", "grader-3", "/grading"),
        Shot("grading-settle", "adjudicator", "/grading"),
        Shot("grading-plan", "manager", "/grading"),
        Shot("tracker", "manager", "/tracker"),
        Shot("tracker-board", "manager", "/tracker?view=board"),
        Shot("feedback", "cedar", "/feedback"),
        Shot("certificates", "manager", "/certificates"),
        Shot("completeness", "manager", "/completeness"),
        Shot("annotate", "manager", "/annotate"),
        Shot("reports", "manager", "/reports"),
        Shot("uploads", "cedar", "/uploads"),
        Shot("actions", "manager", "/actions"),
        Shot("alerts", "manager", "/alerts"),
        Shot("queue", "manager", "/scoring-queue"),
        Shot("audit", "study-admin", "/audit"),
        Shot("account", "qc", "/account"),
        Shot("upload", "cedar", "/upload"),
        Shot("upload-draft", "cedar", f"/upload?batch={draft_id}"),
        Shot("upload-receipt", "cedar", f"/upload?batch={receipt_id}"),
        *(Shot(f"admin-{part.lower()}", "study-admin", f"/admin?part={part}&of=DEMO") for part in parts),
        Shot("admin-change", "study-admin", "/admin?part=Devices&of=DEMO", open_popover("Change a device")),
        Shot("sign-in", None, "/login"),
        Shot("password", "qc", "/password"),
    ]


def picture(page: Page, url: str, shot: Shot, path: Path) -> None:
    """Load a page, wait until Streamlit is still, and save all of it."""
    page.goto(url + shot.address, wait_until="networkidle")
    if page.locator("[data-testid=stApp]").count() == 0:  # the sign-in and password forms are plain pages
        page.screenshot(path=path)
        return
    page.wait_for_function(IS_STILL, timeout=PATIENCE_MS)
    shot.prepare(page)
    # Streamlit scrolls inside the page, so a full-page picture needs a window as tall as the content.
    for _ in range(2):  # charts and images may still have grown after the first look
        content_px = int(page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight"))
        width_px = page.viewport_size["width"]
        page.set_viewport_size({"width": width_px, "height": min(max(HEIGHT_PX, content_px), TALLEST_PX)})
        page.evaluate("window.stillSince = null")
        page.wait_for_function(IS_STILL, timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)


def take(browser: Browser, url: str, chosen: list[Shot], tokens: dict[str, str], folder: Path) -> None:
    """Every shot in every theme and width."""
    for theme in THEMES:
        for width in WIDTHS_PX:
            for shot in chosen:
                context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": HEIGHT_PX})
                if shot.person is not None:
                    context.add_cookies([{"name": "octaudit_session", "value": tokens[shot.person], "url": url}])
                picture(context.new_page(), url, shot, folder / f"{shot.name}-{theme}-{width}.png")
                context.close()


def main() -> None:
    """Picture the installation of OCTAUDIT_HOME."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/screenshots")
    only = sys.argv[2:]
    folder.mkdir(parents=True, exist_ok=True)
    settings = load_settings()
    with open_database(settings, DatabaseRole.OWNER) as owner:
        with session_scope(owner) as session:
            people = ("manager", "qc", "cedar", "grader-1", "grader-3", "adjudicator", "study-admin")
            tokens = {person: open_session(session, person) for person in people}
        draft_id, receipt_id = 0, 0
        if not only or any(name.startswith("upload-") for name in only):
            with open_database(settings, DatabaseRole.DASHBOARD) as dashboard:
                uploader = Uploader(dashboard, settings, tokens["cedar"])
                draft_id, receipt_id = make_draft(uploader), make_receipt(uploader, owner)
        with session_scope(owner) as session:
            chosen = [shot for shot in shots(session, draft_id, receipt_id) if not only or shot.name in only]
    reach = Reach(settings.dashboard_host, settings.dashboard_port)
    chromium = find_chromium()  # which may ask Playwright itself, and that starts only once at a time
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        take(browser, reach.url, chosen, tokens, folder)
        browser.close()


if __name__ == "__main__":
    main()
