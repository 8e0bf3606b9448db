"""The recipe `bscan` from a folder of phantoms to weights, card, scores and figures; small and short on purpose."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import UsageError
from core.networks.bscan import CmCnn
from core.phantom.bscan_export import bscan_exports
from core.scoring.bscan_card import BscanCard
from core.scoring.contract import ScanFailure, ScanInput
from core.scoring.lanes.bscan import COARSE_PICTURE
from core.scoring.registry import load_scorer
from core.training.bscan.evaluate import evaluate_bscan
from core.training.bscan.recipe import BSCAN
from core.training.bscan.run import TrainedBscan, train_bscan
from core.training.bscan.stages import Stages
from core.training.supervised.fit import Machine
from core.training.supervised.run import Request
from core.values import ScanScores
from core.vocabulary import GradeScale, ScanKind, StructuralGrade

TINY = {
    "image_px": 64, "epochs": 1, "encoder_channels": [8, 8, 16, 16], "decoder_channels": [16, 8, 8, 8],
    "test_share": 0.3, "validation_share": 0.2, "half_precision_weights": True,
}  # fmt: skip


def request(folder: Path, out: Path, **settings: object) -> Request:
    return Request(BSCAN.changed(TINY | settings), folder, out, device="cpu")


@pytest.fixture(scope="module")
def trained(bscan_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedBscan:
    return train_bscan(request(bscan_folder, tmp_path_factory.mktemp("run")))


def test_a_card_says_what_the_weights_are_and_how_good(trained: TrainedBscan) -> None:
    card = BscanCard.beside(trained.weights)
    assert card == trained.card
    assert card.classes == ("normal", "cnv", "drusen", "fluid")
    assert card.calibration is None
    assert [stage.name for stage in card.stages] == ["classifier", "segmenter"]
    names = {metric.name for metric in card.metrics}
    assert {"accuracy", "kappa", "cnv: AUC", "Dice", "pixel accuracy"} <= names
    assert all("octaudit phantoms" in metric.set for metric in card.metrics)
    assert "--set encoder_channels=[8,8,16,16]" in card.commands[0]


def test_the_weights_score_scans_of_any_size_and_give_every_part_of_the_contract(trained: TrainedBscan) -> None:
    scorer = load_scorer(ScanKind.BSCAN, model=str(trained.weights), device="cpu")
    exports = list(bscan_exports(3, 9, height_px=120, width_px=150))
    scans = [ScanInput(str(number), export.image, None) for number, export in enumerate(exports)]
    broken = ScanInput("small", np.zeros((20, 20), np.uint8), None)
    *results, failure = scorer.score([*scans, broken])
    assert isinstance(failure, ScanFailure)
    assert "at least 64 each way" in failure.message
    for export, scores in zip(exports, results, strict=True):
        assert isinstance(scores, ScanScores)
        assert scores.shape_px == export.image.shape
        assert scores.grade.scale is GradeScale.STRUCTURAL_2
        assert scores.grade.abstained
        assert scores.grade.ordinal in set(StructuralGrade)
        document = scores.findings.document()
        assert sum(document["class"].values()) == pytest.approx(1, abs=1e-4)
        assert set(document["indices"]) == {"snr_db", "contrast"}
        assert COARSE_PICTURE in scores.findings.pictures()


def test_the_same_training_killed_after_the_first_stage_ends_in_the_same_weights(
    trained: TrainedBscan, bscan_folder: Path, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def kill(progress: object) -> None:
        if "segmenter" in str(progress):
            raise KilledError

    with pytest.raises(KilledError):
        train_bscan(request(bscan_folder, tmp_path / "run"), kill)
    again = request(bscan_folder, tmp_path / "run")
    resumed = train_bscan(Request(again.recipe, again.data, again.out, device="cpu", resume=True))
    assert resumed.card.weights_sha256 == trained.card.weights_sha256


@pytest.mark.parametrize("starts", [True, False])
def test_the_segmenters_encoder_begins_as_the_classifiers_where_the_recipe_says_so(
    tmp_path: Path, starts: bool
) -> None:
    recipe = BSCAN.changed(TINY | {"segmenter_starts_from_classifier": starts})
    stages = Stages((), ("normal", "cnv"), recipe, tmp_path, Machine(torch.device("cpu")))
    guide = CmCnn(recipe.shape(2))
    segmenter = stages.new_segmenter(guide, recipe.shape(2))
    pairs = zip(guide.encoder.parameters(), segmenter.encoder.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs) is starts


def test_a_size_that_the_decoder_cannot_meet_again_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(UsageError, match="image_px=112 is not allowed: Input should be a multiple of 32"):
        BSCAN.changed({"image_px": 112})


def test_an_evaluation_leaves_out_what_was_trained_with(trained: TrainedBscan, bscan_folder: Path) -> None:
    found = evaluate_bscan(bscan_folder, str(trained.weights), device="cpu")
    test_scans = {metric.n_images for metric in trained.card.metrics if metric.name == "class among the possible ones"}
    assert {found.n_images} == test_scans
    assert found.n_images + found.n_left_out == 40
    assert {row.system for row in found.published} == {"CM-CNN", "CAM-UNet"}


def test_a_folder_with_other_classes_is_refused(trained: TrainedBscan, tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 80)).astype(np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "manifest.csv").write_text("file,subject,class\na.png,1,glaucoma\n")
    with pytest.raises(UsageError, match="names glaucoma; the model knows normal"):
        evaluate_bscan(tmp_path, str(trained.weights), device="cpu")


def test_the_end_to_end_network_trains_and_scores_too(bscan_folder: Path, tmp_path: Path) -> None:
    written = train_bscan(request(bscan_folder, tmp_path / "joint", networks="end-to-end"))
    scorer = load_scorer(ScanKind.BSCAN, model=str(written.weights), device="cpu")
    export = next(bscan_exports(1, 2, height_px=100, width_px=100))
    (scores,) = scorer.score([ScanInput("a", export.image, None)])
    assert isinstance(scores, ScanScores)
    assert set(scores.findings.document()["class"]) == set(written.card.classes)
    assert written.card.networks == "end-to-end"
