"""The model card that lies beside every weights file: who made it from what, how good it is, how it decides.

Decisions need numbers that belong to the weights (temperature, thresholds); they live here and nowhere in the code.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UsageError
from core.values import ModelIdentity
from core.vocabulary import ArtifactType, GradeScale, ScanKind, Slab


class _CardPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainingSet(_CardPart):
    """One data set the weights were trained on, with its licence as its record states it."""

    name: str
    licence: str
    source: str
    n_train: int
    n_tune: int
    n_held_out: int
    used_for: str


class Likeness(_CardPart):
    """One-class model of what scans of a lane look like (core.scoring.lanes.likeness, retina_likeness)."""

    feature_names: tuple[str, ...]
    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    max_distance: float
    """Mahalanobis distance above which an image is a stranger."""


class OperatingPoint(_CardPart):
    """The numbers by which outputs become decisions, all chosen on the tuning part."""

    temperature: float = Field(gt=0)
    """Divides the grade logits before the softmax (Guo et al. 2017, arXiv:1706.04599)."""
    grade_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the tempered logits: training draws every grade equally often, scans do not come so."""
    grade_slopes: tuple[float, float] = (1.0, 1.0)
    grade_intercepts: tuple[float, float] = (0.0, 0.0)
    """Platt scaling of the scan heads' shares (core.scoring.lanes.scan_heads), where the weights hold such heads."""
    grade_by_mean: bool = False
    """P(gradable or better) is scaled from the mean grade of the shares, not from its own share (since 2.4)."""
    min_confidence: float = Field(ge=0, le=1)
    """Without a calibration set the grade is abstained where its probability is below; that promises nothing."""
    min_octa_probability: float = Field(ge=0, le=1)
    artifact_thresholds: dict[ArtifactType, float]
    faz_threshold: float = Field(gt=0, lt=1)


class CalibrationScan(_CardPart):
    """What a model that had not seen a scan said of it, beside the truth."""

    group: str
    """Image source and near-duplicate group: scans of one group are not independent."""
    p_ungradable: float = Field(ge=0, le=1)
    """Calibrated, from a fold that held the whole group out."""
    ordinal: int = Field(ge=0, le=2)
    """The likeliest grade by the same probabilities."""
    is_ungradable: bool
    """The truth, by consensus."""


class Calibration(_CardPart):
    """The scans that the accept guarantee rests on (core.scoring.acceptance), and what they are scans of."""

    scans: tuple[CalibrationScan, ...] = Field(min_length=1)
    labels: str
    """Who graded them, in a sentence."""
    method: str
    """How the probabilities came about, in a sentence: folds, what was fitted in them."""
    sources: tuple[str, ...]
    devices: tuple[str, ...] = ()
    """Manufacturer and model of each. Empty: not recorded, so no device can be called unseen."""
    fields_mm: tuple[tuple[float, float], ...] = ()
    """Width and height of each nominal field. Empty: not recorded."""
    slabs: tuple[Slab, ...] = ()
    """Empty: not recorded."""

    @property
    def n_groups(self) -> int:
        """How many groups the scans form."""
        return len({scan.group for scan in self.scans})


class ReportedMetric(_CardPart):
    """One figure on one named set, with a 95 % interval over groups of images (core.statistics.resampling)."""

    name: str
    set: str
    value: float
    low: float
    high: float
    n_images: int
    n_subjects: int
    """Groups of images that are independent of each other: subjects, with near duplicates joined."""
    topic: str = ""
    """The part of the report it belongs to (core.training.evaluation.topics)."""
    unit: str = ""
    """Empty for shares, agreements and areas under a curve, which have none."""


class CardOfWeights(_CardPart):
    """A card that lies beside the weights it describes: NAME.json beside NAME.safetensors.

    The class variables are what is said where the pair will not do: what such a pair is called, what a path that is
    none lacks, what a malformed card is not, and the cure of each.
    """

    weights_sha256: str

    pair_words: ClassVar[str]
    lack_words: ClassVar[str]
    lack_remedy: ClassVar[str]
    malformed_words: ClassVar[str]
    malformed_remedy: ClassVar[str]

    @classmethod
    def beside(cls, weights: Path) -> Self:
        """Read and check the card of a weights file.

        Raises
        ------
        UsageError
            Weights or card are missing, the card is malformed, or the weights are not those it describes.
        """
        card_path = weights.with_suffix(".json")
        if weights.suffix != ".safetensors" or not weights.is_file() or not card_path.is_file():
            raise UsageError(
                f"{cls.pair_words} is NAME.safetensors with its card NAME.json beside it; {weights} {cls.lack_words}.",
                remedy=cls.lack_remedy,
            )
        try:
            card = cls.model_validate_json(card_path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"{card_path.name} is no {cls.malformed_words}: {place}: {first['msg']}.", remedy=cls.malformed_remedy
            ) from error
        if sha256_of(weights) != card.weights_sha256:
            raise UsageError(
                f"{weights.name} is not the file that {card_path.name} describes: their sha256 differ.",
                remedy="Copy both files again from where they were made.",
            )
        return card


class LaneCard(CardOfWeights):
    """What is known of the weights of any lane; each lane's card adds what its own decisions need."""

    pair_words = "A model"
    lack_words = "has not both"
    lack_remedy = "Give --model the path of such a .safetensors file, or 'bundled'."
    malformed_words = "model card of this version"
    malformed_remedy = "Use weights and card written by the same version of octaudit train."

    name: str
    version: str
    kind: ScanKind
    preprocessing: str
    network: dict[str, Any]
    """The fields of the network's shape in core.networks."""
    recipe: dict[str, object]
    commands: tuple[str, ...]
    """What was run to make and to evaluate the weights."""
    split: str
    data: tuple[TrainingSet, ...]
    metrics: tuple[ReportedMetric, ...]
    known_failures: tuple[str, ...]
    intended_use: str
    labels: str
    calibration: Calibration | None = None
    """None: cards of before, and models trained without graded scans; nothing is guaranteed then."""

    @property
    def identity(self) -> ModelIdentity:
        """What every assessment made with these weights stores."""
        return ModelIdentity(self.name, self.version, self.weights_sha256, self.preprocessing)


class ModelCard(LaneCard):
    """Everything known of the weights of the joint network for OCTA en-face scans."""

    grade_scale: GradeScale
    network: dict[str, str | int | tuple[int, ...]]
    """The fields of core.networks.octa_enface.OctaEnfaceShape."""
    operating_point: OperatingPoint
    likeness: Likeness


def calibration_in(card: Mapping[str, Any]) -> Calibration | None:
    """The calibration scans of a card as it was stored; None where it has none, or none that this version reads."""
    try:
        return Calibration.model_validate(card["calibration"]) if card.get("calibration") else None
    except ValidationError:
        return None


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
