"""Every command of docker-compose.yml starts as a plain process with exactly the settings that the file gives it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import yaml
from sqlalchemy import make_url

from core.database.embedded import Addresses
from core.database.embedded.binaries import postgres_programs, redis_server_program
from core.settings import Settings

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))[
    "services"
]
LASTING = ("worker", pytest.param("worker-gpu", marks=pytest.mark.slow), "keeper", "dashboard")
START_S, STOP_S = 120, 60
LOOK_EVERY_S = 2
"""Each look is a program of its own, which takes the time of the very process that it looks at."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Service:
    """A service's command as a process of this machine, in place of its container."""

    def __init__(self, name: str, settings: Settings, home: Path) -> None:
        self.name, self.port = name, free_port()
        self.environment = self._environment(settings, home)
        self.process = subprocess.Popen(self._here(SERVICES[name]["command"]), env=self.environment, cwd=home)

    def is_started(self) -> bool:
        """Healthy, and for a worker: its child is there, so that it has heard of signals."""
        has_child = "worker" not in self.name or bool(psutil.Process(self.process.pid).children())
        return has_child and self.is_healthy()

    def is_healthy(self) -> bool:
        test = [part.replace("8501", str(self.port)) for part in SERVICES[self.name]["healthcheck"]["test"][1:]]
        done = subprocess.run(
            self._here(test),
            env=self.environment,
            cwd=self.environment["OCTAUDIT_HOME"],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def _environment(self, settings: Settings, home: Path) -> dict[str, str]:
        """The names are the file's, the values this machine's; nothing else of octaudit's is set."""
        values = {
            f"OCTAUDIT_{name.upper()}": secret.get_secret_value()
            for name in Settings.model_fields
            if hasattr(secret := getattr(settings, name), "get_secret_value")
        }
        values |= {
            "OCTAUDIT_BLOB_URL": f"file://{home}/blobs",
            "OCTAUDIT_WORKER_DEVICE": "cpu",
            "OCTAUDIT_DASHBOARD_HOST": "127.0.0.1",
            "OCTAUDIT_SECURE_COOKIES": "false",
            "OCTAUDIT_AUDIT_KEY_FILE": f"{home}/audit.key",
            "OCTAUDIT_AUDIT_ANCHOR_FILE": f"{home}/audit.anchor",
        }
        named = SERVICES[self.name]["environment"]
        # A name without a value is handed on only where the operator has set it; here nobody has.
        given = {name: values[name] for name, value in named.items() if value is not None or name in values}
        image = {"OCTAUDIT_HOME": str(home), "PYTHONSAFEPATH": "1", "OCTAUDIT_DASHBOARD_PORT": str(self.port)}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("OCTAUDIT_")}
        return {**outside, **given, **image}

    @staticmethod
    def _here(command: list[str]) -> list[str]:
        """The image's `python` and `octaudit` are those of this environment."""
        folder = Path(sys.executable).parent
        return [str(folder / command[0]), *command[1:]]


@pytest.fixture
def service(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Service]:
    service = Service(request.param, settings, tmp_path)
    yield service
    service.end()


@pytest.mark.parametrize("service", LASTING, indirect=True)
def test_a_service_becomes_healthy_and_stops_when_told(service: Service):
    end = time.monotonic() + START_S
    time.sleep(LOOK_EVERY_S)
    while not service.is_started():
        assert service.process.poll() is None, f"{service.name} ended with {service.process.returncode}"
        assert time.monotonic() < end, f"{service.name} did not become healthy"
        time.sleep(LOOK_EVERY_S)
    # uvicorn stops in order and then dies of the very signal, as a shell expects of a program.
    assert service.end() in ({0, -signal.SIGTERM} if service.name == "dashboard" else {0})


@pytest.mark.parametrize("service", ["migrate"], indirect=True)
def test_migrate_makes_roles_and_schema_and_ends(service: Service):
    assert service.process.wait(START_S) == 0


def test_the_broker_starts_with_the_files_arguments_and_asks_for_its_password(tmp_path: Path):
    secret = "told-by-the-environment"
    arguments = [secret if "PASSWORD" in part else part for part in SERVICES["redis"]["command"][1:]]
    address = tmp_path / "r.sock"
    where = ["--port", "0", "--unixsocket", str(address), "--dir", str(tmp_path)]
    with subprocess.Popen([redis_server_program(), *arguments, *where], stdout=subprocess.DEVNULL) as server:
        try:
            client = redis.Redis(unix_socket_path=str(address), password=secret)
            end = time.monotonic() + 20
            while not address.exists() and time.monotonic() < end:
                time.sleep(0.05)
            assert client.ping()
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("save") == {"save": ""}
            with pytest.raises(redis.AuthenticationError):
                redis.Redis(unix_socket_path=str(address)).ping()
            client.close()
        finally:
            server.terminate()


def test_the_databases_health_check_and_locale_are_ones_that_postgres_knows(servers: Addresses):
    programs = postgres_programs()
    check = SERVICES["postgres"]["healthcheck"]["test"][1:]
    done = subprocess.run(
        [programs / check[0], *check[1:], f"--host={servers.socket_folder}"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    offered = subprocess.run([programs / "initdb", "--help"], capture_output=True, text=True, check=True).stdout
    for argument in SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split():
        assert argument.split("=")[0] in offered


def test_the_urls_name_the_roles_that_the_policies_name():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.startswith("OCTAUDIT_DATABASE_"):
                role = name.removeprefix("OCTAUDIT_DATABASE_").removesuffix("_URL").lower()
                url = make_url(value.replace(":?set it in .env", ""))
                assert url.username == f"octaudit_{role}"
                assert url.database == ("postgres" if role == "admin" else "octaudit")
