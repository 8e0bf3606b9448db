"""A program reads what was judged anew, by which version and why, and what became of each scan."""

from collections.abc import Callable

import pytest
from builders import make_protocol_version, make_user
from clinics import Clinics
from sqlalchemy import select
from starlette.testclient import TestClient

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.policy.protocol import Protocol
from core.store.re_evaluation import Reach, ScanOutcome, add_outcomes, add_re_evaluation, end_re_evaluation
from core.vocabulary import Outcome, ReEvaluationState, Verdict

Person = Callable[[str], TestClient]


@pytest.fixture
def done(owner_database: Database, clinics: Clinics) -> int:
    """A re-evaluation that changed one scan of the first site and left one of the other site alone."""
    with session_scope(owner_database) as session:
        study = session.get_one(tables.Study, clinics.study_id)
        numbers = session.scalars(
            select(tables.ProtocolVersion.number).where(tables.ProtocolVersion.study_id == study.id)
        ).all()
        version = make_protocol_version(
            session, study, number=max(numbers, default=0) + 1, document=Protocol().model_dump(mode="json")
        )
        order = add_re_evaluation(
            session, Reach(study.id), version_id=version.id, reason="Amendment 2", foreseen={"changed": 1, "decided": 1},
            requested_by_id=make_user(session).id,
        )  # fmt: skip
        add_outcomes(
            session,
            order,
            [
                ScanOutcome(
                    clinics.flagged_id, clinics.site_id, Outcome.CHANGED, version.id, Verdict.REACQUIRE, Verdict.REVIEW
                ),
                ScanOutcome(
                    clinics.other_id, clinics.other_site_id, Outcome.DECIDED, version.id, Verdict.REACQUIRE, None
                ),
            ],
        )
        end_re_evaluation(session, order, ReEvaluationState.DONE, at=now())
        return order


def test_a_re_evaluation_is_listed_with_what_was_foreseen_and_what_came_of_it(
    person: Person, clinics: Clinics, done: int
) -> None:
    (row,) = person(clinics.manager).get(f"/studies/{clinics.study_id}/re-evaluations").json()["items"]
    assert (row["id"], row["state"], row["reason"], row["site_code"]) == (done, "done", "Amendment 2", None)
    assert row["foreseen"] == row["counts"] == {"changed": 1, "decided": 1}


def test_its_scans_are_paged_by_outcome_and_another_sites_are_not_seen(
    person: Person, clinics: Clinics, done: int
) -> None:
    client, path = person(clinics.manager), f"/re-evaluations/{done}/scans"
    first = client.get(path, params={"limit": 1}).json()
    second = client.get(path, params={"limit": 1, "after": first["next"]}).json()
    assert [page["items"][0]["scan_id"] for page in (first, second)] == sorted([clinics.flagged_id, clinics.other_id])
    (left,) = client.get(path, params={"outcome": "decided"}).json()["items"]
    assert (left["scan_id"], left["verdict_after"]) == (clinics.other_id, None)
    assert person(clinics.technician).get(path).status_code == 404, "a site's technician sees no re-evaluation"
    assert client.get("/re-evaluations/999/scans").json()["code"] == "not_found"
