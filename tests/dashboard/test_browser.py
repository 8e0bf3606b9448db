"""The real server in a real Chromium: sign in, see every page, use the viewer; nothing leaves this machine."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from builders import make_grant
from clinics import Clinics, build_clinics
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from served import PATIENCE_MS, chromium, serve, settle, watched_page
from sqlalchemy import text
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.database import tables
from core.database.session import Database, session_scope
from core.passwords import hash_password
from core.settings import Settings
from core.storage import open_blob_store
from core.vocabulary import Role

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PATIENCE_OF_A_PAGE_MS = 5000
STREAMLIT_KEEPS_FROM_BYTES = 10_000
NAME, PASSWORD = "ada", "three quiet herons wade"
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def clinics(owner_database: Database, settings: Settings) -> Clinics:
    with session_scope(owner_database) as session:
        rows = build_clinics(session, open_blob_store(settings))
        user = tables.User(name=NAME, display_name="Ada Byron", password_hash=hash_password(PASSWORD))
        session.add(user)
        session.flush()
        make_grant(session, user, Role.QC_TECHNICIAN, study=session.get_one(tables.Study, rows.study_id))
    return rows


@pytest.fixture
def address(settings: Settings) -> Iterator[str]:
    """Where the server answers, run as ``octaudit up`` runs it."""
    with serve(settings) as found:
        yield found


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def strays() -> list[str]:
    """What the page asked of other hosts, and what went wrong in it."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, strays: list[str]) -> Page:
    return watched_page(browser, address, strays)


def sign_in(page: Page, address: str, path: str) -> None:
    page.goto(address + path)
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def heading(page: Page, name: str) -> None:
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def test_a_person_signs_in_looks_around_and_decides(
    page: Page, address: str, clinics: Clinics, owner_database: Database, strays: list[str]
):
    sign_in(page, address, f"/scan?id={clinics.flagged_id}")
    # The first deep link of the process runs below app.py, with its sidebar.
    expect(page.get_by_text("Ada Byron")).to_be_visible()
    expect(page.get_by_role("button", name="Deploy")).to_have_count(0)
    use_viewer(page)
    page.get_by_role("link", name="Overview").click()
    heading(page, "Overview")
    expect(page.get_by_text("No captures in this selection")).to_be_visible()  # the builders' Monday is long past
    page.goto(f"{address}/overview?period=all")
    expect(page.get_by_text("Gradable at the first pass")).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart]").first).to_be_visible()
    page.get_by_role("link", name="Flagged, to decide").click()
    heading(page, "Worklist")
    expect(page).to_have_url(re.compile(r"/worklist\?tab=to-decide"))
    page.get_by_role("link", name="The model is not sure").first.click()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Accepted.")).to_be_visible()
    page.get_by_role("link", name="Examples").click()
    heading(page, "Examples")
    expect(page.locator("article.card")).to_have_count(4)
    tile = page.locator("article.card img").first
    expect(tile).to_have_js_property("naturalWidth", 160)
    with session_scope(owner_database) as session:
        session.execute(text("update session set revoked_at = now()"))
    # At once: an open page of an ended session is cut off within ten seconds, and answers to nothing any more.
    page.get_by_role("link", name="Worklist").dispatch_event("click")
    heading(page, "Your session has ended")
    assert strays == []


def test_an_open_page_says_that_its_session_was_ended_and_leads_back_to_itself(
    page: Page, address: str, clinics: Clinics, owner_database: Database, strays: list[str]
):
    sign_in(page, address, "/worklist?tab=to-decide")
    heading(page, "Worklist")
    page.get_by_role("link", name="The model is not sure").first.click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    settle(page)
    # A socket that closes for another reason, of a session that goes on, says nothing.
    with page.expect_response("**/api/v1/session") as asked:
        page.evaluate(
            "() => { const other = new WebSocket(`ws://${location.host}/_stcore/stream`); "
            "other.onopen = () => other.close(); }"
        )
    assert asked.value.status == 200
    told = page.get_by_role("dialog", name="You were signed out")
    expect(told).to_have_count(0)
    with session_scope(owner_database) as session:
        session.execute(text("update session set revoked_at = now()"))
    expect(told).to_be_visible()  # without a click
    expect(told.get_by_text("Your session was ended elsewhere")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(told).to_be_visible()
    violations = Axe().run(page, context=".octa-signed-out").response["violations"]
    assert violations == []
    told.get_by_role("link", name="Sign in again").click()
    page.get_by_label("User name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/scan\?.*id="))
    assert strays == []


def test_back_and_forward_lead_through_the_pages_as_they_were_seen(
    page: Page, address: str, clinics: Clinics, strays: list[str]
):
    sign_in(page, address, "/worklist?tab=to-decide")
    heading(page, "Worklist")
    settle(page)
    seen = [(page.url, shown_heading(page))]
    page.get_by_role("link", name="The model is not sure").first.click()
    expect(page).to_have_url(re.compile("/scan"))
    settle(page)
    seen.append((page.url, shown_heading(page)))
    page.keyboard.press("n")
    expect(page).not_to_have_url(seen[-1][0])
    settle(page)
    seen.append((page.url, shown_heading(page)))
    page.get_by_role("link", name="Examples").click()
    expect(page).to_have_url(re.compile("/examples"))
    settle(page)
    assert len({words for _, words in seen}) == len(seen)
    for url, words in reversed(seen):
        page.go_back()
        expect(page.get_by_role("heading", level=1).first).to_have_text(words)
        expect(page).to_have_url(url)
        settle(page)
    page.go_forward()
    expect(page.get_by_role("heading", level=1).first).to_have_text(seen[1][1])
    expect(page).to_have_url(seen[1][0])
    assert strays == []


def shown_heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).first.inner_text()


def test_a_page_whose_connection_streamlit_gives_up_is_loaded_anew_once(
    page: Page, address: str, clinics: Clinics, strays: list[str]
):
    sockets: list[WebSocketRoute] = []

    def watch(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket("**/_stcore/stream", watch)
    sign_in(page, address, "/worklist?tab=to-decide")
    heading(page, "Worklist")
    settle(page)
    page.evaluate("document.body.dataset.isFirst = 'yes'")
    before = len(sockets)
    sockets[-1].send(ForwardMsg(ref_hash="of what nobody sent").SerializeToString())
    expect(page.get_by_text("Connection error")).to_be_visible()
    expect(page.locator("body[data-is-first]")).to_have_count(0)
    heading(page, "Worklist")
    settle(page)
    assert len(sockets) == before + 1
    # The same again at once: loading anew did not help, so the page stays with what Streamlit says.
    page.evaluate("document.body.dataset.isFirst = 'yes'")
    sockets[-1].send(ForwardMsg(ref_hash="of what nobody sent").SerializeToString())
    expect(page.get_by_text("Connection error")).to_be_visible()
    page.wait_for_timeout(PATIENCE_OF_A_PAGE_MS + 2000)
    expect(page.locator("body[data-is-first]")).to_have_count(1)
    assert ["Cached ForwardMsg MISS" in stray for stray in strays] == [True, True]


def test_no_part_of_a_page_is_sent_as_one_that_the_browser_has_already(
    page: Page, address: str, clinics: Clinics, strays: list[str]
):
    sent: list[ForwardMsg] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sent.append(_message(frame))))
    sign_in(page, address, f"/scan?id={clinics.flagged_id}")
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    settle(page)
    for _ in range(2):
        page.get_by_role("link", name="Worklist").click()
        heading(page, "Worklist")
        settle(page)
        page.get_by_role("link", name="The model is not sure").first.click()
        expect(page.get_by_role("heading", name="History")).to_be_visible()
        settle(page)
    large = [message for message in sent if message.ByteSize() > STREAMLIT_KEEPS_FROM_BYTES]
    assert len({message.hash for message in large}) < len(large), "nothing large was sent twice"
    assert [message.ref_hash for message in sent if message.ref_hash] == []
    assert strays == []


def _message(frame: str | bytes) -> ForwardMsg:
    assert isinstance(frame, bytes)
    return ForwardMsg.FromString(frame)


def use_viewer(page: Page) -> None:
    """Zoom by button and key, contrast, and an overlay that changes pixels."""
    canvas = page.locator(".viewer canvas").first
    expect(canvas).to_be_visible()
    zoom = page.locator(".viewer output.zoom")
    page.get_by_role("button", name="1:1").click()
    expect(zoom).to_have_text("100 %")
    canvas.press("+")
    expect(zoom).to_have_text("125 %")
    page.get_by_role("button", name="Fit").click()
    with_mask = until(lambda: colourful(page), lambda n: n > 1000)  # the mask's file may still be on its way
    page.get_by_label("Motion").uncheck()
    until(lambda: colourful(page), lambda n: n < with_mask / 2)
    page.get_by_label("Grad-CAM").check()
    until(lambda: colourful(page), lambda n: n > 1000)
    page.get_by_label("Contrast").fill("40")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_text("Length bar: scale from manifest")).to_be_visible()


def until(read: Callable[[], int], is_right: Callable[[int], bool]) -> int:
    """What ``read`` gives once it is right; AssertionError where it is not so within PATIENCE_MS."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not is_right(value := read()):
        assert time.monotonic() < end, f"{value} all the time"
        time.sleep(0.1)
    return value


def colourful(page: Page) -> int:
    """How many pixels of the first pane are not grey, two frames from now."""
    return page.locator(".viewer canvas").first.evaluate(
        """canvas => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let n = 0;
            for (let i = 0; i < data.length; i += 4)
              n += Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 24;
            done(n);
        })))"""
    )
