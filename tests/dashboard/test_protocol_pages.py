"""Certificates and Completeness as each role sees them, and a re-evaluation from preview to order on the Admin page."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from builders import MONDAY, make_device, make_expected_scan, make_member, make_subject, make_technician, make_visit
from clinics import Clinics
from scored_scans import make_scored_capture
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from core.database.session import Database, session_scope
from core.database.tables import Acquisition, Certificate, ProtocolVersion, ReEvaluation, Scan, Site
from core.policy.protocol import Borders, Protocol
from core.store.certificate import find_holder
from core.store.evidence import EvidenceScan, list_candidates
from core.usecases.re_evaluate import carry_out_re_evaluations
from core.vocabulary import Role, ScanKind, Verdict
from dashboard.installation import Installation

PageOf = Callable[..., AppTest]
CERTIFICATES, COMPLETENESS, ADMIN = "pages/certificates.py", "pages/completeness.py", "pages/admin.py"


def shown(page: AppTest) -> str:
    assert not page.exception, page.exception[0].value
    given = (json.loads(part.proto.json or part.proto.mixed.json) for part in page.get("bidi_component"))
    return "\n".join(data["html"] for data in given if "html" in data)


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def fill(page: AppTest, label: str, text: str) -> None:
    next(each for each in page.text_input if each.label == label).input(text)


@pytest.fixture
def scans(owner_database: Database, clinics: Clinics, installation: Installation) -> tuple[EvidenceScan, ...]:
    """Three accepted captures of a device, S01-B, by its software."""
    with session_scope(owner_database) as session:
        site = session.get_one(Site, clinics.site_id)
        device = make_device(session, site, code="S01-B", software_version="4.2.0", serial="SN-77")
        for seed in range(20, 23):
            scan = make_scored_capture(session, installation.blobs, site, device=device, seed=seed, ordinal=2)
            session.execute(
                update(Acquisition).where(Acquisition.id == scan.acquisition_id).values(software_version="4.2.0")
            )
        holder = find_holder(session, device_id=device.id)
        assert holder is not None
        return list_candidates(session, holder, ScanKind.OCTA_ENFACE)


def ask(page: AppTest, holder: str, scans: Sequence[EvidenceScan]) -> AppTest:
    chooser = next(each for each in page.selectbox if each.label == "Device or technician")
    chooser.select_index([each.split(" · ")[0] for each in chooser.options].index(holder)).run()
    next(each for each in page.multiselect if each.label == "Scans that show it").set_value(list(scans))
    return press(page, "Ask for it")


def test_a_device_is_certified_in_three_steps_on_the_page(
    page_of: PageOf, clinics: Clinics, scans: tuple[EvidenceScan, ...], owner_database: Database
) -> None:
    page = page_of(clinics.manager, CERTIFICATES)
    assert "No certificates" in shown(page)
    page = ask(page, "S01-B", scans)
    assert "A certificate of S01-B is asked for." in page.success[0].value
    assert "3 of 3 gradable captures shown." in shown(page)
    page = press(page, "Put under review")
    fill(page, "Note, or the reason of a refusal", "Sharp in all three.")
    page = press(page, "Grant")
    assert "S01-B is certified until" in page.success[0].value
    markup = shown(page)
    assert "1 hold." in markup
    assert "SN-77, 4.2.0" in markup
    assert "Sharp in all three." in markup
    with session_scope(owner_database) as session:
        assert session.scalars(select(Certificate.device_id)).all() == [scans[0].device_id]


def test_a_refusal_without_a_reason_is_not_written(
    page_of: PageOf, clinics: Clinics, scans: tuple[EvidenceScan, ...]
) -> None:
    page = ask(page_of(clinics.manager, CERTIFICATES), "S01-B", scans[:1])
    page = press(page, "Refuse")
    assert "Why is it refused?" in page.error[0].value


def test_a_site_asks_for_its_devices_and_decides_nothing(
    page_of: PageOf, clinics: Clinics, scans: tuple[EvidenceScan, ...], owner_database: Database
) -> None:
    page = ask(page_of(clinics.technician, CERTIFICATES), "S01-B", scans)
    labels = {button.label for button in page.button}
    assert "Show these scans" in labels
    assert not labels & {"Put under review", "Grant", "Refuse"}
    with session_scope(owner_database) as session:
        certificate_id = session.scalars(select(Certificate.id)).one()
    assert "No certificates" in shown(page_of(clinics.stranger, CERTIFICATES))
    other = page_of(clinics.stranger, CERTIFICATES, certificate=certificate_id)
    assert "No such certificate" in shown(other)


def test_a_technicians_certificate_is_hidden_from_colleagues(
    page_of: PageOf, clinics: Clinics, owner_database: Database
) -> None:
    with session_scope(owner_database) as session:
        site = session.get_one(Site, clinics.site_id)
        own, token = make_member(session, Role.SITE_TECHNICIAN, site=site)
        make_technician(session, site, code="T-OWN", user_id=own.id)
    page = page_of(token, CERTIFICATES)
    chooser = next(each for each in page.selectbox if each.label == "Device or technician")
    chooser.select_index([each.split(" · ")[0] for each in chooser.options].index("T-OWN")).run()
    page = press(page, "Ask for it")
    assert "T-OWN" in shown(page)
    assert "T-OWN" not in shown(page_of(clinics.technician, CERTIFICATES))
    assert "T-OWN" in shown(page_of(clinics.manager, CERTIFICATES))


@pytest.fixture
def gap(owner_database: Database, clinics: Clinics) -> int:
    """A missing scan of the first site, its window open at the tests' moment."""
    with session_scope(owner_database) as session:
        subject = make_subject(session, session.get_one(Site, clinics.site_id), code="P-GAP")
        visit = make_visit(session, subject, code="V9", window_ends_on=(MONDAY + timedelta(days=25)).date())
        return make_expected_scan(session, visit, first_received_at=None).id


def test_what_is_missing_leads_the_site_to_the_upload_filled_in(page_of: PageOf, clinics: Clinics, gap: int) -> None:
    markup = shown(page_of(clinics.technician, COMPLETENESS))
    assert "P-GAP · V9" in markup
    assert "Missing" in markup
    assert f"/upload?missing={gap}" in markup
    upload = page_of(clinics.technician, "pages/upload.py", missing=gap)
    assert "Missing scan: subject P-GAP, visit V9, OD" in upload.info[0].value
    stranger = shown(page_of(clinics.stranger, COMPLETENESS))
    assert "P-GAP" not in stranger
    refused = page_of(clinics.stranger, "pages/upload.py", missing=gap)
    assert "not missing any more, or none that you may see" in shown(refused)


@pytest.mark.usefixtures("gap")
def test_a_manager_sees_completeness_by_site_and_every_visit(page_of: PageOf, clinics: Clinics) -> None:
    page = page_of(clinics.manager, COMPLETENESS)
    markup = shown(page)
    assert "Leipzig" in markup
    assert "Turin" in markup
    assert "/upload?missing" not in markup  # a manager does not send scans
    every = shown(page_of(clinics.manager, COMPLETENESS, view="all"))
    assert "P-GAP · V9" in every


def test_a_re_evaluation_is_previewed_ordered_with_a_reason_and_carried_out(
    page_of: PageOf, clinics: Clinics, owner_database: Database, worker_database: Database, installation: Installation
) -> None:
    with session_scope(owner_database) as session:
        site = session.get_one(Site, clinics.site_id)
        first = session.scalars(select(ProtocolVersion).where(ProtocolVersion.study_id == site.study_id)).one()
        lenient = Protocol.model_validate(first.document).model_copy(
            update={"artifact_borders": Borders(mild_from=0.98, severe_above=0.99, source="test")}
        )
        session.add(
            ProtocolVersion(
                study_id=site.study_id,
                number=2,
                effective_at=MONDAY + timedelta(days=900),
                note="Lenient",
                document=lenient.model_dump(mode="json"),
            )
        )
        admin = make_member(session, Role.ADMIN)[1]
        planted = {clinics.flagged_id, clinics.other_id}
    page = page_of(admin, ADMIN, part="Re-evaluation")
    assert "Nothing was re-evaluated" in shown(page)
    page = press(page, "Preview")
    markup = shown(page)
    assert "4 scans would be judged anew, 2 with another verdict." in markup
    assert all(f"/scan?id={scan_id}" in markup for scan_id in planted)
    page = press(page, "Judge 4 scans anew")
    assert "Why are the scans judged again?" in page.error[0].value
    fill(page, "Reason (required)", "Amendment 2.")
    page = press(page, "Judge 4 scans anew")
    assert "is ordered" in page.success[0].value
    assert carry_out_re_evaluations(worker_database, installation.blobs)
    with session_scope(owner_database) as session:
        assert session.scalars(select(ReEvaluation.state)).all() == ["done"]
        verdicts = session.scalars(select(Scan.final_verdict).where(Scan.id.in_(planted))).all()
    assert set(verdicts) == {Verdict.REVIEW}
    assert "4 judged anew, 2 changed" in shown(page_of(admin, ADMIN, part="Re-evaluation"))
    history = shown(page_of(clinics.manager, "pages/scan.py", id=clinics.flagged_id))
    assert "judged again by protocol version 2" in history
