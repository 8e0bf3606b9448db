"""The bundled ONH model in the worker's path: phantoms are scored, stored, and left to a person."""

import numpy as np
import pytest
from builders import make_member
from lane import Scene, make_scene
from onh_scans import queue_onh_scan
from PIL import Image, ImageDraw
from sqlalchemy import select

from core.clock import now
from core.database import tables
from core.database.session import Database, session_scope
from core.database.tables import Assessment, AssessmentPicture
from core.measures.selection import SelectionRule
from core.phantom.bscan import BscanSpec, draw_bscan
from core.phantom.octa import render_octa
from core.phantom.onh import render_onh
from core.phantom.onh_spec import OnhPhantomSpec
from core.phantom.spec import OctaPhantomSpec
from core.policy.judge import ScanContext, judge
from core.policy.protocol import Protocol
from core.scoring.contract import OPEN_LANES, ScanInput
from core.scoring.onh_card import OnhCard
from core.scoring.registry import load_scorer, weights_path
from core.settings import Settings
from core.storage import open_blob_store
from core.store.mask import add_round, put_mask
from core.store.scan_view import read_scan
from core.training.strangers import photograph
from core.training.supervised.picture import read_grey_levels
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.choose_masks import foresee_round
from core.values import Measured
from core.vocabulary import ReasonCode, Role, ScanKind, Slab, Verdict

LARGEST_BYTES = 16_000_000


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


def test_q_of_the_bundled_model_is_stored_and_orders_what_is_annotated_next(
    scorer, owner_database: Database, worker_database: Database, settings: Settings, scene: Scene
):
    with session_scope(owner_database) as session:
        queued = [queue_onh_scan(session, scene, OnhPhantomSpec(size_px=128, dark=dark), seed=n).id
                  for n, dark in enumerate((0.0, 0.1, 0.35), start=1)]  # fmt: skip
        study_id = scene.site.study_id
        make_member(session, Role.MANAGER, study=session.get_one(tables.Study, study_id))
    assess_scans(Line(worker_database, scene.blobs, scorer, settings))
    with session_scope(owner_database) as session:
        stored = {scan_id: read_scan(session, scan_id).assessment.measures["q_level_agreement"] for scan_id in queued}
        assert all(isinstance(q, Measured) and 0 < q.value < 1 for q in stored.values())
        first = foresee_round(session, study_id=study_id, kind=ScanKind.ONH_ENFACE)
        assert (first.step, first.n_with_q) == (1, 3)
        wanted, person = first.wanted[:1], session.scalars(select(tables.User.id)).first()
        drawn = add_round(session, study_id=study_id, kind=ScanKind.ONH_ENFACE, step=1, rule={},
                          created_by_id=person, wanted=wanted)  # fmt: skip
        any_picture = session.scalars(select(tables.Blob.sha256)).first()
        put_mask(session, drawn, 1, any_picture, by_id=person, at=now())
        found = foresee_round(session, study_id=study_id, kind=ScanKind.ONH_ENFACE, rule=SelectionRule(q0=1.0))
    open_ones = {scan_id: q.value for scan_id, q in stored.items() if scan_id != wanted[0][0].scan_id}
    assert found.step == 2
    assert [(one.scan_id, q) for one, q in found.wanted] == sorted(open_ones.items(), key=lambda item: item[1])


def strangers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    page = Image.new("L", (256, 256), 255)
    for row in range(0, 256, 14):
        ImageDraw.Draw(page).text((4, row), "Subject 0017, right eye, visit 2, sent again", fill=0)
    return {
        "fundus photograph": photograph("retina.jpg"),
        "B-scan": draw_bscan(BscanSpec(height_px=256, width_px=256), 3).image,
        "OCTA of the macula": render_octa(OctaPhantomSpec(size_px=256), 3).image,
        "noise": rng.integers(0, 256, (256, 256), dtype=np.uint8),
        "blank": np.zeros((256, 256), np.uint8),
        "white": np.full((256, 256), 255, np.uint8),
        "text": np.asarray(page),
    }


def test_what_is_no_disc_scan_is_told_and_phantoms_of_any_size_are_not_refused(scorer):
    given = strangers()
    found = scorer.score([ScanInput(name, image, None) for name, image in given.items()])
    assert [scores.key for scores in found if scores.is_of_kind] == []
    judgement = judge(found[0], Protocol.default(), ScanContext(scale=None, slab=Slab.FULL_RETINA))
    assert judgement.verdict is Verdict.REVIEW
    assert judgement.reasons[0].text == "This does not look like an en-face image of the optic disc."
    specs = [OnhPhantomSpec(size_px=size_px, dark=0.1, signal=0.8) for size_px in (128, 192, 320)]
    own = scorer.score([ScanInput(str(spec.size_px), render_onh(spec, 7).image, None) for spec in specs])
    assert [scores.key for scores in own if not scores.is_of_kind] == []


@pytest.mark.real_data
def test_most_real_pictures_of_other_kinds_are_refused(scorer, real_data):
    """The COIPS images, blurred flow maps, are the known failure: the card names it."""
    shares = {}
    for name in ("bscan_kermany", "bscan_sdoct", "layers_duke_dme/images", "octa_pool/images"):
        paths = sorted((real_data / name).rglob("*.png"))[:10]
        found = scorer.score([ScanInput(path.name, read_grey_levels(path), None) for path in paths])
        shares[name] = sum(not scores.is_of_kind for scores in found) / len(found)
    assert min(shares.values()) >= 0.9, shares
