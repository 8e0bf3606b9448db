"""docker-compose.yml without an engine: its schema, its secrets, its settings, and what it builds."""

import importlib.resources
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from core.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)


def test_it_follows_the_compose_specification():
    schema = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


def test_it_has_the_services_of_the_architecture():
    assert set(SERVICES) == {"postgres", "redis", "migrate", "worker", "worker-gpu", "keeper", "dashboard"}


def test_every_password_comes_from_the_environment_and_none_has_a_default():
    used = re.findall(r"\$\{(OCTAUDIT_\w*PASSWORD)([^}]*)\}", TEXT)
    assert {name for name, _ in used} == {
        f"OCTAUDIT_{who}_PASSWORD" for who in ("ADMIN", "OWNER", "DASHBOARD", "WORKER", "SEALER", "REDIS")
    }
    assert {rest for _, rest in used} == {":?set it in .env"}
    assert re.findall(r"://[^:/]*:(?!\$\{)[^@]*@", TEXT) == []


@pytest.mark.parametrize("service", OURS)
def test_every_setting_of_a_service_is_one_that_the_program_reads(service: str):
    known = {f"OCTAUDIT_{name.upper()}" for name in Settings.model_fields}
    assert set(SERVICES[service]["environment"]) <= known


@pytest.mark.parametrize("service", OURS)
def test_our_containers_are_read_only_and_without_privileges(service: str):
    settings = SERVICES[service]
    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"migrate"}))
def test_every_lasting_service_has_a_health_check(service: str):
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"


def test_only_the_dashboard_is_published_and_to_this_host_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["dashboard"]
    assert published["dashboard"][0].startswith("${OCTAUDIT_PUBLISH:-127.0.0.1:")


@pytest.mark.parametrize("service", OURS)
def test_everything_waits_for_the_schema(service: str):
    waits = SERVICES[service]["depends_on"]
    awaited = "postgres" if service == "migrate" else "migrate"
    condition = "service_healthy" if service == "migrate" else "service_completed_successfully"
    assert waits[awaited]["condition"] == condition


def test_the_gpu_worker_is_a_profile_and_the_cpu_worker_the_default():
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    assert "profiles" not in SERVICES["worker"]
    assert SERVICES["worker-gpu"]["command"] == SERVICES["worker"]["command"]
    assert SERVICES["worker-gpu"]["environment"]["OCTAUDIT_WORKER_DEVICE"] == "cuda"


DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("service", OURS)
def test_every_image_is_a_target_of_the_dockerfile(service: str):
    assert re.search(rf"^FROM base AS {SERVICES[service]['build']['target']}$", DOCKERFILE, re.MULTILINE)


def test_no_image_runs_as_root_or_imports_from_the_working_folder():
    finals = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    run_time = [stage for stage in finals if "CMD" in stage and stage.startswith("base AS")]
    assert len(run_time) == 3
    assert all("USER octaudit" in stage for stage in run_time)
    assert "PYTHONSAFEPATH=1" in DOCKERFILE


def test_the_dashboard_image_installs_no_torch():
    stage = DOCKERFILE.split("AS build-dashboard", 1)[1].split("FROM", 1)[0]
    assert "'.[dashboard]'" in stage


def test_everything_that_the_dockerfile_copies_exists_and_is_sent_to_the_engine():
    copied = [name for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    sent = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(copied) <= sent
