"""A volume as a person looks at it, what stands beside it, and the fovea that a reviewer marks."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from builders import make_member, make_site, make_study, make_subject, make_visit
from sqlalchemy import select
from sqlalchemy.orm import Session
from volume_scans import Eye, draw_eye, make_volume_scan, make_volume_slot

from core.database import tables
from core.database.session import Database, session_scope
from core.errors import IllegalMoveError, NotAllowedError, NotFoundError, UsageError
from core.measures.etdrs import EtdrsSector
from core.settings import Settings
from core.storage import open_blob_store
from core.store.access import current_actor
from core.store.scan_history import read_history
from core.store.volume_files import read_volume_files, read_volumes_beside
from core.usecases.look_at_volume import VolumeLook, look_at_volume
from core.usecases.mark_fovea import mark_fovea
from core.values import Measured, NotComputable
from core.vocabulary import Laterality, Role, ScanPattern, ScanState
from dashboard.volume_shelf import VolumeShelf

THICKER_UM = 21.0


@dataclass(frozen=True)
class Ward:
    """A right eye at two visits, thicker at the second; there its fellow, too, and a capture that was replaced."""

    scan_id: int
    before_id: int
    fellow_id: int
    line_id: int
    reviewer: str
    manager: str
    stranger: str
    shelf: VolumeShelf


@pytest.fixture
def ward(owner_database: Database, settings: Settings) -> Ward:
    blobs = open_blob_store(settings)
    with session_scope(owner_database) as session:
        study = make_study(session)
        site, other = make_site(session, study), make_site(session, study)
        subject = make_subject(session, site)
        first, second = make_visit(session, subject), make_visit(session, subject)
        slot = make_volume_slot(session, site, visit=first)
        before = make_volume_scan(session, blobs, site, slot=slot)
        old = make_volume_scan(session, blobs, site, Eye(seed=8), slot=slot)
        old.state = ScanState.SUPERSEDED.value
        left = make_volume_slot(session, site, visit=second, laterality=Laterality.OS)
        fellow = make_volume_scan(session, blobs, site, Eye(6, Laterality.OS), slot=left, days=28)
        slot = make_volume_slot(session, site, visit=second)
        scan = make_volume_scan(session, blobs, site, Eye(7, thicker_um=THICKER_UM), slot=slot, days=28)
        line = replace(draw_eye(Eye(9))[0], scan_pattern=ScanPattern.LINE)
        line_scan = make_volume_scan(session, blobs, site, Eye(9), volume=line)
        tokens = [make_member(session, role, study=study)[1] for role in (Role.QC_TECHNICIAN, Role.MANAGER)]
        stranger = make_member(session, Role.QC_TECHNICIAN, site=other)[1]
        return Ward(scan.id, before.id, fellow.id, line_scan.id, *tokens, stranger, VolumeShelf(blobs.get))


@pytest.fixture
def look(dashboard_database: Database, ward: Ward) -> Callable[[int], VolumeLook]:
    def found(scan_id: int) -> VolumeLook:
        with session_scope(dashboard_database, token=ward.reviewer) as session:
            files = read_volume_files(session, scan_id)
        assert files is not None
        return look_at_volume(files, ward.shelf)

    return found


def mark(database: Database, ward: Ward, token: str, place: tuple[float, float] | None, **changes: object) -> None:
    with session_scope(database, token=token) as session:
        actor = current_actor(session)
        assert actor is not None
        given = {"scan_id": ward.scan_id, "place_mm": place, "reason": "a cyst", "source": ward.shelf} | changes
        mark_fovea(session, actor=actor, **given)


def test_fellow_eye_and_visits_stand_beside_a_volume_and_what_was_replaced_does_not(
    dashboard_database: Database, ward: Ward
):
    with session_scope(dashboard_database, token=ward.reviewer) as session:
        beside = read_volumes_beside(session, ward.scan_id)
    assert [files.scan_id for files in beside] == [ward.fellow_id, ward.before_id]


def test_a_thicker_visit_shows_as_much_and_a_fellow_eye_is_turned_over(look: Callable[[int], VolumeLook], ward: Ward):
    now = look(ward.scan_id)
    for other_id in (ward.before_id, ward.fellow_id):
        other = look(other_id)
        gained = now.difference_from(other)
        assert not isinstance(gained, NotComputable)
        assert float(np.nanmedian(gained.values)) == pytest.approx(THICKER_UM, abs=1.5)
        central = [each.etdrs.sectors[EtdrsSector.CENTRAL] for each in (now, other)]
        assert all(isinstance(each, Measured) for each in central)
        assert central[0].value - central[1].value == pytest.approx(THICKER_UM, abs=3.0)


def test_a_line_scan_has_a_mean_and_no_map_and_says_why(look: Callable[[int], VolumeLook], ward: Ward):
    line = look(ward.line_id)
    for found in (line.surfaces, line.fovea, line.etdrs, line.device_difference):
        assert isinstance(found, NotComputable)
        assert "line scan" in found.reason
    assert isinstance(line.mean_um, Measured)


def test_a_mark_counts_until_it_is_taken_back_and_the_trail_holds_both(
    dashboard_database: Database, owner_database: Database, look: Callable[[int], VolumeLook], ward: Ward
):
    found = look(ward.scan_id).fovea
    place = (round(found.x_mm + 0.5, 2), round(found.y_mm - 0.3, 2))
    mark(dashboard_database, ward, ward.reviewer, place)
    moved = look(ward.scan_id)
    assert (moved.fovea.x_mm, moved.fovea.y_mm, moved.fovea.is_manual) == (*place, True)
    mark(dashboard_database, ward, ward.reviewer, None, reason="the pit is there after all")
    assert look(ward.scan_id).fovea == found
    with session_scope(owner_database) as session:
        events = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.entity == "fovea_mark")).all()
    assert [(event.action, event.reason) for event in events] == [
        ("fovea.mark", "a cyst"), ("fovea.take_back", "the pit is there after all"),
    ]  # fmt: skip
    assert events[1].before == {"x_mm": place[0], "y_mm": place[1]}
    with session_scope(owner_database) as session:
        *_, put, taken = read_history(session, ward.scan_id)
    assert (put.text, put.note) == (f"put the fovea at {place[0]:.2f} mm right, {place[1]:.2f} mm down", "a cyst")
    assert (taken.text, taken.note) == (
        "took the mark of the fovea back: the program's own finding counts", "the pit is there after all",
    )  # fmt: skip
    assert put.who == taken.who != ""


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"reason": " "}, UsageError, "Why there"),
        ({"place_mm": (99.0, 2.0)}, UsageError, "outside the scanned field"),
        ({"place_mm": (float("nan"), 2.0)}, UsageError, "outside the scanned field"),
        ({"place_mm": None}, IllegalMoveError, "Nobody has marked"),
    ],
)
def test_what_cannot_be_marked_is_refused_with_what_to_do(
    dashboard_database: Database, ward: Ward, changes: dict[str, object], error: type[Exception], words: str
):
    with pytest.raises(error, match=words):
        mark(dashboard_database, ward, ward.reviewer, (4.0, 4.0), **changes)


def test_who_may_not_review_the_scan_moves_nothing(dashboard_database: Database, ward: Ward):
    with pytest.raises(NotAllowedError, match="role"):
        mark(dashboard_database, ward, ward.manager, (4.0, 4.0))
    with pytest.raises(NotFoundError):
        mark(dashboard_database, ward, ward.stranger, (4.0, 4.0))
    with pytest.raises(IllegalMoveError, match="line scan"):
        mark(dashboard_database, ward, ward.reviewer, (4.0, 4.0), scan_id=ward.line_id)


def test_one_who_uploaded_the_scan_does_not_mark_it(dashboard_database: Database, owner_database: Database, ward: Ward):
    with session_scope(owner_database) as session:
        scan = session.get_one(tables.Scan, ward.scan_id)
        own = owner_of(session, ward.reviewer)
        session.get_one(tables.Batch, scan.batch_id).uploaded_by_id = own
    with pytest.raises(NotAllowedError, match="uploaded"):
        mark(dashboard_database, ward, ward.reviewer, (4.0, 4.0))


def owner_of(session: Session, token: str) -> int:
    """Whose session a token opens."""
    sha256 = hashlib.sha256(token.encode()).hexdigest()
    return session.scalars(select(tables.Session.user_id).where(tables.Session.token_sha256 == sha256)).one()
