"""A volume in the API: numbers, B-scans and borders, for who may see them."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pytest
from builders import make_member, make_site, make_study
from starlette.testclient import TestClient
from volume_scans import N_LINES, Eye, draw_eye, make_volume_scan

from core.database.session import Database, session_scope
from core.store.fovea_mark import add_fovea_mark
from core.vocabulary import Role
from dashboard.installation import Installation

API = "/api/v1"


@dataclass(frozen=True)
class Ward:
    scan_id: int
    site_id: int
    reviewer_id: int
    reviewer: str
    stranger: str


@pytest.fixture
def ward(owner_database: Database, installation: Installation) -> Ward:
    with session_scope(owner_database) as session:
        study = make_study(session)
        site, other = make_site(session, study), make_site(session, study)
        reviewer, token = make_member(session, Role.QC_TECHNICIAN, study=study)
        scan = make_volume_scan(session, installation.blobs, site)
        stranger = make_member(session, Role.SITE_TECHNICIAN, site=other)[1]
        return Ward(scan.id, site.id, reviewer.id, token, stranger)


@pytest.fixture
def client(ward: Ward, client_of: Callable[..., TestClient]) -> TestClient:
    return client_of(ward.reviewer)


def test_a_volume_says_its_sectors_and_how_far_the_device_stands_off(client: TestClient, ward: Ward):
    found = client.get(f"{API}/scans/{ward.scan_id}/volume").json()
    fovea = draw_eye(Eye())[2]
    assert (found["fovea"]["x_mm"], found["fovea"]["y_mm"]) == pytest.approx(fovea, abs=0.1)
    ring = found["sectors"]["inner_superior"]["thickness_um"]["value"]
    assert ring == pytest.approx(Eye().retina.ring_mean_um(0.5, 1.5), abs=4.0)
    assert found["agreement"]["bias_um"] == pytest.approx(24.0, abs=0.1)  # the device stops 2 rows of 12 um above
    assert found["agreement"]["outer_boundary"] == "BM"
    assert found["why_no_fovea"] is None


def test_the_newest_mark_of_a_person_moves_the_sectors(client: TestClient, ward: Ward, owner_database: Database):
    before = client.get(f"{API}/scans/{ward.scan_id}/volume").json()
    place = (before["fovea"]["x_mm"] + 0.8, before["fovea"]["y_mm"])
    with session_scope(owner_database) as session:
        add_fovea_mark(
            session, ward.scan_id, site_id=ward.site_id, place_mm=place, set_by_id=ward.reviewer_id, reason="cyst"
        )
    after = client.get(f"{API}/scans/{ward.scan_id}/volume").json()
    assert (after["fovea"]["x_mm"], after["fovea"]["y_mm"]) == pytest.approx(place)
    assert (after["fovea"]["is_manual"], after["fovea"]["reason"]) == (True, "cyst")
    central = [each["sectors"]["central"]["thickness_um"]["value"] for each in (before, after)]
    assert central[1] > central[0] + 20.0


def test_borders_and_bscans_are_those_of_the_page(client: TestClient, ward: Ward):
    borders = client.get(f"{API}/scans/{ward.scan_id}/bscans/3/borders").json()
    assert np.array(borders["model"]) == pytest.approx(draw_eye(Eye())[1][3], abs=0.051)
    assert sorted(borders["device"]) == ["BM", "ILM"]
    for path in ("bscans/3.png", "slo.png"):
        same = [client.get(f"{root}/scans/{ward.scan_id}/{path}").content for root in (API, "")]
        assert same[0] == same[1]


def test_another_sites_volume_does_not_exist(ward: Ward, client_of: Callable[..., TestClient]):
    for path in ("volume", "bscans/0.png", "bscans/0/borders", "slo.png", "pictures/boundaries.npy"):
        answer = client_of(ward.stranger).get(f"{API}/scans/{ward.scan_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_findings_and_their_pictures_are_read_as_they_were_stored(client: TestClient, ward: Ward):
    found = client.get(f"{API}/scans/{ward.scan_id}").json()["assessment"]
    assert found["findings"] == {"layers": {"scheme": "duke-7"}}
    assert found["pictures"] == ["boundaries.npy"]
    picture = client.get(f"{API}/scans/{ward.scan_id}/pictures/boundaries.npy")
    assert np.array_equal(np.load(BytesIO(picture.content)), draw_eye(Eye())[1])


def test_there_is_no_bscan_behind_the_last(client: TestClient, ward: Ward):
    assert client.get(f"{API}/scans/{ward.scan_id}/bscans/{N_LINES}.png").status_code == 404
    assert client.get(f"{API}/scans/{ward.scan_id}/bscans/{N_LINES}/borders").status_code == 404
