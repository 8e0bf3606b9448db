"""Routes of volumes: B-scans, fundus image and borders, by site, and hidden from who must not see the model's."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pytest
from builders import make_member, make_site, make_study
from PIL import Image
from scored_scans import make_scored_capture
from starlette.testclient import TestClient
from volume_scans import N_LINES, SLO_PX, WIDTH_PX, Eye, draw_eye, make_volume_scan

from core.database import tables
from core.database.session import Database, session_scope
from core.vocabulary import Role
from dashboard.installation import Installation


@dataclass(frozen=True)
class Ward:
    scan_id: int
    unscored_id: int
    enface_id: int
    reviewer: str
    grader: str
    stranger: str
    """A technician of another site."""


@pytest.fixture
def ward(owner_database: Database, installation: Installation) -> Ward:
    with session_scope(owner_database) as session:
        study = make_study(session)
        site, other = make_site(session, study), make_site(session, study)
        return Ward(
            make_volume_scan(session, installation.blobs, site).id,
            make_volume_scan(session, installation.blobs, site, Eye(seed=6), has_borders=False).id,
            make_scored_capture(session, installation.blobs, site).id,
            make_member(session, Role.QC_TECHNICIAN, study=study)[1],
            make_member(session, Role.GRADER, study=study)[1],
            make_member(session, Role.SITE_TECHNICIAN, site=other)[1],
        )


def test_each_bscan_is_there_as_it_was_scanned_and_no_further_one(ward: Ward, client_of: Callable[..., TestClient]):
    client, volume = client_of(ward.reviewer), draw_eye(Eye())[0]
    answer = client.get(f"/scans/{ward.scan_id}/bscans/3.png")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "private, no-cache"
    assert np.array_equal(np.asarray(Image.open(BytesIO(answer.content))), volume.bscans[3])
    assert client.get(f"/scans/{ward.scan_id}/bscans/{N_LINES}.png").status_code == 404
    assert Image.open(BytesIO(client.get(f"/scans/{ward.scan_id}/slo.png").content)).size == (SLO_PX, SLO_PX)


def test_a_bscan_that_the_browser_has_is_not_sent_again(ward: Ward, client_of: Callable[..., TestClient]):
    client = client_of(ward.reviewer)
    etag = client.get(f"/scans/{ward.scan_id}/bscans/3.png").headers["etag"]
    assert client.get(f"/scans/{ward.scan_id}/bscans/3.png", headers={"If-None-Match": etag}).status_code == 304
    assert client.get(f"/scans/{ward.scan_id}/bscans/4.png", headers={"If-None-Match": etag}).status_code == 200


def test_borders_come_as_rows_of_the_model_and_of_the_device(ward: Ward, client_of: Callable[..., TestClient]):
    client, truth = client_of(ward.reviewer), draw_eye(Eye())[1]
    found = json.loads(client.get(f"/scans/{ward.scan_id}/bscans/7.json").content)
    assert np.array(found["model"]) == pytest.approx(truth[7], abs=0.051)
    assert np.array(found["device"]).shape == (2, WIDTH_PX)
    unscored = json.loads(client.get(f"/scans/{ward.unscored_id}/bscans/7.json").content)
    assert unscored["model"] is None
    assert unscored["device"] is not None


def test_a_volume_of_another_site_is_not_there(ward: Ward, client_of: Callable[..., TestClient]):
    for path in ("bscans/0.png", "bscans/0.json", "slo.png"):
        assert client_of(ward.stranger).get(f"/scans/{ward.scan_id}/{path}").status_code == 404
        assert client_of().get(f"/scans/{ward.scan_id}/{path}").status_code == 401


def test_who_must_grade_first_leafs_through_the_bscans_and_is_given_nothing_else_of_the_volume(
    ward: Ward, client_of: Callable[..., TestClient]
):
    client, volume = client_of(ward.grader), draw_eye(Eye())[0]
    for index in (0, N_LINES - 1):
        answer = client.get(f"/scans/{ward.scan_id}/bscans/{index}.png")
        assert np.array_equal(np.asarray(Image.open(BytesIO(answer.content))), volume.bscans[index])
    for path in ("bscans/7.json", "slo.png", "pictures/boundaries.npy"):
        assert client.get(f"/scans/{ward.scan_id}/{path}").status_code == 404, path


def test_a_scan_that_is_no_volume_has_no_bscans(ward: Ward, client_of: Callable[..., TestClient]):
    assert client_of(ward.reviewer).get(f"/scans/{ward.enface_id}/bscans/0.png").status_code == 404


def test_a_volume_that_the_store_lost_is_a_503_and_says_whom_to_tell(
    ward: Ward, client_of: Callable[..., TestClient], installation: Installation,
    owner_database: Database,
):  # fmt: skip
    with session_scope(owner_database) as session:
        sha256 = session.get_one(tables.Scan, ward.scan_id).volume_sha256
    (installation.settings.home / "blobs" / sha256[:2] / sha256[2:4] / sha256).unlink()
    answer = client_of(ward.reviewer).get(f"/scans/{ward.scan_id}/bscans/0.png")
    assert answer.status_code == 503
    assert "administrator" in answer.json()["remedy"]
