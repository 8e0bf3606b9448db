"""The model card of weights that the recipe `onh-enface` trained."""

from typing import ClassVar

from pydantic import Field

from core.scoring.card import LaneCard, Likeness
from core.vocabulary import GradeScale


class OnhCard(LaneCard):
    """Everything known of one weights file of the ONH en-face lane; ``network`` holds the fields of OnhShape."""

    malformed_words: ClassVar[str] = "card of an ONH en-face model"
    malformed_remedy: ClassVar[str] = "Give a model that octaudit train onh-enface wrote."

    grade_scale: GradeScale
    grouping: str
    """Which neighbouring grades are one class, written like 012|3."""
    temperature: float = Field(gt=0)
    """Divides the grade logits before the softmax; fitted on the validation part (Guo et al. 2017, arXiv:1706.04599)"""
    likeness: Likeness | None = None
    """Of what such scans look like (core.scoring.lanes.onh_likeness); further away is a stranger. None: never asked."""
    software: dict[str, str]
    init_sha256: str | None
    """Of the weights the training began with; None: random ones."""
    choices: tuple[str, ...]
    """Where the paper is silent: what was chosen."""
