"""A layer network with levels learns at each of them, answers with the last, and gives the volume lane its Q."""

from pathlib import Path

import pytest
import torch
from layer_folders import SMALL, write_phantom_folder

from core.measures.indices import NO_LEVELS
from core.networks.layers import LayerShape, LeveledLayers, build_layers
from core.phantom.bscan import BscanSpec, draw_bscan
from core.scoring.contract import ScanInput
from core.scoring.layers_card import LayersCard
from core.scoring.registry import load_scorer, weights_path
from core.scoring.torch_backend.layers import LayerSegmenter
from core.scoring.torch_backend.volume import VolumeScorer
from core.training.layers import publish
from core.training.layers.recipe import layers_recipe
from core.training.layers.task import LayersTask
from core.training.layers.train import train_layers
from core.training.supervised.run import Request
from core.values import Measured, NotComputable, ScanScores
from core.vocabulary import ScanKind

SHAPE = LayerShape(network="qunet", n_classes=8, image_px=64, base_channels=4)


def scored(shape: LayerShape) -> ScanScores:
    card = LayersCard.beside(Path(weights_path(ScanKind.VOLUME)))
    network = build_layers(shape, seed=1)
    scorer = VolumeScorer(
        LayerSegmenter(network, card.model_copy(update={"network": shape.model_dump()}), torch.device("cpu"))
    )
    image = draw_bscan(BscanSpec(height_px=128, width_px=128), 3).image
    (result,) = scorer.score([ScanInput("one", image, None)])
    assert isinstance(result, ScanScores)
    return result


def test_the_loss_is_the_mean_over_levels_and_the_answer_the_last_of_them() -> None:
    network = build_layers(SHAPE, seed=1)
    assert isinstance(network, LeveledLayers)
    task = LayersTask(layers_recipe({"network": "qunet", "base_channels": 4, "image_px": 64}))
    shares = torch.rand(1, 8, 64, 64).softmax(dim=1)
    levels = network.train()(torch.rand(1, 1, 64, 64)).detach()
    assert levels.shape == (1, 4, 8, 64, 64)
    mean = sum(float(task.loss(level, shares)) for level in levels.unbind(dim=1)) / 4
    assert float(task.loss(levels, shares)) == pytest.approx(mean, rel=1e-5)
    assert network.eval()(torch.rand(1, 1, 64, 64)).shape == (1, 8, 64, 64)


def test_the_assessment_of_a_lane_with_levels_holds_their_agreement_and_that_of_another_the_reason_why_not() -> None:
    q = scored(SHAPE).indices.q_level_agreement
    assert isinstance(q, Measured)
    assert 0 <= q.value <= 1
    plain = scored(LayerShape(network="unet", n_classes=8, image_px=64, base_channels=4)).indices.q_level_agreement
    assert isinstance(plain, NotComputable)
    assert plain == NO_LEVELS


def test_a_layer_model_trained_with_levels_is_loaded_by_its_card_and_scores_with_q(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "N_JUDGED_PHANTOMS", 2)  # drawing them takes longer than such a training
    settings = SMALL | {
        "network": "qunet",
        "base_channels": "4",
        "column_stride": "1",
        "epochs": "1",
        "n_phantoms": "0",
    }
    recipe = layers_recipe(settings | {"phantom_share": "0"})
    trained = train_layers(Request(recipe, write_phantom_folder(tmp_path / "data"), tmp_path / "out"))
    assert trained.card.network["network"] == "qunet"
    scorer = load_scorer(ScanKind.VOLUME, model=str(trained.weights), device="cpu")
    image = draw_bscan(BscanSpec(height_px=96, width_px=96, z_mm_per_px=0.02, x_mm_per_px=0.06), 3).image
    (found,) = scorer.score([ScanInput("one", image, None)])
    assert isinstance(found, ScanScores)
    assert found.model.weights_sha256 == trained.card.weights_sha256
    assert isinstance(found.indices.q_level_agreement, Measured)
