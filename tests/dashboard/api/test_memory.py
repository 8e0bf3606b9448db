import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import numpy as np
import psutil
import pytest
from uploads import Clinic, make_clinic, phantom, png

from core.database.session import Database
from core.settings import Settings
from core.usecases.log_in import csrf_token_for
from dashboard.gate import session_cookie_name

MB = 1_000_000
ALLOWED_GROWTH_MB = 60
"""A buffer of 1 MB, one decoded scan, and what the allocator keeps; an upload held in memory would be 120 or 500."""


@pytest.fixture
def clinic(owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path) -> Clinic:
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


@pytest.fixture
def server(settings: Settings) -> Iterator[tuple[psutil.Process, str]]:
    """The real dashboard server as a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secrets = {
        f"OCTAUDIT_{name.upper()}": value.get_secret_value()
        for name, value in settings
        if name.endswith("_url") and value is not None and hasattr(value, "get_secret_value")
    }
    environment = os.environ | secrets | {"OCTAUDIT_HOME": str(settings.home), "OCTAUDIT_DASHBOARD_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard.server"], env=environment, stdout=subprocess.DEVNULL, cwd=settings.home
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(address, process)
        yield psutil.Process(process.pid), address
    finally:
        process.terminate()
        process.wait(20)


def wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(150):
        assert process.poll() is None, "the server ended"
        try:
            httpx.get(f"{address}/login")
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the server did not come up")


class PeakMemory:
    """Watches a process and keeps the most resident memory that it had, in MB."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak = 0.0

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, self._process.memory_info().rss / MB)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def big_zip(path: Path, size_mb: int) -> None:
    """An archive of one good scan and noise that no image reader takes, stored without compression."""
    noise = np.random.default_rng(1).integers(0, 256, 10 * MB, dtype=np.uint8).tobytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("good.png", png(phantom()))
        for number in range(size_mb // 10):
            archive.writestr(f"noise-{number}.png", noise)


@pytest.mark.parametrize("size_mb", [120, pytest.param(490, marks=pytest.mark.slow)])
def test_a_large_upload_does_not_grow_the_server(
    clinic: Clinic, server: tuple[psutil.Process, str], tmp_path: Path, size_mb: int
):
    process, address = server
    archive = tmp_path / "big.zip"
    big_zip(archive, size_mb)
    cookies = {session_cookie_name(clinic.settings): clinic.token}
    headers = {"X-Octaudit-CSRF": csrf_token_for(clinic.token)}
    with httpx.Client(base_url=f"{address}/api/v1", cookies=cookies, headers=headers, timeout=120) as client:
        batch = client.post("/batches", json={"study": clinic.study, "site": clinic.site}).json()["id"]
        # What the first scan loads (decoders, the lettering detector) is not the upload's doing.
        client.put(f"/batches/{batch}/files", params={"name": "first.png"}, content=png(phantom(2)))
        before = process.memory_info().rss / MB
        with PeakMemory(process) as memory, archive.open("rb") as body:
            answer = client.put(f"/batches/{batch}/files", params={"name": "big.zip"}, content=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["files"]) == size_mb // 10 + 1
    assert answer.json()["files"][0]["problems"] == []
    assert memory.peak - before < ALLOWED_GROWTH_MB
