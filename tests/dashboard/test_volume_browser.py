"""The volume's page in a real Chromium over the real server: B-scans, surfaces that turn, and the fovea moved."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from builders import make_member, make_site, make_study, make_subject, make_visit
from playwright.sync_api import Browser, Page, expect
from served import PATIENCE_MS, chromium, serve, settle, signed_in
from sqlalchemy import select
from volume_scans import N_LINES, Eye, draw_eye, make_volume_scan, make_volume_slot

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import open_blob_store
from core.vocabulary import Laterality, Role

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
expect.set_options(timeout=PATIENCE_MS)
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
"""WebGL without a graphics card."""


@dataclass(frozen=True)
class Ward:
    """A right eye at two visits, 21 um thicker at the second, and the left eye at the second."""

    token: str
    grader: str
    """Of a person who has graded nothing yet."""
    scan_id: int


@pytest.fixture
def ward(owner_database: Database, settings: Settings) -> Ward:
    blobs = open_blob_store(settings)
    with session_scope(owner_database) as session:
        study = make_study(session, code="RET-1", name="Retina study")
        site = make_site(session, study, code="S01", name="Leipzig")
        subject = make_subject(session, site, code="P-001")
        first, second = (make_visit(session, subject, code=code) for code in ("V1", "V2"))
        make_volume_scan(session, blobs, site, Eye(), slot=make_volume_slot(session, site, visit=first))
        left = make_volume_slot(session, site, visit=second, laterality=Laterality.OS)
        make_volume_scan(session, blobs, site, Eye(seed=6, laterality=Laterality.OS), slot=left, days=28)
        slot = make_volume_slot(session, site, visit=second)
        scan = make_volume_scan(session, blobs, site, Eye(seed=7, thicker_um=21.0), slot=slot, days=28)
        tokens = (make_member(session, role, study=study)[1] for role in (Role.QC_TECHNICIAN, Role.GRADER))
        return Ward(*tokens, scan.id)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium(*SOFTWARE_GL) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, settings: Settings, ward: Ward) -> Iterator[Page]:
    """The scan's page; it may ask nothing of another host, break no rule of its own policy, and not go wrong."""
    strays: list[str] = []
    with serve(settings) as address:
        opened = signed_in(browser, address, ward.token, strays)
        opened.goto(f"{address}/scan?id={ward.scan_id}")
        settle(opened)
        yield opened
        opened.context.close()
    assert strays == []


CAMERA = "() => document.querySelector('.js-plotly-plot')._fullLayout.scene._scene.getCamera().eye"


DISTANCE = f"() => {{ const eye = ({CAMERA})(); return Math.hypot(eye.x, eye.y, eye.z); }}"
"""Of the camera from the middle of the surface."""


def show(page: Page, what: str) -> None:
    page.get_by_test_id("stButtonGroup").get_by_text(what, exact=True).click()
    settle(page)


def test_a_reviewer_steps_through_the_bscans_turns_the_surface_and_moves_the_fovea(
    page: Page, ward: Ward, owner_database: Database
):
    check_bscans(page)
    check_map(page)
    check_surface_turns(page, "Borders in 3-D")
    check_surface_turns(page, "Thickness in 3-D")
    check_surface_zooms(page)
    check_other_visit(page)
    check_fovea_moves(page, ward, owner_database)


def test_a_masked_grader_leafs_through_all_b_scans_with_nothing_drawn_over_them(
    browser: Browser, settings: Settings, ward: Ward
):
    strays: list[str] = []
    with serve(settings) as address:
        page = signed_in(browser, address, ward.grader, strays)
        page.goto(f"{address}/scan?id={ward.scan_id}")
        place, slider, bscan = (page.locator(f".volume {each}") for each in (".place", ".slice", ".bscan canvas"))
        expect(place).to_have_text(f"B-scan {N_LINES // 2 + 1} of {N_LINES}")
        settle(page)
        slider.focus()
        for key, shown in (("ArrowRight", N_LINES // 2 + 1), ("End", N_LINES - 1), ("Home", 0)):
            page.keyboard.press(key)
            expect(bscan).to_have_attribute("data-shown", str(shown))
        expect(bscan).not_to_have_attribute("aria-label", re.compile("borders"))
        for hidden in (".fundus", ".model", ".device", ".fill", ".pick"):
            expect(page.locator(f".volume {hidden}")).to_be_hidden()
        page.get_by_text("Usable (1)", exact=True).click()
        page.get_by_role("button", name="Save my grade").click()
        expect(bscan).to_have_attribute("aria-label", re.compile("8 layer borders"))  # from now on as others see it
        page.context.close()
    assert strays == []


def test_the_card_of_a_wanted_mask_opens_that_very_b_scan(
    browser: Browser, settings: Settings, ward: Ward, owner_database: Database
):
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, ward.scan_id)
        listed = {
            name: [float(1 + at) for at in range(N_LINES)] for name in ("blurriness", "psnr_inverse", "cov", "mean")
        }
        listed["q_level_agreement"] = [0.5 + at / 100 for at in range(N_LINES)]
        assessment = session.get_one(tables.Assessment, scan.assessment_id)
        assessment.findings = {"doubts": [], "causes": [], "document": {"bscan_indices": listed}}
        study = session.get_one(tables.Study, session.get_one(tables.Site, scan.site_id).study_id)
        manager = make_member(session, Role.MANAGER, study=study)[1]
    strays: list[str] = []
    with serve(settings) as address:
        page = signed_in(browser, address, manager, strays)
        page.goto(f"{address}/annotate")
        page.get_by_role("button", name="Ask for these masks").click()
        settle(page)
        links = page.get_by_role("link", name=re.compile(r"B-scan \d+$"))
        expect(links.nth(1)).to_be_visible()
        numbers = [int(words.rpartition(" ")[2]) for words in links.all_inner_texts() if words][:2]
        assert len(set(numbers)) == 2
        for at, number in enumerate(numbers):
            links.nth(at).click()
            expect(page.locator(".volume .place")).to_contain_text(f"B-scan {number} of {N_LINES}")
            agreement = f"level agreement of this B-scan {0.5 + (number - 1) / 100:.2f}"
            expect(page.locator(".volume .reading")).to_contain_text(agreement)
            page.locator(".volume .steps button:enabled").first.click()
            # Within the open page, where the viewer keeps what was set but goes where the link says.
            page.get_by_role("link", name="Annotate next").click()
            page.get_by_role("link", name=re.compile(r"^Round \d+$")).click()
            settle(page)
        page.context.close()
    assert strays == []


def check_bscans(page: Page) -> None:
    """The slider shows another B-scan, and a click on the fundus image the one that lies there."""
    place, slider, bscan = (page.locator(f".volume {each}") for each in (".place", ".slice", ".bscan canvas"))
    expect(place).to_contain_text(f"B-scan {N_LINES // 2 + 1} of {N_LINES}")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(place).to_contain_text(f"B-scan {N_LINES // 2 + 2} of {N_LINES}")
    expect(bscan).to_have_attribute("data-shown", str(N_LINES // 2 + 1))
    expect(bscan).to_have_attribute("aria-label", re.compile("8 layer borders"))
    fundus = page.locator(".volume .fundus canvas")
    box = fundus.bounding_box()
    assert box is not None
    fundus.click(position={"x": box["width"] / 2, "y": box["height"] * 0.2})
    expect(place).not_to_contain_text(f"B-scan {N_LINES // 2 + 2} of {N_LINES}")
    expect(page.locator(".volume .reading")).to_contain_text("µm thick here")


def check_map(page: Page) -> None:
    """The thickness map lies over the fundus image with nine sectors; the table says the same."""
    expect(page.locator(".js-plotly-plot .annotation")).to_have_count(9)
    expect(page.locator(".js-plotly-plot .imagelayer image, .js-plotly-plot image").first).to_be_attached()
    central = page.get_by_role("row", name=re.compile("Central subfield")).get_by_role("cell").first
    expect(central).to_have_text(re.compile(r"^2[4-9]\d$"))


def middle_of_the_surface(page: Page) -> tuple[float, float]:
    """Where the surface lies in the window, in CSS pixels."""
    plot = page.locator(".js-plotly-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def check_surface_turns(page: Page, name: str) -> None:
    """A drag over the surface turns the camera around it."""
    show(page, name)
    page.wait_for_function("() => document.querySelector('.js-plotly-plot')?._fullLayout?.scene?._scene?.glplot")
    before = page.evaluate(CAMERA)
    middle = middle_of_the_surface(page)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 140, middle[1] + 20, steps=6)
    page.mouse.up()
    page.wait_for_function(
        f"before => {{ const eye = ({CAMERA})(); return Math.hypot(eye.x - before.x, eye.y - before.y) > 0.2; }}",
        arg=before,
    )


def check_surface_zooms(page: Page) -> None:
    """The wheel over the surface brings the camera nearer, and farther away again."""
    middle = middle_of_the_surface(page)
    page.mouse.move(*middle)
    far = page.evaluate(DISTANCE)
    page.mouse.wheel(0, -240)
    page.wait_for_function(f"far => ({DISTANCE})() < 0.9 * far", arg=far)
    near = page.evaluate(DISTANCE)
    page.mouse.wheel(0, 240)
    page.wait_for_function(f"near => ({DISTANCE})() > 1.1 * near", arg=near)


def check_other_visit(page: Page) -> None:
    """The visit before stands beside it in the same colours, and the table says by how much it thickened."""
    show(page, "Other eye or visit")
    page.get_by_test_id("stSelectbox").get_by_role("combobox").click()
    page.get_by_role("option", name=re.compile("Visit V1.*28 days before")).click()
    settle(page)
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    row = page.get_by_role("row", name=re.compile("Inner superior"))
    gained = int(row.get_by_role("cell").last.inner_text())
    assert abs(gained - 21) <= 3


def check_fovea_moves(page: Page, ward: Ward, owner_database: Database) -> None:
    """The cross becomes the fovea after a reason is given; the trail says who did it and from where to where."""
    show(page, "Map")
    page.get_by_role("button", name="Put the fovea at the cross …").click()
    page.get_by_label("Reason (required)").fill("A cyst hides the pit")
    page.get_by_role("button", name="Move the fovea").click()
    settle(page)
    expect(page.get_by_text("A cyst hides the pit").first).to_be_visible()
    with session_scope(owner_database) as session:
        mark = session.scalars(select(tables.FoveaMark)).one()
        event = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "fovea.mark")).one()
    assert (mark.scan_id, mark.reason) == (ward.scan_id, "A cyst hides the pit")
    assert event.after == {"scan_id": ward.scan_id, "x_mm": mark.x_mm, "y_mm": mark.y_mm}
    assert draw_eye(Eye(seed=7, thicker_um=21.0))[2] != (mark.x_mm, mark.y_mm)
