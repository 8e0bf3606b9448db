"""The Scan page of a volume: what can be drawn is drawn, and what cannot says why."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders import MONDAY, make_member, make_site, make_study
from sqlalchemy import select
from stopped_clock import stop_clock
from streamlit.testing.v1 import AppTest
from volume_scans import N_LINES, Eye, draw_eye, make_volume_scan

from core.database import tables
from core.database.session import Database, session_scope
from core.vocabulary import Role, ScanPattern
from dashboard.installation import Installation

PAGE = "pages/scan.py"


@pytest.fixture
def clinic(
    owner_database: Database, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, int], str]:
    """A raster, a line scan, and a volume whose blob the store has lost; a reviewer's token."""
    stop_clock(monkeypatch, MONDAY)
    with session_scope(owner_database) as session:
        study = make_study(session)
        site = make_site(session, study)
        line = replace(draw_eye(Eye(9))[0], scan_pattern=ScanPattern.LINE)
        scans = {
            "raster": make_volume_scan(session, installation.blobs, site),
            "line": make_volume_scan(session, installation.blobs, site, Eye(9), volume=line),
            "lost": make_volume_scan(session, installation.blobs, site, Eye(10)),
        }
        lost = session.get_one(tables.Scan, scans["lost"].id).volume_sha256
        (installation.settings.home / "blobs" / lost[:2] / lost[2:4] / lost).unlink()
        ids = {name: scan.id for name, scan in scans.items()}
        return ids, make_member(session, Role.QC_TECHNICIAN, study=study)[1]


def viewers_of(page: AppTest) -> list[dict[str, Any]]:
    """What each panel and viewer on the page was given."""
    return [json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component")]


def words_of(page: AppTest) -> str:
    """What every panel and viewer on the page was given."""
    assert not page.exception, page.exception[0].value
    return "\n".join(json.dumps(data, ensure_ascii=False) for data in viewers_of(page))


def test_a_raster_has_map_and_sectors_a_line_scan_says_why_not_and_a_lost_volume_whom_to_tell(
    clinic: tuple[dict[str, int], str], app_page: Callable[..., AppTest]
):
    ids, token = clinic
    raster, line, lost = (app_page(token, PAGE, id=ids[name]) for name in ("raster", "line", "lost"))
    for page in (raster, line, lost):
        assert not page.exception
    assert "Central subfield" in words_of(raster)
    assert any("A sector counts where at least 95 %" in caption.value for caption in raster.caption)
    assert "a line scan has no surface" in words_of(line)
    assert "Thickness along B-scan" in words_of(line)
    assert "missing from the blob store" in lost.error[0].value


def test_the_agreement_of_a_volumes_levels_is_shown_with_the_scan_it_is_of_and_a_missing_one_says_why(
    clinic: tuple[dict[str, int], str], owner_database: Database, app_page: Callable[..., AppTest]
):
    ids, token = clinic
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, ids["raster"])
        session.get_one(tables.Assessment, scan.assessment_id).q_level_agreement = 0.8734
    raster, line = (app_page(token, PAGE, id=ids[name]) for name in ("raster", "line"))
    assert "Image indices, and how far the network's levels agree" in [each.label for each in raster.expander]
    assert "0.87</td>" in words_of(raster).partition("Level agreement")[2]
    assert raster.caption[-1].value == "Of the central B-scan."
    assert "not computable: no deep-supervision head" in words_of(line).partition("Level agreement")[2]


def viewer_of(page: AppTest) -> dict[str, Any]:
    """What the volume's viewer was given."""
    (data,) = [given for given in viewers_of(page) if "folder" in given]
    return data


def test_each_b_scan_shows_its_own_agreement_of_levels_and_the_address_names_the_one_that_is_shown_first(
    clinic: tuple[dict[str, int], str], owner_database: Database, app_page: Callable[..., AppTest]
):
    ids, token = clinic
    qs = [round(0.5 + at / 100, 2) for at in range(N_LINES)]
    plain = viewer_of(app_page(token, PAGE, id=ids["raster"]))
    assert plain["agreement"] is None
    assert "agreement" not in plain["foot"]
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, ids["raster"])
        document = {"layers": {"scheme": "duke-7"}, "bscan_indices": {"q_level_agreement": qs}}
        found = {"doubts": [], "causes": [], "document": document}
        session.get_one(tables.Assessment, scan.assessment_id).findings = found
    asked = {"3": 2, "1": 0, str(N_LINES): N_LINES - 1}
    not_there = dict.fromkeys(("0", str(N_LINES + 1), "-1", "x", "9" * 5000, "٣"), N_LINES // 2)
    for text, start in (asked | not_there).items():
        data = viewer_of(app_page(token, PAGE, id=ids["raster"], bscan=text))
        assert data["start"] == start, text
        assert data["agreement"] == qs
    assert "it is no quality of it" in data["foot"]
    with session_scope(owner_database) as session:  # whoever must not know what the model said is not told this either
        grader = make_member(session, Role.GRADER, site=session.get_one(tables.Site, scan.site_id))[1]
    assert viewer_of(app_page(grader, PAGE, id=ids["raster"]))["agreement"] is None


def test_a_masked_grader_leafs_through_all_b_scans_and_is_told_nothing_that_anybody_concluded_from_them(
    clinic: tuple[dict[str, int], str], owner_database: Database, app_page: Callable[..., AppTest]
):
    ids, _ = clinic
    with session_scope(owner_database) as session:
        site = session.get_one(tables.Site, session.get_one(tables.Scan, ids["raster"]).site_id)
        grader = make_member(session, Role.GRADER, site=site)[1]
        device = session.scalars(select(tables.Device)).first()
        assert device is not None
        secrets = {site.code, device.code, device.model}
    page = app_page(grader, PAGE, id=ids["raster"])
    data = viewer_of(page)
    assert (data["n"], data["start"]) == (N_LINES, N_LINES // 2)
    shown = {
        name: data[name] for name in ("layers", "device", "hasBorders", "quality", "agreement", "slo", "paths", "fovea")
    }
    assert not any(shown.values()), shown
    assert not [secret for secret in secrets if secret in words_of(page)]
    assert "Your grade" in [each.value for each in page.subheader]
    assert "missing from the blob store" in app_page(grader, PAGE, id=ids["lost"]).error[0].value
