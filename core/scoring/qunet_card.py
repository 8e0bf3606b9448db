"""The model card of a QU-Net++: what it was trained on, the grey level of each class in the masks, how good it is."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.scoring.card import CardOfWeights, ReportedMetric, TrainingSet
from core.scoring.lanes.level_output import Region


class QuNetTraining(BaseModel):
    """How long it was trained, and what watched it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_epochs: int
    kept_epoch: int
    """Counted from 1: whose weights these are."""
    watched: dict[str, float | None]
    """Figures of the part that watched, at that epoch."""


class QuNetCard(CardOfWeights):
    """Everything known of one weights file."""

    pair_words = "A model"
    lack_words = "is none"
    lack_remedy = "Give --model the .safetensors file that octaudit train qunet or octaudit select wrote."
    malformed_words = "card of a QU-Net++"
    malformed_remedy = "Give a model that octaudit train qunet or octaudit select wrote."

    recipe_name: Literal["qunet"]
    version: str
    preprocessing: str
    network: dict[str, str | int | bool]
    """The fields of core.networks.qunet.QuNetShape."""
    region: Region
    mask_levels: tuple[int, ...] = Field(min_length=2)
    """Grey level of each class in the masks, background first."""
    training: QuNetTraining
    recipe: dict[str, Any]
    software: dict[str, str]
    commands: tuple[str, ...]
    init_sha256: str | None
    split: str
    data: tuple[TrainingSet, ...]
    metrics: tuple[ReportedMetric, ...]
    choices: tuple[str, ...]
    """Where the paper is silent or contradicts itself: what was chosen."""
    known_failures: tuple[str, ...]
    intended_use: str
    labels: str
