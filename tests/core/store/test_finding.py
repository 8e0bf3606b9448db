"""What the counts hold of visits and findings: compositions that follow every change, artifacts, and why captures failed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from builders import MONDAY, make_acquisition, make_expected_scan, make_scan, make_site, make_subject, make_visit
from scored_scans import make_scored_scan
from sqlalchemy import update
from sqlalchemy.orm import Session

from core.database import tables
from core.database.session import Database, session_scope
from core.settings import Settings
from core.storage import BlobStore, open_blob_store
from core.store.finding import Finding, SlabFinding, artifact_findings, cause_findings
from core.store.rate import WHOLE_VISIT, recount_slots, uncount_slots
from core.store.rate_audit import read_totals
from core.usecases.check_rates import rebuild_rates, verify_rates
from core.vocabulary import ArtifactType, RateMeasure, ReasonCode, Severity, Slab

MOTION = ReasonCode.MP_MOTION.value
SIGNAL = ReasonCode.MP_SIGNAL.value


@pytest.fixture
def blobs(settings: Settings) -> BlobStore:
    return open_blob_store(settings)


def details(session: Session, measure: RateMeasure, scan_type: str | None = None) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key, n in read_totals(session).items():
        if key.measure is measure and scan_type in (None, key.scan_type):
            counted[key.detail] += n
    return counted


def make_visit_of(session: Session, ordinals: Iterable[int | None]) -> list[tables.Scan]:
    """One visit with a slot, capture and scan per grade, on one device."""
    site = make_site(session)
    visit = make_visit(session, make_subject(session, site))
    device = None
    scans = []
    for number, ordinal in enumerate(ordinals):
        slot = make_expected_scan(session, visit, scan_type=f"octa-enface {number}x{number}")
        capture = make_acquisition(session, site, slot=slot, device=device, software_version="2.1")
        device = session.get_one(tables.Device, capture.device_id)
        scans.append(make_scan(session, site, acquisition=capture, human_ordinal=ordinal))
    recount(session, scans)
    return scans


def slots_of(session: Session, scans: Iterable[tables.Scan]) -> list[int]:
    return [session.get_one(tables.Acquisition, scan.acquisition_id).expected_scan_id for scan in scans]


def recount(session: Session, scans: Iterable[tables.Scan]) -> None:
    recount_slots(session, slots_of(session, scans))


def test_a_visit_counts_once_by_what_it_brought_and_once_under_each_type(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        make_visit_of(session, [2, 0, 1, None])
        assert details(session, RateMeasure.VISITS, WHOLE_VISIT) == {"3/2": 1}
        assert details(session, RateMeasure.VISITS, "octa-enface 1x1") == {"1/0": 1}
        assert {key.software_version for key in read_totals(session)} == {"2.1"}


def test_a_grade_in_one_slot_moves_the_whole_visit(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        scans = make_visit_of(session, [2, 0])
        scans[1].human_ordinal = 1
        recount(session, [scans[1]])
        assert details(session, RateMeasure.VISITS, WHOLE_VISIT) == {"2/2": 1}
        uncount_slots(session, slots_of(session, scans[:1]))
        assert details(session, RateMeasure.VISITS, WHOLE_VISIT) == {"1/1": 1}
        recount(session, scans)
    assert verify_rates(owner_database) == []


def test_a_replacement_is_no_part_of_its_visit(owner_database: Database) -> None:
    with session_scope(owner_database) as session:
        (scan,) = make_visit_of(session, [0])
        first = session.get_one(tables.Acquisition, scan.acquisition_id)
        slot = session.get_one(tables.ExpectedScan, first.expected_scan_id)
        site = session.get_one(tables.Site, first.site_id)
        later = make_acquisition(session, site, slot=slot, replaces_id=first.id, acquired_at=MONDAY)
        recount(session, [make_scan(session, site, acquisition=later, human_ordinal=2)])
        assert details(session, RateMeasure.VISITS, WHOLE_VISIT) == {"1/0": 1}


def test_artifacts_of_decided_captures_and_causes_of_failed_ones_are_counted(
    owner_database: Database, blobs: BlobStore
) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        bad, good = make_acquisition(session, site), make_acquisition(session, site)
        for slab in (Slab.SUPERFICIAL, Slab.DEEP):
            make_scored_scan(session, blobs, bad, ordinal=0, artifact=ArtifactType.MOTION, slab=slab)
        make_scored_scan(session, blobs, good, ordinal=1, artifact=ArtifactType.SHADOW)
        undecided = make_acquisition(session, site)
        make_scored_scan(session, blobs, undecided, artifact=ArtifactType.DEFOCUS, is_abstained=True)
        artifacts = details(session, RateMeasure.ARTIFACT)
        assert {name.split()[0]: n for name, n in artifacts.items()} == {"motion": 1, "shadow": 1}
        assert details(session, RateMeasure.CAUSE) == {MOTION: 1}
        assert details(session, RateMeasure.FIRST_CAUSE) == {MOTION: 1}
    assert verify_rates(owner_database) == []


def test_what_a_person_asked_a_repeat_for_is_the_first_cause(owner_database: Database, blobs: BlobStore) -> None:
    with session_scope(owner_database) as session:
        site = make_site(session)
        capture = make_acquisition(session, site)
        scan = make_scored_scan(session, blobs, capture, ordinal=0, artifact=ArtifactType.MOTION)
        session.add(
            tables.ReacquisitionRequest(
                site_id=site.id, acquisition_id=capture.id, scan_id=scan.id, state="requested", reason_code=SIGNAL,
                text="", remedy="",
            )
        )  # fmt: skip
        recount(session, [scan])
        assert details(session, RateMeasure.FIRST_CAUSE) == {SIGNAL: 1}
        assert details(session, RateMeasure.CAUSE) == {SIGNAL: 1, MOTION: 1}


def test_a_rebuild_finds_the_same_visits_and_findings(owner_database: Database, blobs: BlobStore) -> None:
    with session_scope(owner_database) as session:
        make_visit_of(session, [2, 0, 1])
        capture = make_acquisition(session, make_site(session))
        make_scored_scan(session, blobs, capture, ordinal=0, artifact=ArtifactType.MOTION)
        before = read_totals(session)
        session.execute(update(tables.Acquisition).values(counted_findings=[]))
    rebuild_rates(owner_database)
    with session_scope(owner_database) as session:
        assert read_totals(session) == before
        assert session.get_one(tables.Acquisition, capture.id).counted_findings
    assert verify_rates(owner_database) == []


def slab(*reasons: str, **artifacts: Severity) -> SlabFinding:
    return SlabFinding(artifacts, reasons)


def test_the_worst_severity_of_any_slab_counts() -> None:
    slabs = [slab(motion=Severity.MILD, shadow=Severity.NONE), slab(motion=Severity.SEVERE), slab(motion=Severity.MILD)]
    assert artifact_findings(slabs) == {Finding(RateMeasure.ARTIFACT, "motion severe")}


def test_a_failure_without_a_measured_cause_says_so() -> None:
    abstained = slab(ReasonCode.ABSTAINED.value)
    assert {finding.detail for finding in cause_findings([abstained], None)} == {ReasonCode.UNGRADABLE.value}
    weighty = replace(abstained, reasons=(ReasonCode.ABSTAINED.value, SIGNAL, MOTION))
    first = [f.detail for f in cause_findings([weighty], None) if f.measure is RateMeasure.FIRST_CAUSE]
    assert first == [SIGNAL]


def test_a_finding_is_read_as_it_was_written() -> None:
    finding = Finding(RateMeasure.CAUSE, MOTION)
    assert Finding.parse(str(finding)) == finding
