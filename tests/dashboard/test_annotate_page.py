"""Annotate next: what would be asked for, the round that was, its images out and its masks in, by page, route and API."""

import io
import json
import zipfile
from hashlib import sha256
from urllib.parse import urlsplit

import numpy as np
import pytest
from builders import make_grant, make_member, make_site, make_study
from clinics import Clinics
from PIL import Image
from sqlalchemy import select
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from volume_scans import Eye, draw_eye, make_volume_scan

from core.database import tables
from core.database.session import Database, session_scope
from core.usecases.log_in import csrf_token_for
from core.vocabulary import Role
from dashboard.installation import Installation
from dashboard.server import build_app

PAGE = "pages/annotate.py"


@pytest.fixture
def manager(owner_database: Database, clinics: Clinics) -> str:
    """Of the whole study."""
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, clinics.flagged_id)
        study = session.get_one(tables.Study, session.get_one(tables.Site, scan.site_id).study_id)
        return make_member(session, Role.MANAGER, study=study)[1]


def shown(page) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    said = [*(each.value for each in page.markdown), *(each.value for each in page.success)]
    return "\n".join([*(json.dumps(data, ensure_ascii=False) for data in given), *said])


def client_of(app: ASGIApp, token: str) -> TestClient:
    return TestClient(
        app,
        base_url="http://127.0.0.1",
        cookies={"octaudit_session": token},
        headers={"X-Octaudit-CSRF": csrf_token_for(token)},
    )


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.resize(np.array([0, 9], np.uint8), (height, width))).save(buffer, "PNG")
    return buffer.getvalue()


def test_of_several_studies_the_one_whose_scans_are_shown_is_named_and_another_can_be_chosen(
    app_page, manager: str, owner_database: Database
) -> None:
    assert not app_page(manager, PAGE).segmented_control, "one study needs no choice"
    with session_scope(owner_database) as session:
        person = session.scalars(
            select(tables.Session.user_id).where(tables.Session.token_sha256 == sha256(manager.encode()).hexdigest())
        ).one()
        other = make_study(session, code="ZULU")
        make_grant(session, session.get_one(tables.User, person), Role.MANAGER, study=other)
        other_id = other.id
    page = app_page(manager, PAGE)
    (choice,) = page.segmented_control
    assert "ZULU" in choice.options
    assert choice.value != str(other_id)
    assert "scored" in shown(page)
    choice.set_value(str(other_id)).run()
    assert page.query_params["study"] == [str(other_id)] or page.query_params["study"] == str(other_id)
    assert "No scored scans" in shown(page)


def test_a_manager_asks_for_masks_takes_the_images_and_brings_masks_back(
    app_page, manager: str, installation: Installation
) -> None:
    page = app_page(manager, PAGE)
    assert "Nothing is drawn yet, so a first set is chosen" in shown(page)
    (ask,) = [button for button in page.button if button.label == "Ask for these masks"]
    after = ask.click().run()
    text = shown(after)
    assert "To draw" in text
    assert "mask-rounds/" in text

    client = client_of(build_app(installation), manager)
    (listed,) = client.get("/api/v1/mask-rounds").json()["items"]
    round_id = listed["id"]
    assert (listed["n_drawn"], listed["step"]) == (0, 1)
    with zipfile.ZipFile(io.BytesIO(client.get(f"/annotate/{round_id}.zip").content)) as archive:
        images = [name for name in archive.namelist() if name.startswith("images/")]
        size = Image.open(io.BytesIO(archive.read(images[0]))).size
    assert len(images) == listed["n_wanted"]
    name = urlsplit(images[0]).path.rpartition("/")[2]
    place = f"/api/v1/mask-rounds/{round_id}/files"
    refused = client.put(place, params={"name": name}, content=png(7, 7)).json()["files"][0]
    assert refused["problems"][0]["message"].startswith("It has 7 x 7 px")
    taken = client.put(place, params={"name": name}, content=png(*size)).json()["files"][0]
    assert (taken["problems"], taken["scan"] is not None) == ([], True)
    (drawn, *_) = [scan for scan in client.get(f"/api/v1/mask-rounds/{round_id}").json()["scans"] if scan["is_drawn"]]
    assert drawn["file"] == name
    assert "Mask there" in shown(app_page(manager, PAGE, round=round_id))


def test_who_does_not_manage_the_study_learns_nothing_of_its_masks(
    manager: str, clinics: Clinics, owner_database: Database, installation: Installation
) -> None:
    with session_scope(owner_database) as session:
        elsewhere = make_member(session, Role.MANAGER, study=make_study(session))[1]
        site = session.get_one(tables.Site, session.get_one(tables.Scan, clinics.flagged_id).site_id)
        reviewer = make_member(session, Role.QC_TECHNICIAN, site=site)[1]
    app = build_app(installation)  # one: Streamlit has one runtime per process
    asked = {"study": site.study_id, "kind": "octa-enface"}
    round_id = client_of(app, manager).post("/api/v1/mask-rounds", json=asked).json()["id"]
    for token, status in ((reviewer, 403), (elsewhere, 404)):
        client = client_of(app, token)
        assert client.get(f"/api/v1/mask-rounds/{round_id}").status_code == status
        assert client.get(f"/annotate/{round_id}.zip").status_code in {403, 404}


def test_of_a_volume_single_b_scans_are_shown_each_with_its_own_picture_and_number(
    app_page, owner_database: Database, installation: Installation
) -> None:
    n_bscans = len(draw_eye(Eye())[0].bscans)
    with session_scope(owner_database) as session:
        study = make_study(session)
        scan = make_volume_scan(session, installation.blobs, make_site(session, study))
        listed = {
            name: [float(1 + at) for at in range(n_bscans)] for name in ("blurriness", "psnr_inverse", "cov", "mean")
        }
        listed |= {"q_level_agreement": [None] * n_bscans}
        assessment = session.get_one(tables.Assessment, scan.assessment_id)
        assessment.findings = {"doubts": [], "causes": [], "document": {"bscan_indices": listed}}
        scan_id, token = scan.id, make_member(session, Role.MANAGER, study=study)[1]
    page = app_page(token, PAGE)
    assert f"of {n_bscans} B-scans. Nothing is drawn yet" in shown(page)
    (ask,) = [button for button in page.button if button.label == "Ask for these masks"]
    text = shown(ask.click().run())
    client = client_of(build_app(installation), token)
    (listed_round,) = client.get("/api/v1/mask-rounds").json()["items"]
    asked = client.get(f"/api/v1/mask-rounds/{listed_round['id']}").json()["scans"]
    assert len(asked) == listed_round["n_wanted"] > 1
    for one in asked:
        assert one["file"] == f"scan-{scan_id:08d}-bscan-{one['bscan']:03d}.png"
        picture = f"/scans/{scan_id}/bscans/{one['bscan'] - 1}.png"
        assert picture in text
        assert f"B-scan {one['bscan']}" in text
        assert f"/scan?id={scan_id}&amp;bscan={one['bscan']}" in text
        assert client.get(picture).status_code == 200
