"""Scoring again and adopting with the real models of every further lane: their documents and pictures, side by side."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from bscan_scans import bscan_image, queue_bscan
from desk import Desk
from model_world import PASSWORD, ModelDesk
from onh_scans import queue_onh_scan
from safetensors.torch import load_file, save_file
from sqlalchemy import select
from sqlalchemy.orm import Session
from volume_scans import queue_volume

from core.database import tables
from core.database.session import session_scope
from core.phantom.bscan_lesion import BscanLesion
from core.phantom.onh_spec import OnhPhantomSpec
from core.scoring.card import sha256_of
from core.scoring.contract import Scorer
from core.scoring.registry import load_scorer, weights_path
from core.store.re_evaluation import Reach
from core.store.rescored_pair import read_rescored_pairs
from core.store.scan_image import read_scan_images
from core.usecases.adopt_scores import adopt_scores, carry_out_adoptions
from core.usecases.assess_scans import Line, assess_scans
from core.usecases.check_rates import verify_rates
from core.usecases.compare_findings import compare_findings
from core.usecases.compare_versions import compare_pairs
from core.usecases.order_rescoring import RescoringOrder, order_rescoring
from core.usecases.register_model import read_card_document, register_model
from core.usecases.rescore_scans import SideLine, rescore_scans
from core.vocabulary import GradeScale, ScanKind

LAST_LAYER = {
    ScanKind.ONH_ENFACE: "mask_head",
    ScanKind.BSCAN: "segmenter.last",
    ScanKind.VOLUME: "head",
}
"""Where the challenger differs from the bundled model: a part of the names of its tensors."""
MEASURED = {
    ScanKind.ONH_ENFACE: "Area of the nerve head",
    ScanKind.BSCAN: "Likeliest class",
    ScanKind.VOLUME: "Central subfield",
}


@dataclass(frozen=True)
class Said:
    """What one version says of a scan, as it is stored."""

    document: dict[str, object]
    pictures: dict[str, str]


@pytest.fixture
def models(desk: Desk, tmp_path: Path) -> ModelDesk:
    return ModelDesk(desk, tmp_path)


def queue_scan(session: Session, desk: Desk, kind: ScanKind) -> int:
    match kind:
        case ScanKind.ONH_ENFACE:
            return queue_onh_scan(session, desk.scene, OnhPhantomSpec(size_px=192)).id
        case ScanKind.BSCAN:
            return queue_bscan(session, desk.scene, bscan_image(BscanLesion.DRUSEN)).id
        case _:
            return queue_volume(session, desk.scene).id


def challenger(models: ModelDesk, kind: ScanKind) -> tuple[int, Scorer]:
    """The bundled model with other weights in its last layer, registered as a model of its own."""
    bundled, own = weights_path(kind), models.folder / "challenger.safetensors"
    tensors, draw = load_file(bundled), torch.Generator().manual_seed(1)
    names = [name for name in tensors if name.startswith(LAST_LAYER[kind]) and name.endswith("weight")]
    assert names
    for name in names:
        values = tensors[name].float()
        tensors[name] = (values + 0.3 * values.std() * torch.randn(values.shape, generator=draw)).to(
            tensors[name].dtype
        )
    save_file(tensors, own)
    card = json.loads(bundled.with_suffix(".json").read_text()) | {
        "name": "challenger", "version": "9.0", "weights_sha256": sha256_of(own),
    }  # fmt: skip
    own.with_suffix(".json").write_text(json.dumps(card))
    scorer = load_scorer(kind, model=str(own), device="cpu")
    version_id, _ = register_model(
        models.desk.owner, models.desk.scene.blobs, identity=scorer.identity, card=read_card_document(own), weights=own
    )
    return version_id, scorer


def said_by(session: Session, assessment: tables.Assessment) -> Said:
    rows = session.execute(
        select(tables.AssessmentPicture.name, tables.AssessmentPicture.sha256).where(
            tables.AssessmentPicture.assessment_id == assessment.id
        )
    )
    assert assessment.findings is not None
    return Said(assessment.findings["document"], dict(rows.all()))


@pytest.mark.parametrize(
    "kind", [pytest.param(ScanKind.ONH_ENFACE, marks=pytest.mark.slow), ScanKind.BSCAN, ScanKind.VOLUME]
)
def test_another_model_s_document_and_pictures_stand_beside_what_counts_until_they_are_adopted(
    models: ModelDesk, kind: ScanKind
) -> None:
    desk = models.desk
    with session_scope(desk.owner) as session:
        scan_id = queue_scan(session, desk, kind)
    assess_scans(Line(desk.worker, desk.scene.blobs, load_scorer(kind, device="cpu"), desk.settings))
    version_id, scorer = challenger(models, kind)
    with desk.as_person(models.admin) as (session, actor):
        order, n_scans = order_rescoring(
            session, actor=actor, reason="To compare before we switch.",
            order=RescoringOrder(kind, Reach(desk.scene.study.id), version_id),
        )  # fmt: skip
    assert n_scans == 1
    side = SideLine(desk.worker, desk.scene.blobs, kind, lambda _: scorer, desk.settings, should_pause=lambda: False)
    assert rescore_scans(side) == 1

    with session_scope(desk.owner) as session:
        counting, beside = session.scalars(
            select(tables.Assessment).where(tables.Assessment.scan_id == scan_id).order_by(tables.Assessment.id)
        ).all()
        one, other = said_by(session, counting), said_by(session, beside)
        assert session.get_one(tables.Scan, scan_id).assessment_id == counting.id
        assert read_scan_images(session, scan_id).picture_sha256 == one.pictures
    assert one.document.keys() == other.document.keys()
    assert one.document != other.document
    assert one.pictures != other.pictures
    with desk.as_person(models.admin) as (session, _):
        found = compare_pairs(read_rescored_pairs(session, order)).comparisons[0]
        moves = {move.figure.name: move for move in compare_findings(session, order, kind)}
    assert all(move.n_both == 1 for move in moves.values())
    assert MEASURED[kind] in moves
    scale = GradeScale.ONH_4 if kind is ScanKind.ONH_ENFACE else GradeScale.STRUCTURAL_2
    assert (found.challenger, found.n_scans, found.scale) == ("challenger 9.0", 1, scale)
    assert found.is_of_likeliest

    adopt_scores(
        desk.dashboard, token=models.admin, rescoring_id=order, password=PASSWORD, reason="It agrees with our readers."
    )
    assert carry_out_adoptions(desk.worker) == 1
    with session_scope(desk.owner) as session:
        assert session.get_one(tables.Scan, scan_id).assessment_id == beside.id
        assert read_scan_images(session, scan_id).picture_sha256 == other.pictures
    assert verify_rates(desk.owner) == []
