"""Image routes: the right pixels for the right people, and the same nothing for everybody else."""

import shutil
from io import BytesIO

import numpy as np
import pytest
from clinics import Clinics
from PIL import Image

from dashboard.installation import Installation

PATHS = (
    "image.png",
    "faz.png",
    "cam.png",
    "masks/motion.png",
    "tile.png",
    "tile/artifacts.png",
    "tile/cam.png",
    "tile/faz.png",
)


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)))


def test_a_person_of_the_site_sees_them_and_may_keep_a_private_copy(client_of, clinics: Clinics):
    client = client_of(clinics.technician)
    for path in PATHS:
        response = client.get(f"/scans/{clinics.flagged_id}/{path}")
        assert (response.status_code, response.headers["content-type"]) == (200, "image/png"), path
        assert response.headers["cache-control"] == "private, no-cache"
        again = client.get(f"/scans/{clinics.flagged_id}/{path}", headers={"if-none-match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path


def test_a_person_of_another_site_gets_what_a_missing_scan_gives(client_of, clinics: Clinics):
    client = client_of(clinics.stranger)
    for path in PATHS:
        theirs = client.get(f"/scans/{clinics.flagged_id}/{path}")
        missing = client.get(f"/scans/999999/{path}")
        assert theirs.status_code == missing.status_code == 404, path
        assert theirs.content == missing.content


def test_a_grader_gets_the_image_and_nothing_that_the_model_drew(client_of, clinics: Clinics):
    client = client_of(clinics.grader)
    found = {path for path in PATHS if client.get(f"/scans/{clinics.flagged_id}/{path}").status_code == 200}
    assert found == {"image.png", "tile.png"}


def test_knowing_the_etag_of_another_site_tells_nothing(client_of, clinics: Clinics):
    etag = client_of(clinics.technician).get(f"/scans/{clinics.flagged_id}/image.png").headers["etag"]
    answer = client_of(clinics.stranger).get(f"/scans/{clinics.flagged_id}/image.png", headers={"if-none-match": etag})
    assert answer.status_code == 404


def test_a_layer_that_is_not_there_is_404(client_of, clinics: Clinics):
    client = client_of(clinics.technician)
    for path in ("masks/shadow.png", "masks/nonsense.png", "tile/nonsense.png"):
        assert client.get(f"/scans/{clinics.flagged_id}/{path}").status_code == 404, path


def test_an_id_beyond_the_database_is_404(client_of, clinics: Clinics):
    assert client_of(clinics.manager).get(f"/scans/{2**70}/image.png").status_code == 404


def test_a_picture_that_the_blob_store_lost_is_a_short_503_and_one_line_in_the_log(
    client_of, clinics: Clinics, installation: Installation, caplog: pytest.LogCaptureFixture
):
    shutil.rmtree(installation.blobs.url)
    client = client_of(clinics.technician)
    for path in PATHS:
        caplog.clear()
        answer = client.get(f"/scans/{clinics.flagged_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (503, "storage"), path
        assert answer.headers["cache-control"] == "no-store", "a browser must not keep the fault"
        (line,) = [record for record in caplog.records if record.name == "dashboard.images"]
        assert line.exc_info is None
        assert "is missing from the blob store" in line.getMessage()
    assert client.get("/scans/999999/image.png").status_code == 404


def test_masks_are_stored_black_and_white_at_the_image_s_own_size(client_of, clinics: Clinics):
    client = client_of(clinics.technician)
    image = pixels(client.get(f"/scans/{clinics.flagged_id}/image.png").content)
    mask = pixels(client.get(f"/scans/{clinics.flagged_id}/masks/motion.png").content)
    assert mask.shape == image.shape
    assert set(np.unique(mask)) == {0, 255}


def test_tiles_are_never_larger_than_asked_nor_than_the_scan(client_of, clinics: Clinics):
    client = client_of(clinics.technician)
    for asked, side in {"64": 64, "1": 32, "90": 96, "99999999": 160, "x": 160}.items():
        tile = client.get(f"/scans/{clinics.flagged_id}/tile.png", params={"size": asked})
        assert max(pixels(tile.content).shape) == side, asked
