"""axe-core over every page of the navigation and every form before it, light and dark: no serious or critical fault.

A new page is looked at as soon as it stands in dashboard.navigation. What Streamlit itself gets wrong and cannot be
told to do otherwise is named in OF_STREAMLIT by rule and selector, with the reason; nothing else is left out.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from builders import login_token, make_grant, make_user
from databases import fresh_settings
from demo_rows import write_demo_rows
from playwright.sync_api import Page, expect
from served import PATIENCE_MS, chromium, serve, settle, watched_page
from sqlalchemy import select

from core.clock import now
from core.database import tables
from core.database.embedded import Addresses
from core.database.roles import DatabaseRole
from core.database.session import open_database, session_scope
from core.vocabulary import Role
from dashboard.navigation import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)
GRAVE = {"serious", "critical"}
SIDEBAR = '[data-testid="stSidebarNav"]'
OF_STREAMLIT = {
    ("list", SIDEBAR): "st.navigation puts the sections' headings beside the items of its one list",
    ("listitem", SIDEBAR): "the same list: its items are told to be lone because of the headings between them",
}
"""(rule, selector of the part of the page) -> why it is Streamlit's and cannot be told otherwise."""
OF_COLOUR = ("color-contrast", "link-in-text-block")
"""The rules that look at colours; they are the slow ones, on a page of tables."""
FORMS = ("login", "password", "logout")
VIEWS = (
    "sites?view=scans", "agreement?view=faz", "watch?view=calibration", "watch?view=versions", "models?view=cards",
    "models?view=again", "grading?view=settle", "grading?view=checks", "grading?view=plan", "worklist?tab=reacquire",
    "worklist?tab=queried", "worklist?tab=stuck", "tracker?view=board", "completeness?view=planned",
    "completeness?view=all", "admin?part=Sites", "admin?part=Devices", "admin?part=Technicians", "admin?part=Protocol",
    "admin?part=Re-evaluation", "admin?part=Users", "admin?part=Roles", "admin?part=API clients", "overview?period=all",
)  # fmt: skip
"""Views of pages that are not the first one."""


class Everybody:
    """A person with every role, so that every page of the navigation is open."""

    def __init__(self, page: Page, address: str, token: str, scan_id: int) -> None:
        self.page, self.address, self.scan_id = page, address, scan_id
        page.context.add_cookies([{"name": "octaudit_session", "value": token, "url": address}])

    def opens(self, path: str) -> None:
        self.page.goto(f"{self.address}/{path}")
        if path.split("?", maxsplit=1)[0] not in FORMS:
            settle(self.page)

    def turns(self, scheme: str) -> None:
        """Light or dark, as the browser's owner wishes; the page follows without loading anew."""
        ground = "getComputedStyle(document.querySelector('[data-testid=\"stApp\"]') ?? document.body).backgroundColor"
        before = self.page.evaluate(ground)
        is_dark = self.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # else colours are still on their way
        if is_dark != (scheme == "dark"):
            self.page.wait_for_function(f"before => {ground} !== before", arg=before)


@pytest.fixture(scope="module")
def everybody(
    servers: Addresses, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Everybody]:
    with fresh_settings(servers, database_template, tmp_path_factory.mktemp("axe")) as settings:
        with open_database(settings, DatabaseRole.OWNER) as owner, session_scope(owner) as session:
            write_demo_rows(session, now().date() - timedelta(days=1))
            person = make_user(session, name="everybody", display_name="Everybody")
            study = session.scalars(select(tables.Study)).one()
            for role in Role:
                make_grant(session, person, role, study=study)
            make_grant(session, person, Role.ADMIN)
            scan_id = session.scalars(select(tables.Scan.id).where(tables.Scan.state == "under_review")).first()
            assert scan_id is not None
            token = login_token(session, person)
        with serve(settings) as address, chromium() as browser:
            yield Everybody(watched_page(browser, address, []), address, token, scan_id)


def faults(page: Page, *, of_colour_alone: bool = False) -> list[str]:
    """Serious and critical violations as ``rule: selector element``, without what is Streamlit's."""
    asked: dict[str, object] = {"resultTypes": ["violations"]}
    if of_colour_alone:
        asked["runOnly"] = {"type": "rule", "values": list(OF_COLOUR)}
    found = Axe().run(page, options=asked).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
        if not _is_streamlits(page, rule["id"], node["target"][0])
    ]


def _is_streamlits(page: Page, rule: str, target: object) -> bool:
    parts = [part for named, part in OF_STREAMLIT if named == rule]
    if not isinstance(target, str) or not parts:
        return False  # inside a component's own tree: ours
    within = "([target, part]) => document.querySelector(target)?.closest(part) != null"
    return any(page.evaluate(within, [target, part]) for part in parts)


@pytest.mark.parametrize("path", [*(page.url_path for page in PAGES), *FORMS])
def test_no_page_has_a_serious_or_critical_fault_in_light_or_dark(everybody: Everybody, path: str) -> None:
    seen = {}
    query = f"?id={everybody.scan_id}" if path == "scan" else ""
    everybody.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    everybody.opens(f"{path}{query}")
    for scheme in ("light", "dark"):
        everybody.turns(scheme)
        # The elements are the same in the dark: what can be wrong there alone is their colours.
        if found := faults(everybody.page, of_colour_alone=scheme == "dark"):
            seen[scheme] = found
    assert not seen, "\n".join(f"{scheme}: {fault}" for scheme, found in seen.items() for fault in found)


@pytest.mark.slow
@pytest.mark.parametrize("path", VIEWS)
def test_no_other_view_of_a_page_has_a_serious_or_critical_fault(everybody: Everybody, path: str) -> None:
    everybody.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    everybody.opens(path)
    assert faults(everybody.page) == []


def test_every_exception_is_still_needed(everybody: Everybody) -> None:
    everybody.opens("overview")
    found = Axe().run(everybody.page, options={"resultTypes": ["violations"]}).response["violations"]
    told = {rule["id"] for rule in found}
    assert {rule for rule, _ in OF_STREAMLIT} <= told
