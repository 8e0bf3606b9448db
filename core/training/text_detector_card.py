"""The model card of the detector of burned-in lettering: what it was made from, how it decides, how well it does."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from core.intake.burned_in_text import BORDER_FRACTION, CELL_PROBABILITY, MIN_ELONGATION, MIN_LINE_CELLS
from core.scoring.card import CardOfWeights, TrainingSet


class _CardPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecisionRule(_CardPart):
    """When a region of cells is called lettering; the figures hold for these numbers alone."""

    cell_probability: float = Field(gt=0, lt=1)
    min_line_cells: int = Field(ge=1)
    min_elongation: float = Field(ge=1)
    border_fraction: float = Field(gt=0, le=0.5)

    @classmethod
    def in_force(cls) -> Self:
        """The rule as intake applies it (core.intake.burned_in_text)."""
        return cls(
            cell_probability=CELL_PROBABILITY,
            min_line_cells=MIN_LINE_CELLS,
            min_elongation=MIN_ELONGATION,
            border_fraction=BORDER_FRACTION,
        )


class TextFigure(_CardPart):
    """``k`` of ``n`` images with Wilson's 95 % interval; rates in 0..1."""

    name: str
    set: str
    value: float
    low: float
    high: float
    k: int
    n: int


class TextDetectorCard(CardOfWeights):
    """Everything known of one weights file of the detector."""

    pair_words = "A text detector"
    lack_words = "has not both"
    lack_remedy = "Give --model the path of such a .safetensors file, or 'bundled'."
    malformed_words = "card of a text detector"
    malformed_remedy = "Give --model the weights of a text detector; other models are evaluated by their own recipe."

    name: str
    version: str
    network: dict[str, str | int | tuple[int, ...]]
    decision_rule: DecisionRule
    rule_chosen_on: str
    recipe: tuple[str, ...]
    """The steps by which the weights really came about, in order."""
    is_reproducible: bool
    commands: tuple[str, ...]
    split: str
    data: tuple[TrainingSet, ...]
    captions: str
    """How the captions of the evaluation were drawn."""
    figures: tuple[TextFigure, ...]
    known_failures: tuple[str, ...]
    intended_use: str
    held_out: tuple[str, ...]
    """The images that training left out, as SET/FILE: on them, and on no others, the figures were measured."""
