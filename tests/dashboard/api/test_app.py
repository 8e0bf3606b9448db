import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from builders import make_member, make_site
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.testclient import TestClient
from uploads import Clinic, make_clinic, phantom, png, zipped

from core.broker import NullBell
from core.database import tables
from core.database.session import Database, session_scope
from core.intake.canonical import decode_image
from core.intake.manifest import COLUMNS
from core.phantom.caption import Caption, burn_in
from core.settings import Settings
from core.usecases.log_in import csrf_token_for
from core.vocabulary import Role
from dashboard.api.app import build_api
from dashboard.gate import Gate, session_cookie_name
from dashboard.installation import Installation
from dashboard.session import actor_of


@pytest.fixture
def clinic(owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path) -> Clinic:
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


def api_behind_gate(installation: Installation) -> Starlette:
    """The API mounted behind the gate, as dashboard.server mounts it."""
    gate = Middleware(
        Gate, settings=installation.settings, find_actor=lambda token: actor_of(installation.database, token)
    )
    return Starlette(routes=[Mount("/api/v1", app=build_api(installation))], middleware=[gate])


@pytest.fixture
def installation(clinic: Clinic) -> Installation:
    return Installation(clinic.settings, clinic.database, clinic.blobs, NullBell())


def client_for(installation: Installation, token: str | None) -> TestClient:
    cookies = {session_cookie_name(installation.settings): token} if token else {}
    headers = {"X-Octaudit-CSRF": csrf_token_for(token)} if token else {}
    return TestClient(
        api_behind_gate(installation), base_url="http://octaudit.test", cookies=cookies, headers=headers,
        follow_redirects=False,
    )  # fmt: skip


@pytest.fixture
def client(installation: Installation, clinic: Clinic) -> Iterator[TestClient]:
    with client_for(installation, clinic.token) as client:
        yield client


def open_draft(client: TestClient, clinic: Clinic) -> int:
    answer = client.post("/api/v1/batches", json={"study": clinic.study, "site": clinic.site})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def upload(client: TestClient, batch: int, name: str, data: bytes) -> httpx.Response:
    return client.put(f"/api/v1/batches/{batch}/files", params={"name": name}, content=data)


def test_a_batch_goes_from_draft_to_receipt(client: TestClient, clinic: Clinic):
    batch = open_draft(client, clinic)
    answer = upload(client, batch, "all.zip", zipped({"good_OD.png": png(phantom()), "bad.png": b"no image"}))
    assert [file["name"] for file in answer.json()["files"]] == ["good_OD.png", "bad.png"]
    good = answer.json()["files"][0]["id"]

    draft = client.get(f"/api/v1/batches/{batch}").json()
    assert [file["outcome"] for file in draft["files"]] == ["rejected", "rejected"]
    assert draft["files"][0]["entry"]["eye"] == "OD", "the file's name offers what it says"

    filled = client.put(f"/api/v1/batches/{batch}/entries", json={good: clinic.row()}).json()
    assert [file["outcome"] for file in filled["files"]] == ["accepted", "rejected"]

    receipt = client.post(f"/api/v1/batches/{batch}/submit").json()
    assert [(file["name"], file["state"], file["scan_state"]) for file in receipt["files"]] == [
        ("good_OD.png", "accepted", "queued"),
        ("bad.png", "rejected", None),
    ]
    assert receipt == client.get(f"/api/v1/batches/{batch}/receipt").json()
    assert receipt["receipt"] == draft["receipt"]


def test_a_manifest_can_be_sent_by_itself(client: TestClient, clinic: Clinic):
    batch = open_draft(client, clinic)
    upload(client, batch, "a.png", png(phantom()))
    row = clinic.row(file="a.png", study=clinic.study, site=clinic.site)
    csv = ",".join(COLUMNS) + "\n" + ",".join(row.get(name, "") for name in COLUMNS) + "\n"
    assert client.post(f"/api/v1/batches/{batch}/manifest", content=csv.encode()).json()["matched"] == 1
    assert client.get(f"/api/v1/batches/{batch}").json()["files"][0]["outcome"] == "accepted"


def test_the_template_opens_in_a_spreadsheet(client: TestClient):
    answer = client.get("/api/v1/manifest-template.csv")
    assert answer.content.startswith(b"\xef\xbb\xbffile,study,site")
    assert "attachment" in answer.headers["content-disposition"]


def test_a_file_can_be_taken_out_of_a_draft(client: TestClient, clinic: Clinic):
    batch = open_draft(client, clinic)
    file_id = upload(client, batch, "a.png", png(phantom())).json()["files"][0]["id"]
    assert client.delete(f"/api/v1/batches/{batch}/files/{file_id}").status_code == 204
    assert client.get(f"/api/v1/batches/{batch}").json()["files"] == []


class TestHeldFiles:
    @pytest.fixture
    def held(self, client: TestClient, clinic: Clinic) -> int:
        """A submitted file with a name burned in."""
        image, _ = burn_in(phantom(5, size_px=304), Caption("Smith, John", height_px=16))
        batch = open_draft(client, clinic)
        file_id = upload(client, batch, "a.png", png(image)).json()["files"][0]["id"]
        client.put(f"/api/v1/batches/{batch}/entries", json={file_id: clinic.row()})
        line = client.post(f"/api/v1/batches/{batch}/submit").json()["files"][0]
        assert (line["state"], line["scan_id"]) == ("held", None)
        assert [problem["code"] for problem in line["problems"]] == ["possible_burned_in_text"]
        self.batch = batch
        return file_id

    def state(self, client: TestClient) -> dict[str, object]:
        return client.get(f"/api/v1/batches/{self.batch}/receipt").json()["files"][0]

    def test_a_person_who_confirms_lets_it_go_on(self, client: TestClient, held: int):
        answer = client.post(f"/api/v1/files/{held}/release", json={"reason": "It is the device's name"})
        assert answer.json() == {"state": "accepted"}
        assert self.state(client)["scan_state"] == "queued"

    def test_confirming_needs_a_reason(self, client: TestClient, held: int):
        answer = client.post(f"/api/v1/files/{held}/release", json={"reason": " "})
        assert (answer.status_code, answer.json()["code"]) == (400, "usage")

    def test_painting_over_removes_the_pixels_and_keeps_the_scale(
        self, client: TestClient, clinic: Clinic, owner_database: Database, held: int
    ):
        box = {"left": 0, "top": 0, "right": 304, "bottom": 30}
        client.post(f"/api/v1/files/{held}/release", json={"reason": "painted over", "blacken": [box]})
        scan_id = self.state(client)["scan_id"]
        with session_scope(owner_database) as session:
            scan = session.get_one(tables.Scan, scan_id)
            acquisition = session.get_one(tables.Acquisition, scan.acquisition_id)
        assert not decode_image(clinic.blobs.get(scan.image_sha256))[:30].any()
        assert acquisition.field_width_mm == 3

    def test_cropping_gives_up_the_scale(self, client: TestClient, owner_database: Database, held: int):
        box = {"left": 0, "top": 40, "right": 304, "bottom": 304}
        client.post(f"/api/v1/files/{held}/release", json={"reason": "cropped", "crop": box})
        with session_scope(owner_database) as session:
            scan = session.get_one(tables.Scan, self.state(client)["scan_id"])
            acquisition = session.get_one(tables.Acquisition, scan.acquisition_id)
        assert (scan.width_px, scan.height_px) == (304, 264)
        assert acquisition.field_width_mm is None

    def test_a_discarded_file_is_rejected(self, client: TestClient, held: int):
        client.post(f"/api/v1/files/{held}/discard", json={"reason": "A patient's name"})
        assert self.state(client)["state"] == "rejected"

    def test_it_is_released_once(self, client: TestClient, held: int):
        for expected in (200, 409):
            answer = client.post(f"/api/v1/files/{held}/release", json={"reason": "device name"})
            assert answer.status_code == expected

    def test_its_image_is_shown_to_its_site_only(
        self, client: TestClient, installation: Installation, owner_database: Database, held: int
    ):
        assert client.get(f"/api/v1/files/{held}/image.png").headers["cache-control"] == "private, no-store"
        with session_scope(owner_database) as session:
            _, stranger = make_member(session, Role.SITE_TECHNICIAN, site=make_site(session))
        with client_for(installation, stranger) as other:
            assert other.get(f"/api/v1/files/{held}/image.png").status_code == 404


class TestWhoMayCall:
    def test_nobody_without_a_session(self, installation: Installation):
        with client_for(installation, None) as client:
            answer = client.post("/api/v1/batches", json={"study": "A", "site": "B"})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")

    def test_a_cookie_alone_changes_nothing(self, client: TestClient, clinic: Clinic):
        del client.headers["X-Octaudit-CSRF"]
        answer = client.post("/api/v1/batches", json={"study": clinic.study, "site": clinic.site})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")

    @pytest.mark.parametrize(
        "header", [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
    )
    def test_a_foreign_page_changes_nothing(self, client: TestClient, clinic: Clinic, header: dict[str, str]):
        body = {"study": clinic.study, "site": clinic.site}
        assert client.post("/api/v1/batches", json=body, headers=header).status_code == 403

    def test_our_own_page_may(self, client: TestClient, clinic: Clinic):
        body = {"study": clinic.study, "site": clinic.site}
        header = {"Origin": "http://octaudit.test", "Sec-Fetch-Site": "same-origin"}
        assert client.post("/api/v1/batches", json=body, headers=header).status_code == 201

    def test_another_sites_batch_does_not_exist(
        self, client: TestClient, clinic: Clinic, installation: Installation, owner_database: Database
    ):
        batch = open_draft(client, clinic)
        with session_scope(owner_database) as session:
            _, stranger = make_member(session, Role.SITE_TECHNICIAN, site=make_site(session))
        with client_for(installation, stranger) as other:
            assert other.get(f"/api/v1/batches/{batch}").status_code == 404
            assert upload(other, batch, "a.png", png(phantom())).status_code == 404
            assert other.post(f"/api/v1/batches/{batch}/submit").status_code == 404


class TestLimits:
    def test_a_file_beyond_the_limit_is_refused_before_it_is_sent(self, clinic: Clinic, installation: Installation):
        small = Installation(
            clinic.settings.model_copy(update={"upload_max_file_mb": 1}), clinic.database, clinic.blobs, NullBell()
        )
        with client_for(small, clinic.token) as client:
            batch = open_draft(client, clinic)
            answer = upload(client, batch, "big.png", b"x" * 1_000_001)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "1 MB" in answer.json()["message"]

    def test_a_body_of_unknown_length_is_cut_off_at_the_limit(self, clinic: Clinic, installation: Installation):
        small = Installation(
            clinic.settings.model_copy(update={"upload_max_file_mb": 1}), clinic.database, clinic.blobs, NullBell()
        )

        def endless() -> Iterator[bytes]:
            while True:
                yield b"x" * 65_536

        with client_for(small, clinic.token) as client:
            batch = open_draft(client, clinic)
            # The test client reads a generator to its end, so this one is long, not endless.
            chunks = (chunk for chunk, _ in zip(endless(), range(40), strict=False))
            answer = client.put(f"/api/v1/batches/{batch}/files", params={"name": "big.png"}, content=chunks)
        assert answer.status_code == 413
        assert list((clinic.settings.home / "uploads").iterdir()) == [], "nothing is left behind"

    def test_more_files_than_a_batch_may_hold_are_refused(self, clinic: Clinic):
        small = Installation(
            clinic.settings.model_copy(update={"upload_max_files": 1}), clinic.database, clinic.blobs, NullBell()
        )
        with client_for(small, clinic.token) as client:
            batch = open_draft(client, clinic)
            upload(client, batch, "a.png", png(phantom()))
            answer = upload(client, batch, "b.png", png(phantom(2)))
        assert answer.status_code == 400
        assert "at most 1" in answer.json()["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/v1/batches", {"study": 7}), ("/api/v1/batches", {"study": "A", "site": "B", "extra": 1})],
)
def test_every_error_has_code_message_and_remedy(client: TestClient, path: str, body: dict[str, object]):
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert set(answer.json()) == {"code", "message", "remedy"}


def test_an_unknown_address_is_answered_as_json(client: TestClient):
    assert set(client.get("/api/v1/nothing").json()) == {"code", "message", "remedy"}


def test_the_schema_describes_every_route(client: TestClient):
    schema = json.loads(client.get("/api/v1/openapi.json").text)
    assert "/batches/{batch_id}/submit" in schema["paths"]
