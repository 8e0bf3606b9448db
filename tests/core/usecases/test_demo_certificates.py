"""The demo's certificates: one ends soon, the updated device is due for a new check, the newcomer's is under review."""

import pytest
from demo_rows import TODAY, write_demo_rows

from core.database.session import Database, session_scope
from core.phantom.demo_roster import NEWCOMER, UPDATED_DEVICE
from core.store.certificate import CertificateRow, read_certificates
from core.usecases.demo_certificates import ENDING_DEVICE, tell_of_certificates
from core.usecases.demo_people import people_and_places
from core.usecases.demo_workflow import Story
from core.vocabulary import CertificateState


@pytest.fixture
def certificates(owner_database: Database) -> dict[str, CertificateRow]:
    with session_scope(owner_database) as session:
        rows = write_demo_rows(session)
        study = rows.study
        places = people_and_places(session, study)
    story = Story(study, places, lambda: session_scope(owner_database))
    for _ in range(2):  # a second telling adds nothing
        tell_of_certificates(story)
    with session_scope(owner_database) as session:
        found = read_certificates(session, study_id=places.study_id, site_id=None)
    by_holder = {row.holder_code: row for row in found}
    assert len(by_holder) == len(found)
    return by_holder


@pytest.mark.slow
def test_the_planted_certificates_stand_as_the_story_says(certificates: dict[str, CertificateRow]) -> None:
    today = TODAY.date()
    stands = {code: row.standing_on(today) for code, row in certificates.items()}
    assert stands.pop(NEWCOMER) is CertificateState.UNDER_REVIEW
    assert stands.pop(UPDATED_DEVICE) is CertificateState.RECHECK_DUE
    assert set(stands.values()) == {CertificateState.CERTIFIED}
    assert len(stands) > 20
    ending = certificates[ENDING_DEVICE].expires_on
    assert ending is not None
    assert 0 < (ending - today).days <= 30
