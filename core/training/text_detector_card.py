"""The model card of the detector of burned-in lettering: what it was made from, how it decides, how well it does."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UsageError
from core.intake.burned_in_text import BORDER_FRACTION, CELL_PROBABILITY, MIN_ELONGATION, MIN_LINE_CELLS
from core.scoring.card import TrainingSet, sha256_of


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


class TextDetectorCard(_CardPart):
    """Everything known of one weights file of the detector."""

    name: str
    version: str
    weights_sha256: str
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

    @classmethod
    def beside(cls, weights: Path) -> Self:
        """Read and check the card of a weights file.

        Raises
        ------
        UsageError
            Weights or card are missing, the card is malformed, or it describes other weights.
        """
        card_path = weights.with_suffix(".json")
        if not weights.is_file() or not card_path.is_file():
            raise UsageError(
                f"A text detector is NAME.safetensors with its card NAME.json beside it; {weights} has not both.",
                remedy="Give --model the path of such a .safetensors file, or 'bundled'.",
            )
        try:
            card = cls.model_validate_json(card_path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"{card_path.name} is no card of a text detector: {place}: {first['msg']}.",
                remedy="Give --model the weights of a text detector; other models are evaluated by their own recipe.",
            ) from error
        if sha256_of(weights) != card.weights_sha256:
            raise UsageError(
                f"{weights.name} is not the file that {card_path.name} describes: their sha256 differ.",
                remedy="Copy both files again from where they were made.",
            )
        return card
