"""The model card of weights that a COIPS recipe trained: what was trained on, how, and how good it is."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from core.scoring.card import Calibration, CardOfWeights, ReportedMetric, TrainingSet


class _CardPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Member(_CardPart):
    """One network in the file: the only one, or that of a fold."""

    fold: int | None
    """Counted from 0; its tensors are named ``fold-0.…``. None: the only network."""
    n_epochs: int
    kept_epoch: int
    """Counted from 1: whose weights these are."""
    validation: dict[str, float | None]
    """Figures of the part (fold) that watched this network, at that epoch."""


class CoipsCard(CardOfWeights):
    """Everything known of one weights file."""

    pair_words = "A model"
    lack_words = "is none"
    lack_remedy = "Give --model the .safetensors file that octaudit train wrote."
    malformed_words = "card of a COIPS model"
    malformed_remedy = "Give a model that octaudit train coips-quality or coips-faz wrote."

    recipe_name: Literal["coips-quality", "coips-faz"]
    version: str
    preprocessing: str
    network: dict[str, str | int]
    """The fields of QualityShape or FazShape (core.networks)."""
    members: tuple[Member, ...]
    best_fold: int | None
    """Of the highest Dice on the images it was not trained on; None without folds."""
    recipe: dict[str, Any]
    software: dict[str, str]
    commands: tuple[str, ...]
    init_sha256: str | None
    """Of the weights the training began with; None: random ones."""
    split: str
    data: tuple[TrainingSet, ...]
    metrics: tuple[ReportedMetric, ...]
    calibration: Calibration | None = None
    """coips-quality: what the network said of the test part; the study's accept level rests on it."""
    choices: tuple[str, ...]
    """Where the paper is silent or contradicts itself: what was chosen."""
    known_failures: tuple[str, ...]
    intended_use: str
    labels: str

    @property
    def folds(self) -> tuple[int, ...]:
        """The folds in the file; empty where there is one network."""
        return tuple(member.fold for member in self.members if member.fold is not None)
