"""The API held against its own schema by schemathesis: whatever is sent, the answer is one that the schema promises.

No answer is a fault of ours, every status, content type and body is documented, wrong data is refused and unknown
methods are named. Asked as a person with every role, as a technician of one site, and as a program with one scope; ids
and versions are real in every other request, in paths, queries and bodies, because random ones would end at "not found".
"""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from api_clients import make_client
from builders import login_token, make_grant, make_user
from clinics import Clinics
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from named_rows import make_named_rows
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.database import tables
from core.database.session import Database, session_scope
from core.usecases.log_in import csrf_token_for
from core.vocabulary import ApiScope, Role
from dashboard.api.app import ROUTERS
from dashboard.gate import session_cookie_name
from dashboard.installation import Installation

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
BOTH = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
_LOG = logging.getLogger(__name__)
N_LONG = int(os.environ.get("OCTAUDIT_SCHEMA_EXAMPLES", "40"))
"""Requests of the long run per operation and way; CONTRIBUTING.md says how it is started."""


@dataclass(frozen=True)
class Asker:
    """Somebody who calls: the headers and cookies that say so."""

    name: str
    headers: dict[str, str]
    cookies: dict[str, str]


@dataclass(frozen=True)
class Known:
    """Rows that there are: their ids by the name of a parameter or field."""

    owner: Database
    ids: dict[str, tuple[int, ...]]

    def put_into(self, case: Any, number: int) -> None:
        """Give a case real ids, and the version that its scan now has."""
        own = {name: values[number % len(values)] for name, values in self.ids.items()}
        own |= {"study": own["study_id"], "site": own["site_id"], "device": own["device_id"]}
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict):
                part.update({name: own[name] for name in part if name in own})
        if isinstance(case.body, dict) and "scan_ids" in case.body:
            case.body["scan_ids"] = list(self.ids["scan_id"])
        if isinstance(case.body, dict) and "seen_version" in case.body:
            with session_scope(self.owner) as session:
                case.body["seen_version"] = session.get_one(tables.Scan, own["scan_id"]).version


@pytest.fixture
def askers(owner_database: Database, installation: Installation, clinics: Clinics) -> dict[str, Asker]:
    with session_scope(owner_database) as session:
        study = session.get_one(tables.Study, clinics.study_id)
        user = make_user(session)
        make_grant(session, user, Role.ADMIN)
        for role in (Role.MANAGER, Role.QC_TECHNICIAN, Role.ADJUDICATOR):
            make_grant(session, user, role, study=study)
        everything = login_token(session, user)
    token = make_client(
        installation.database, everything, study_id=clinics.study_id, scopes=[ApiScope.READ_SCANS],
        roles=[Role.QC_TECHNICIAN],
    ).token  # fmt: skip
    return {
        "everything": person("everything", everything, installation),
        "technician": person("technician", clinics.technician, installation),
        "program": Asker("program", {"Authorization": f"Bearer {token}"}, {}),
    }


def person(name: str, token: str, installation: Installation) -> Asker:
    cookies = {session_cookie_name(installation.settings): token}
    return Asker(name, {"X-Octaudit-CSRF": csrf_token_for(token)}, cookies)


@pytest.fixture
def known(clinics: Clinics, owner_database: Database, askers: dict[str, Asker]) -> Known:
    """Rows of everything that has an id, made once everybody is there."""
    with session_scope(owner_database) as session:
        grader = session.scalars(select(func.max(tables.User.id))).one()
        ids = make_named_rows(session, session.get_one(tables.Scan, clinics.flagged_id), grader)
        scans = (clinics.flagged_id, clinics.accepted_id, clinics.abstained_id)
    return Known(owner_database, {name: (value,) for name, value in ids.items()} | {"scan_id": scans})


@contextmanager
def schema_of(api: Starlette, asker: Asker) -> Iterator[Any]:
    with TestClient(api, headers=asker.headers, cookies=asker.cookies) as client:
        document = client.get("/api/v1/openapi.json").json()
    for methods in document["paths"].values():
        for operation in methods.values():
            # Else every request would carry a made-up token beside the asker's own, and end there. Who is let in is
            # the matter of test_access.py.
            operation.pop("security", None)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = api
    yield schema


def faults_found(
    api: Starlette, asker: Asker, known: Known, *, n: int, modes: Sequence[GenerationMode] = BOTH
) -> list[str]:
    """What schemathesis says of every operation, asked ``n`` times rightly and ``n`` times wrongly."""
    found = []
    with schema_of(api, asker) as schema:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in modes:
                try:
                    probe(operation, asker, known, mode, n)
                except Unsatisfiable:
                    pass  # nothing of it could be wrong: it takes no field
                except Exception as error:  # noqa: BLE001 - groups of failures, gathered for one report
                    found.append(
                        f"{asker.name}: {operation.label} {mode}: {error!r} {getattr(error, 'exceptions', '')}"
                    )
                    _LOG.warning(found[-1])  # a long run that is cut short has said what it found until then
            _LOG.info("%s: %s was asked", asker.name, operation.label)
    return found


def probe(operation: Any, asker: Asker, known: Known, mode: GenerationMode, n: int) -> None:
    count = iter(range(10**9))

    @settings(
        max_examples=n, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        number = next(count)
        if mode is GenerationMode.POSITIVE and number % 2 == 0:
            known.put_into(case, number // 2)
        case.call_and_validate(headers=asker.headers, cookies=asker.cookies, checks=CHECKS)

    ask()


def test_everything_that_a_route_names_by_an_id_is_there(known: Known) -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    named = {name for route in routes for name in re.findall(r"{(\w+_id)}", route.path)}
    assert named <= set(known.ids)


def test_schemathesis_finds_nothing(api: Starlette, askers: dict[str, Asker], known: Known) -> None:
    found = faults_found(api, askers["everything"], known, n=1)
    for name in ("technician", "program"):
        found += faults_found(api, askers[name], known, n=1, modes=BOTH[:1])
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", ["everything", "technician", "program"])
def test_schemathesis_finds_nothing_in_a_long_run(
    api: Starlette, askers: dict[str, Asker], known: Known, name: str
) -> None:
    found = faults_found(api, askers[name], known, n=N_LONG)
    assert not found, "\n".join(found)
