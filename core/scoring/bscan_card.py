"""The model card of B-scan weights: which classes, which networks, what they were trained on, how good they are."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.scoring.card import LaneCard, Likeness


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BscanStage(_Part):
    """One fitted network of the file."""

    name: str
    """The tensors are named ``NAME.…``."""
    n_epochs: int
    kept_epoch: int
    """Counted from 1: whose weights these are."""
    watched: dict[str, float | None]
    """Figures of the validation part at that epoch."""


class UsableLimits(_Part):
    """When a B-scan is usable: what of OSCAR-IB (doi:10.1371/journal.pone.0034823) can be read from its pixels."""

    least_snr_db: float
    """Below: S, the signal is too weak."""
    most_cut_share: float = Field(ge=0, le=1)
    """Of the columns whose retina leaves the picture; above: the scan is cut off."""
    most_dim_share: float = Field(ge=0, le=1)
    """Of the columns less than half as bright as the others; above: I, uneven illumination."""
    least_retina_share: float = Field(ge=0, le=1)
    """Of the columns that show a retina at all; below: O."""
    evidence: str
    """Where the numbers come from."""


class BscanCard(LaneCard):
    """Everything known of the weights of the dual guidance networks."""

    malformed_words = "card of a B-scan model"
    malformed_remedy = "Give a model that octaudit train bscan wrote."

    classes: tuple[str, ...] = Field(min_length=2)
    """The normal class first; the others as the manifest called them."""
    networks: Literal["two-stages", "end-to-end"]
    lesion_threshold: float = Field(default=0.5, gt=0, lt=1)
    likeness: Likeness
    """Of what B-scans look like; further away is a stranger."""
    usable: UsableLimits
    stages: tuple[BscanStage, ...]
    software: dict[str, str]
    init_sha256: str | None
    """Of the weights the training began with; None: random ones."""
    trained_with: tuple[str, ...]
    """First 16 digits of the sha256 of the pixels of every scan that trained the weights or decided when to stop."""
    choices: tuple[str, ...]
    """Where the paper is silent or contradicts itself: what was chosen."""

    @property
    def lesion_classes(self) -> tuple[str, ...]:
        """All classes but the normal one."""
        return self.classes[1:]
