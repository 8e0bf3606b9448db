"""The bundled ONH model in the worker's path: phantoms are scored, stored, and left to a person."""

import pytest
from lane import Scene, make_scene
from onh_scans import queue_onh_scan
from sqlalchemy import select

from core.database.session import Database, session_scope
from core.database.tables import Assessment, AssessmentPicture
from core.phantom.onh_spec import OnhPhantomSpec
from core.scoring.contract import OPEN_LANES
from core.scoring.onh_card import OnhCard
from core.scoring.registry import load_scorer, weights_path
from core.settings import Settings
from core.storage import open_blob_store
from core.store.scan_view import read_scan
from core.usecases.assess_scans import Line, assess_scans
from core.vocabulary import ReasonCode, ScanKind, Verdict

LARGEST_BYTES = 25_000_000


@pytest.fixture(scope="module")
def scorer():
    return load_scorer(ScanKind.ONH_ENFACE, device="cpu")


@pytest.fixture
def scene(owner_database: Database, settings: Settings) -> Scene:
    with session_scope(owner_database) as session:
        return make_scene(session, open_blob_store(settings))


def test_the_lane_is_open_and_its_weights_are_small():
    assert ScanKind.ONH_ENFACE in OPEN_LANES
    assert weights_path(ScanKind.ONH_ENFACE).stat().st_size < LARGEST_BYTES


def test_the_card_says_what_the_model_has_not_seen():
    card = OnhCard.beside(weights_path(ScanKind.ONH_ENFACE))
    assert "It has seen no real scan." in card.known_failures[0]
    assert card.calibration is None
    assert {data.name for data in card.data} == {"octaudit ONH phantoms"}


def test_a_clean_and_a_ruined_phantom_are_told_apart_and_both_left_to_a_person(
    scorer, owner_database: Database, worker_database: Database, settings: Settings, scene: Scene
):
    with session_scope(owner_database) as session:
        clean = queue_onh_scan(session, scene, OnhPhantomSpec(size_px=192)).id
        ruined = queue_onh_scan(session, scene, OnhPhantomSpec(size_px=192, dark=0.5, signal=0.25), seed=5).id
    assess_scans(Line(worker_database, scene.blobs, scorer, settings))
    with session_scope(owner_database) as session:
        good, bad = (read_scan(session, scan_id).assessment for scan_id in (clean, ruined))
        assert good.ordinal > bad.ordinal == 0
        assert good.is_abstained
        assert bad.verdict is good.verdict is Verdict.REVIEW
        assert ReasonCode.ABSTAINED in {reason.code for reason in good.reasons}
        assert ReasonCode.IB_SIGNAL in {reason.code for reason in bad.reasons}
        assert good.findings["onh"]["area_mm2"] == pytest.approx(2.6, abs=0.8)
        assert set(good.findings["groupings"]) == {"0|123", "01|23", "012|3", "0|1|23", "0|12|3", "01|2|3"}
        names = session.scalars(
            select(AssessmentPicture.name).join(Assessment).where(Assessment.scan_id == clean)
        ).all()
        assert names == ["onh.png"]
