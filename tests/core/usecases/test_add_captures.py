from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from uploads import Clinic, make_clinic, phantom, png

from core.database import tables
from core.database.session import Database, session_scope
from core.policy.protocol import ExpectedScanType, Protocol
from core.settings import Settings
from core.store.rate import recount_slots
from core.usecases.check_rates import verify_rates
from core.vocabulary import FileState, RateMeasure


@pytest.fixture
def clinic(owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path) -> Clinic:
    return make_clinic(owner_database, dashboard_database, settings, tmp_path)


def test_a_received_capture_is_counted_at_once(clinic: Clinic, owner_database: Database):
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom(1)))
    clinic.stage_row(batch, "b.png", png(phantom(2)), slab="deep")
    clinic.submit(batch)

    with session_scope(owner_database) as session:
        deltas = session.execute(select(tables.RateDelta.measure, func.sum(tables.RateDelta.n)).group_by("measure"))
        assert dict(deltas.all())["received"] == 1, "two slabs of one capture are one acquisition"


def test_a_capture_off_the_protocol_is_counted_so_once_it_is_decided(
    owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path
):
    asked = Protocol(expected=(ExpectedScanType(scan_type="octa-enface 6x6"),), known_devices=("Zeiss AngioPlex",))
    clinic = make_clinic(owner_database, dashboard_database, settings, tmp_path, protocol=asked)
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()))
    clinic.submit(batch)

    counted = select(tables.RateDelta.detail).where(tables.RateDelta.measure == RateMeasure.DEVIATION)
    with session_scope(owner_database) as session:
        capture = session.execute(select(tables.Acquisition)).scalar_one()
        assert capture.deviations == ["scan_type", "device"]
        assert session.scalars(counted).all() == []
        session.execute(update(tables.Scan).values(human_ordinal=2))
        recount_slots(session, [capture.expected_scan_id])
        assert sorted(session.scalars(counted)) == ["any", "device", "scan_type"]
    assert verify_rates(owner_database) == []


def test_slabs_with_one_acquisition_name_hang_on_one_capture(clinic: Clinic, owner_database: Database):
    batch = clinic.open()
    clinic.stage_row(batch, "s.png", png(phantom(1)))
    clinic.stage_row(batch, "d.png", png(phantom(2)), slab="deep")
    clinic.submit(batch)
    later = clinic.open()
    clinic.stage_row(later, "f.png", png(phantom(3)), slab="full-retina")
    assert clinic.submit(later).count(FileState.ACCEPTED) == 1
    with session_scope(owner_database) as session:
        assert session.scalars(select(func.count()).select_from(tables.Acquisition)).one() == 1
        assert set(session.scalars(select(tables.Scan.slab))) == {"superficial", "deep", "full-retina"}


def test_a_new_visit_gets_its_window_and_the_slots_that_the_protocol_expects(
    owner_database: Database, dashboard_database: Database, settings: Settings, tmp_path: Path
):
    protocol = Protocol(visit_window_days=10, expected=(ExpectedScanType(scan_type="octa-enface 3x3"),))
    clinic = make_clinic(owner_database, dashboard_database, settings, tmp_path, protocol=protocol)
    batch = clinic.open()
    clinic.stage_row(batch, "a.png", png(phantom()))
    clinic.submit(batch)
    with session_scope(owner_database) as session:
        visit = session.execute(select(tables.Visit)).scalar_one()
        assert visit.window_ends_on.isoformat() == "2026-03-12"
        slots = session.execute(select(tables.ExpectedScan.laterality, tables.ExpectedScan.first_received_at)).all()
        assert {eye: at is not None for eye, at in slots} == {"OD": True, "OS": False}
