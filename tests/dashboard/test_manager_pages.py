"""The manager's pages over the demo study: what is planted stands there by name, and every number leads on."""

import json
import re
from collections.abc import Callable

import pytest
from demo_rows import TODAY, Demo
from stopped_clock import stop_clock
from streamlit.testing.v1 import AppTest

import dashboard.session
from core.broker import NullBell
from core.storage import open_blob_store
from dashboard.installation import Installation, install
from dashboard.navigation import pages_for

PageOf = Callable[..., AppTest]
OVERVIEW = "pages/overview.py"
SITES, TRENDS, WHY, FAZ = "pages/sites.py", "pages/trends.py", "pages/why.py", "pages/faz.py"
CENTRE_PAGES = {
    "Sites & devices", "Trends", "Why scans fail", "FAZ", "Agreement", "Model & data watch", "Grading", "Queue", "Audit",
    "Annotate next", "Models",
}  # fmt: skip
"""Pages that compare sites, or are about the reading centre's own work: for its people alone."""


@pytest.fixture
def demo_page(demo: Demo, monkeypatch: pytest.MonkeyPatch, app_page: PageOf) -> PageOf:
    """``demo_page("pages/sites.py", by="device")``: the page as the manager sees it the morning after the study."""
    install(Installation(demo.settings, demo.database, open_blob_store(demo.settings), NullBell()))
    stop_clock(monkeypatch, TODAY)

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


def test_the_overview_says_in_words_who_is_flagged_and_each_cell_leads_on(demo_page: PageOf, demo: Demo):
    markup = shown(demo_page(OVERVIEW))
    planted = demo.rows.study.planted
    bad = demo.rows.site_ids[planted.bad_site]
    assert f"of 5 sites flagged red ({planted.bad_site}" in markup
    table = markup[markup.index('class=\\"matrix\\"') :]
    assert table.index(planted.bad_site) < min(table.index(site) for site in planted.healthy_sites)
    for address in (
        f"/trends?period=26w&amp;site={bad}&amp;by=site",
        f"/trends?period=26w&amp;site={bad}&amp;by=site&amp;of=motion",
        f"/trends?period=26w&amp;site={bad}&amp;by=site&amp;of=deviation",
        f"/why?period=26w&amp;site={bad}",
        f"/worklist?site={bad}&amp;tab=reacquire",
        f"/worklist?site={bad}&amp;tab=to-decide",
    ):
        assert address in table, address
    assert "in a row" in table


def test_a_site_s_own_people_see_no_matrix(demo_page: PageOf, demo: Demo):
    assert "flagged red" not in shown(demo_page(OVERVIEW, token=demo.rows.technician))


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


def test_a_row_of_the_matrix_leads_to_a_report_of_its_site(demo_page: PageOf, demo: Demo):
    for code, id_ in demo.rows.site_ids.items():
        assert f"/reports?site={id_}" in shown(demo_page(OVERVIEW)), code
        offered = [box.value for box in demo_page("pages/reports.py", site=id_).selectbox if box.label == "Site"]
        assert offered
        assert {place.site_id for place in offered} == {id_}


def test_the_declining_device_stands_out_by_its_code(demo_page: PageOf, demo: Demo):
    markup = shown(demo_page(SITES, by="device"))
    verdict = markup[markup.index("verdicts") : markup.index("<table")]
    assert f">{demo.rows.study.planted.declining_device}</a>: " in verdict


def test_the_decline_is_told_with_its_beginning_and_what_happened_then(demo_page: PageOf, demo: Demo):
    planted = demo.rows.study.planted
    page = demo_page(TRENDS, by="device", device=demo.rows.device_ids[planted.declining_device])
    markup = shown(page)
    assert f"{planted.declining_device}: " in markup
    assert "evidence of doubled odds adds up after" in markup
    assert "passed its threshold and still does" in markup
    assert re.search(rf"within 4 weeks of [^:]*: .*{re.escape(planted.decline_cause.rstrip('.'))}", markup)
    assert "Provisional baseline: all of the study" in markup
    assert f"/examples?device={demo.rows.device_ids[planted.declining_device]}&amp;days=2026-" in markup
    assert f"What is done about {planted.declining_device}" in markup
    assert len(specs(page)) == 3


def test_a_fault_has_small_multiples_of_all_units_those_of_concern_first(demo_page: PageOf, demo: Demo):
    planted = demo.rows.study.planted
    markup = shown(page := demo_page(TRENDS, by="device", of="low_signal"))
    assert "All devices, severe loss of signal: 1 of" in "".join(each.value for each in page.subheader)
    cards = markup[markup.index('class=\\"multiple\\"') :]
    assert cards.index(planted.declining_device) < min(
        cards.index(device.code) for device in demo.rows.study.devices if device.site in planted.healthy_sites
    )
    assert "of=low_signal" in cards
    assert "severe loss of signal in the latest points" in cards


def test_a_fault_has_its_own_trend_whose_points_lead_to_the_scans_with_it(demo_page: PageOf, demo: Demo):
    bad = demo.rows.site_ids[demo.rows.study.planted.bad_site]
    page = demo_page(TRENDS, by="site", site=bad, of="motion")
    markup = shown(page)
    assert f"{demo.rows.study.planted.bad_site}: " in markup
    assert "severe motion of" in markup
    assert "fault=motion" in markup
    assert "whatever the grade" in markup
    assert "Severe motion" in specs(page)[0]
    assert "Baseline" not in [part.value for part in page.subheader], "nobody signs a fault's"
    assert "off protocol of" in shown(demo_page(TRENDS, of="deviation"))


def test_small_multiples_show_the_units_of_most_concern_first(demo_page: PageOf, demo: Demo):
    markup = shown(demo_page(TRENDS, by="site"))
    planted = demo.rows.study.planted
    cards = markup[markup.index("multiples") :]
    assert cards.index(planted.bad_site) < min(cards.index(site) for site in planted.healthy_sites)
    assert f"Too few visits for a single point: {planted.tiny_site}." in markup
    assert "All sites together" in markup


def test_why_names_the_cause_who_can_cure_it_and_whether_repeats_helped(demo_page: PageOf, demo: Demo):
    planted = demo.rows.study.planted
    page = demo_page(WHY, site=demo.rows.site_ids[planted.bad_site])
    markup = shown(page)
    assert "Most often: motion (100" in markup
    assert "can be cured at the device" in markup
    assert "Taking scans again helped in " in markup
    assert "switch eye tracking on" in markup
    assert f"/tips/{demo.rows.study_id}/oscar-mp%3AM.pdf" in markup
    assert "Open an issue with the site" in markup
    assert "Open an issue" not in shown(demo_page(WHY))
    assert f"site={demo.rows.site_ids[planted.bad_site]}&amp;reason=oscar-mp%3AM&amp;grade=0" in markup
    assert len(specs(page)) == 4
    assert len(specs(demo_page(WHY))) == 5
    assert "Every decided first capture is gradable" in shown(demo_page(WHY, type="onh-enface 3x3"))


def test_agreement_stands_beside_that_of_two_people_and_lists_the_disputed(demo_page: PageOf, demo: Demo):
    page = demo_page("pages/agreement.py")
    markup = shown(page)
    for words in ("Model and people", "Person and person", "κ 0.", "AC1 0.", "/scan?id="):
        assert words in markup, words
    assert len(specs(page)) == 3
    assert "To be talked about" in [part.value for part in page.subheader]
    assert "grading plan draws scans for that" in shown(demo_page("pages/agreement.py", type="onh-enface 3x3"))


def test_faz_by_hand_says_how_to_begin_where_nothing_was_outlined(demo_page: PageOf, demo: Demo):
    page = demo_page("pages/agreement.py", view="faz")
    markup = shown(page)
    assert "No outlines by hand in this selection" in markup
    assert f"/outlines/{demo.rows.study_id}.zip?slab=superficial&amp;type=octa-enface+3x3" in markup
    page.text_input(key="octaudit.reader").set_value("R/1").run()
    assert "A reader's code has 1 to 40" in page.error[0].value


def test_the_watch_names_the_device_that_drifted(demo_page: PageOf, demo: Demo):
    planted = demo.rows.study.planted
    page = demo_page("pages/watch.py")
    markup = shown(page)
    words = markup[markup.index("devices that can be judged") :]
    assert words.startswith(f"devices that can be judged has drifted: {planted.declining_device}")
    assert f"/watch?period=13w&amp;device={demo.rows.device_ids[planted.declining_device]}" in markup
    assert len(specs(page)) == 2
    assert "as soon as the model has scored them" in shown(demo_page("pages/watch.py", type="onh-enface 3x3"))


def test_calibration_is_measured_on_masked_grades_by_device(demo_page: PageOf):
    page = demo_page("pages/watch.py", view="calibration")
    markup = shown(page)
    assert "Over all the model foresaw" in markup
    assert "expected calibration error" in markup
    assert any("called ungradable" in spec.lower() for spec in specs(page))
    assert "Calibration needs grades of people" in shown(
        demo_page("pages/watch.py", view="calibration", reference="decisions")
    )


def test_with_one_model_version_there_is_nothing_to_compare_and_the_page_says_so(demo_page: PageOf, demo: Demo):
    markup = shown(demo_page("pages/watch.py", view="versions", period="all"))
    assert f"One version counts for all {len(demo.rows.study.scans)} scans: phantom-reader 0.1." in markup
    assert "No other model version has scored these scans" in markup


def test_faz_shows_one_slab_and_field_with_its_norm_and_says_what_is_left_out(demo_page: PageOf, demo: Demo):
    page = demo_page(FAZ)
    markup = shown(page)
    n = sum(not a.is_poor for a in demo.rows.study.acquisitions if a.field_mm == 3.0)
    assert f"{n} scans of " in markup
    assert "ungradable (they appear under grade alone)" in markup
    assert "not corrected for axial length" in markup
    assert "116 people without ocular disease" in markup
    assert "doi:10.1167/tvst.6.3.16" in markup
    assert "by more than repeats measured automatically (0.060)" in markup
    assert "minus gradable or better" in markup
    assert len(specs(page)) == 3
    deep = demo_page(
        FAZ, slab="deep", group="device", metric="faz_circularity", scale="corrected", type="octa-enface 6x6"
    )
    assert "No published norm" in shown(deep)
    assert "it does not depend on axial length" in shown(deep)
    assert deep.query_params["slab"] == "deep"
    assert any(device in shown(deep) for device in demo.rows.device_ids)
    assert "Metrics need a scale" in shown(demo_page(FAZ, period="4w", slab="full-retina"))


def test_rates_are_crude_shrunken_or_standardised_and_say_what_was_adjusted_for(demo_page: PageOf, demo: Demo):
    captions = {each: shown(demo_page(SITES, rates=each)) for each in ("crude", "shrunken", "standardised")}
    assert "crude rates" in captions["crude"]
    assert "shrunken rates" in captions["shrunken"]
    assert "Adjusted for" not in captions["shrunken"]
    markup = captions["standardised"]
    given = re.search(r"age by decade \(given for (\d+) of (\d+)\), diagnosis \(given for (\d+) of (\d+)\)", markup)
    assert given, markup
    assert len(set(given.groups())) == 1
    assert f"of {given[1]} first captures since" in markup
    kinds = markup[markup.index("Kinds of cases") :]
    assert "octa-enface 3x3, 60 to 69 years" in kinds
    assert f"{demo.rows.study.planted.bad_site} has no say in the standard" in markup
    assert "Observed and expected" in markup


def test_scan_by_scan_shows_scores_and_the_index_by_its_name(demo_page: PageOf):
    page = demo_page(SITES, view="scans", slab="deep")
    markup = shown(page)
    assert "below 55 a scan was called poor on AngioVue" in markup
    score, index = specs(page)
    assert "probability of ungradable" in score
    assert "quality index SSI" in index
    assert "Nothing scored in this selection" in shown(demo_page(SITES, view="scans", type="onh-enface 3x3"))


def test_a_baseline_is_not_signed_without_the_password_and_no_event_marked_without_words(demo_page: PageOf, demo: Demo):
    page = demo_page(TRENDS)
    assert "Nobody has signed one" in shown(page)
    proposed = next(part.value for part in page.markdown if "The whole study" in part.value)
    assert "ungradable** of" in proposed
    next(part for part in page.text_area if part.label.startswith("Reason")).input("A steady time.")
    assert any("Your account has no password to sign with" in part.value for part in page.caption)
    next(part for part in page.button if part.label == "Sign").click().run()
    assert "Nobody has signed one" in shown(page)
    assert len(page.error) == 1
    next(part for part in page.button if part.label == "Mark it").click().run()
    assert "The mark has no text." in page.error[0].value
    part_of = demo_page(TRENDS, site=demo.rows.site_ids["ALDER"], model="Angio 3")
    assert "No baseline can be signed here" in shown(part_of)


DATA = {
    OVERVIEW: {"sites-by-indicator", "rates-by-week", "rates-by-site", "rates-by-device"},
    SITES: {"site-comparison"},
    TRENDS: {"trend", "trends-by-site"},
    WHY: {"causes", "cures-by-site", "causes-by-site", "causes-by-device", "severities"},
    FAZ: {"faz-scans-by-site", "faz-by-site", "faz-differences", "faz-by-grade"},
    "pages/agreement.py": {"agreement-by-site", "confusion-model", "confusion-people"},
    "pages/watch.py": {"scores", "device-index", "drift-by-device"},
}
"""What can be downloaded from every page; a chart or table that is not here has no data behind it."""


@pytest.mark.parametrize("path", DATA)
def test_every_chart_has_its_data_and_can_be_saved(demo_page: PageOf, path: str):
    page = demo_page(path)
    markup = shown(page)
    keys = [button.proto.id for button in page.get("download_button")]
    found = {key.rsplit("octaudit.download.", 1)[1] for key in keys if "octaudit.download." in key}
    assert found == {f"{name}{end}" for name in DATA[path] for end in (".csv", "-dictionary.csv")}
    for kind in ("png", "svg"):
        assert markup.count(f'data-save=\\"{kind}\\"') == len(specs(page)) > 0


def test_a_trend_of_too_few_visits_says_so(demo_page: PageOf, demo: Demo):
    markup = shown(demo_page(TRENDS, site=demo.rows.site_ids[demo.rows.study.planted.tiny_site]))
    assert "Fewer patient visits than one point needs" in markup


def test_a_point_s_days_narrow_the_examples(demo_page: PageOf, demo: Demo):
    page = demo_page("pages/examples.py", days="2026-06-01..2026-06-07", grade="0")
    assert [box.label for box in page.date_input] == ["Days"]
    first = [
        a
        for a in demo.rows.study.acquisitions
        if a.is_poor and "2026-06-01" <= a.acquired_at.date().isoformat() <= "2026-06-07"
    ]
    markup = shown(page)
    assert markup.count('class=\\"card\\"') == min(12, 2 * len(first))
    assert "No such scan" not in shown(demo_page("pages/examples.py", days="nonsense..", grade="0"))


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
