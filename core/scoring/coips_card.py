"""The model card of weights that a COIPS recipe trained: what was trained on, how, and how good it is."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import UsageError
from core.scoring.card import Calibration, ReportedMetric, TrainingSet, sha256_of


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


class CoipsCard(_CardPart):
    """Everything known of one weights file."""

    recipe_name: Literal["coips-quality", "coips-faz"]
    version: str
    weights_sha256: str
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

    @classmethod
    def beside(cls, weights: Path) -> Self:
        """Read and check the card (NAME.json) of a weights file (NAME.safetensors).

        Raises
        ------
        UsageError
            One of them is missing or malformed, or the weights are not those that the card describes.
        """
        path = weights.with_suffix(".json")
        if weights.suffix != ".safetensors" or not weights.is_file() or not path.is_file():
            raise UsageError(
                f"A model is NAME.safetensors with its card NAME.json beside it; {weights} is none.",
                remedy="Give --model the .safetensors file that octaudit train wrote.",
            )
        try:
            card = cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"{path.name} is no card of a COIPS model: {place}: {first['msg']}.",
                remedy="Give a model that octaudit train coips-quality or coips-faz wrote.",
            ) from error
        if sha256_of(weights) != card.weights_sha256:
            raise UsageError(
                f"{weights.name} is not the file that {path.name} describes: their sha256 differ.",
                remedy="Copy both files again from where they were made.",
            )
        return card
