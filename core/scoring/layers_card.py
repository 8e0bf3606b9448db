"""The model card of layer weights: which layers, what they were trained on, how, how good they are."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from core.scoring.card import Calibration, CardOfWeights, ReportedMetric, TrainingSet
from core.scoring.lanes.layer_scheme import LayerScheme
from core.values import ModelIdentity
from core.vocabulary import ScanKind


class LayersTraining(BaseModel):
    """How long it was trained, and what watched it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_epochs: int
    kept_epoch: int
    """Counted from 1: whose weights these are."""
    watched: dict[str, float | None]
    """Figures of the part that watched, at that epoch."""


class LayersCard(CardOfWeights):
    """Everything known of one weights file."""

    pair_words = "A layer model"
    lack_words = "is none"
    lack_remedy = "Give --model the .safetensors file that octaudit train layers wrote, or 'bundled'."
    malformed_words = "card of a layer model"
    malformed_remedy = "Give a model that octaudit train layers wrote."

    name: str
    version: str
    kind: ScanKind = ScanKind.VOLUME
    recipe_name: Literal["layers"] = "layers"
    preprocessing: str
    scheme: LayerScheme
    network: dict[str, str | int]
    """The fields of core.networks.layers.LayerShape."""
    training: LayersTraining
    recipe: dict[str, Any]
    software: dict[str, str]
    commands: tuple[str, ...]
    init_sha256: str | None
    """Of the weights the training began with; None: random ones."""
    split: str
    data: tuple[TrainingSet, ...]
    metrics: tuple[ReportedMetric, ...]
    confusion: tuple[tuple[int, ...], ...] = ()
    """Pixels of the test part by true class (rows) and found class (columns); empty where there is no test part."""
    choices: tuple[str, ...]
    """Where the thesis is silent or contradicts itself: what was chosen."""
    known_failures: tuple[str, ...]
    intended_use: str
    labels: str
    calibration: Calibration | None = None
    """Always None: no scan was graded for these weights, so the lane never decides alone."""

    @property
    def identity(self) -> ModelIdentity:
        """What every assessment made with these weights stores."""
        return ModelIdentity(self.name, self.version, self.weights_sha256, self.preprocessing)
