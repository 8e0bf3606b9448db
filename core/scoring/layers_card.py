"""The model card of layer weights: which layers, what they were trained on, how, how good they are."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.scoring.card import LaneCard, Likeness
from core.vocabulary import LayerScheme, ScanKind


class LayersTraining(BaseModel):
    """How long it was trained, and what watched it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_epochs: int
    kept_epoch: int
    """Counted from 1: whose weights these are."""
    watched: dict[str, float | None]
    """Figures of the part that watched, at that epoch."""


class LayersCard(LaneCard):
    """Everything known of one weights file. No scan was graded for it, so it has no calibration and never decides."""

    pair_words = "A layer model"
    lack_words = "is none"
    lack_remedy = "Give --model the .safetensors file that octaudit train layers wrote, or 'bundled'."
    malformed_words = "card of a layer model"
    malformed_remedy = "Give a model that octaudit train layers wrote."

    kind: ScanKind = ScanKind.VOLUME
    recipe_name: Literal["layers"] = "layers"
    scheme: LayerScheme
    training: LayersTraining
    levels: LayersTraining | None = None
    """Of the levels below the answer, fitted while the network stayed as it was; None: there are none, or they were
    trained with it."""
    software: dict[str, str]
    init_sha256: str | None
    """Of the weights the training began with; None: random ones."""
    seen_pixels: tuple[str, ...]
    """sha256 of size and grey levels of every image that was trained on or watched the training: what no figure may
    rest on."""
    likeness: Likeness | None = None
    """Of what the network finds in B-scans (core.scoring.lanes.retina_likeness); None: cards of before, and trainings
    that found too few retinas to say."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Pixels of the test part by true class (rows) and found class (columns); empty where there is no test part."""
    choices: tuple[str, ...]
    """Where the thesis is silent or contradicts itself: what was chosen."""
