"""The API held against its own schema by schemathesis: whatever is sent, the answer is one that the schema promises.

No answer is a fault of ours, every status, content type and body is documented, wrong data is refused and unknown
methods are named. Asked as a person with every role, as a technician of one site, and as a program with one scope; ids
are real in every other request, because random ones would end at "not found".
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from api_clients import make_client
from builders import login_token, make_grant, make_user
from clinics import Clinics
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
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
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.database import tables
from core.database.session import Database, session_scope
from core.usecases.log_in import csrf_token_for
from core.vocabulary import ApiScope, Role
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


@dataclass(frozen=True)
class Asker:
    """Somebody who calls: the headers and cookies that say so."""

    name: str
    headers: dict[str, str]
    cookies: dict[str, str]


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


def own_ids(clinics: Clinics, owner_database: Database) -> dict[str, int]:
    """Ids that exist, by the name of the path's parameter."""
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, clinics.flagged_id)
        return {"scan_id": clinics.flagged_id, "study_id": clinics.study_id, "batch_id": scan.batch_id}


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
    api: Starlette, asker: Asker, ids: dict[str, int], *, n: int, modes: Sequence[GenerationMode] = BOTH
) -> list[str]:
    """What schemathesis says of every operation, asked ``n`` times rightly and ``n`` times wrongly."""
    found = []
    with schema_of(api, asker) as schema:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in modes:
                try:
                    probe(operation, asker, ids, mode, n)
                except Unsatisfiable:
                    pass  # nothing of it could be wrong: it takes no field
                except Exception as error:  # noqa: BLE001 - groups of failures, gathered for one report
                    found.append(
                        f"{asker.name}: {operation.label} {mode}: {error!r} {getattr(error, 'exceptions', '')}"
                    )
    return found


def probe(operation: Any, asker: Asker, ids: dict[str, int], mode: GenerationMode, n: int) -> None:
    count = iter(range(10**9))

    @settings(
        max_examples=n, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and next(count) % 2 == 0:
            case.path_parameters.update({name: ids[name] for name in case.path_parameters if name in ids})
        case.call_and_validate(headers=asker.headers, cookies=asker.cookies, checks=CHECKS)

    ask()


def test_schemathesis_finds_nothing(
    api: Starlette, askers: dict[str, Asker], clinics: Clinics, owner_database: Database
) -> None:
    ids = own_ids(clinics, owner_database)
    found = faults_found(api, askers["everything"], ids, n=1)
    for name in ("technician", "program"):
        found += faults_found(api, askers[name], ids, n=1, modes=BOTH[:1])
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", ["everything", "technician", "program"])
def test_schemathesis_finds_nothing_in_a_long_run(
    api: Starlette, askers: dict[str, Asker], clinics: Clinics, owner_database: Database, name: str
) -> None:
    found = faults_found(api, askers[name], own_ids(clinics, owner_database), n=40)
    assert not found, "\n".join(found)
