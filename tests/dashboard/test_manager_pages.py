"""The manager's pages over the demo study: what is planted stands there by name, and every number leads on."""

import json
from collections.abc import Callable

import pytest
from demo_rows import TODAY, Demo
from streamlit.testing.v1 import AppTest

import dashboard.session
from core.broker import NullBell
from core.storage import open_blob_store
from dashboard.installation import Installation, install
from dashboard.navigation import pages_for

PageOf = Callable[..., AppTest]
SITES = "pages/sites.py"
CENTRE_PAGES = {"Sites & devices"}
"""Pages that compare sites: for the reading centre alone."""


@pytest.fixture
def demo_page(demo: Demo, monkeypatch: pytest.MonkeyPatch, app_page: PageOf) -> PageOf:
    """``demo_page("pages/sites.py", by="device")``: the page as the manager sees it the morning after the study."""
    install(Installation(demo.settings, demo.database, open_blob_store(demo.settings), NullBell()))
    monkeypatch.setattr("core.clock.now", lambda: TODAY)

    def page(path: str, token: str = "", **query: object) -> AppTest:
        return app_page(token or demo.rows.manager, path, **query)

    return page


def shown(page: AppTest) -> str:
    """What every panel on the page was given, and every sentence outside of them."""
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join([*(json.dumps(data, ensure_ascii=False) for data in given), *(c.value for c in page.caption)])


def specs(page: AppTest) -> list[str]:
    """The charts of the page, each as its Vega-Lite document."""
    return [chart.proto.spec for chart in page.get("vega_lite_chart")]


def test_sites_names_the_bad_site_and_says_who_is_too_small(demo_page: PageOf, demo: Demo):
    markup = shown(demo_page(SITES))
    planted = demo.rows.study.planted
    verdict = markup[markup.index("verdicts") : markup.index("</table>")]
    assert "1 of 5 sites that can be judged stands above the red line" in verdict
    assert f">{planted.bad_site}</a>: " in verdict
    assert f"{planted.tiny_site}: fewer than 30 decided captures" in verdict
    assert f"/trends?period=26w&amp;site={demo.rows.site_ids[planted.bad_site]}&amp;by=site" in markup
    assert f"/examples?period=26w&amp;site={demo.rows.site_ids[planted.bad_site]}&amp;grade=0" in markup
    assert len(specs(demo_page(SITES))) == 2


@pytest.mark.parametrize("kind", ["device", "model", "software", "technician"])
def test_units_of_every_kind_can_be_compared(demo_page: PageOf, kind: str):
    page = demo_page(SITES, by=kind)
    assert len(specs(page)) == 2
    assert "above the red line" in shown(page)


def test_the_declining_device_stands_out_by_its_code(demo_page: PageOf, demo: Demo):
    markup = shown(demo_page(SITES, by="device"))
    verdict = markup[markup.index("verdicts") : markup.index("<table")]
    assert f">{demo.rows.study.planted.declining_device}</a>: " in verdict


def test_the_way_of_comparing_is_held_in_the_address(demo_page: PageOf):
    page = demo_page(SITES)
    page.segmented_control(key="octaudit.choice.by").set_value("model").run()
    assert page.query_params["by"] == "model"
    assert "Helia Instruments" in shown(page)


def test_an_empty_selection_says_what_to_do(demo_page: PageOf):
    assert "Choose a longer period or clear the filters" in shown(demo_page(SITES, type="onh-enface 3x3"))


def test_a_site_s_own_people_are_not_offered_the_comparison(demo: Demo):
    offered = {}
    for token in (demo.rows.technician, demo.rows.manager):
        actor = dashboard.session.actor_of(demo.database, token)
        assert actor is not None
        offered[token] = {page.title for page in pages_for(actor)}
    assert offered[demo.rows.manager] - offered[demo.rows.technician] == CENTRE_PAGES
