"""The published COIPS recipes as frozen values, and how a user changes one."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import UsageError


class Augmentation(BaseModel):
    """What is varied in a training image; a probability of 0 turns a variation off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizontal_flip: float = Field(default=0.5, ge=0, le=1)
    vertical_flip: float = Field(default=0.0, ge=0, le=1)
    rotation_deg: float = Field(default=15.0, ge=0, le=180)
    """Rotated by an angle drawn evenly from minus to plus this."""
    rotation: float = Field(default=1.0, ge=0, le=1)
    """Probability of a rotation."""
    zoom: float = Field(default=0.0, ge=0, le=1)
    """Probability of a zoom."""
    zoom_range: tuple[float, float] = (0.7, 1.4)
    noise: float = Field(default=0.0, ge=0, le=1)
    """Probability of Gaussian noise of variance 0 to 0.1 (z-scored image)."""
    blur: float = Field(default=0.0, ge=0, le=1)
    """Probability of a Gaussian blur of sigma 0.5 to 1 px."""
    brightness: float = Field(default=0.0, ge=0, le=1)
    """Probability of a factor of 0.75 to 1.25."""
    contrast: float = Field(default=0.0, ge=0, le=1)
    """Probability of a factor of 0.75 to 1.25 about the mean."""
    gamma: float = Field(default=0.0, ge=0, le=1)
    """Probability of a gamma of 0.7 to 1.5."""


NNUNET_AUGMENTATION = Augmentation(
    vertical_flip=0.5, rotation_deg=180.0, rotation=0.2, zoom=0.2, noise=0.1, blur=0.2, brightness=0.15,
    contrast=0.15, gamma=0.3,
)  # fmt: skip
"""nnU-Net version 1, 2-D: COIPS leaves everything it does not name to that framework. Its rarer variations (simulated
low resolution, inverted gamma) are left out."""


class SupervisedRecipe(BaseModel):
    """What every recipe has. With the folder, the code and the machine it determines the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str = "1.0"
    seed: int = Field(default=1, ge=0, lt=2**32)
    """Of the first weights, the order of the images and their variations."""
    split_seed: int = Field(default=1, ge=0)
    """Of the parts; apart from ``seed``, so that trainings can be repeated on the same parts."""
    test_share: float = Field(default=0.2, ge=0, lt=1)
    validation_share: float = Field(default=0.15, ge=0, lt=1)
    near_duplicate_correlation: float = Field(default=0.9, gt=0.5, le=1)
    """Of 32 x 32 thumbnails; images above it count as the same scan."""
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    batches_per_epoch: int | None = Field(default=None, ge=1)
    """Batches drawn with replacement; None: every image once."""
    image_px: int = Field(ge=32)
    optimiser: Literal["adam", "adamw", "sgd"]
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Nesterov's, for SGD."""
    warmup_epochs: int = Field(default=0, ge=0)
    warmup_from: float = Field(default=0.0, ge=0)
    cosine_epochs: int | None = Field(default=None, ge=1)
    """T_max of CosineAnnealingLR, stepped once per epoch: the rate falls for so many epochs and rises again."""
    poly_exponent: float | None = Field(default=None, gt=0)
    """Rate x (1 - epoch / epochs) ** exponent."""
    max_gradient_norm: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many epochs without a lower validation loss; None: never early."""
    keep: Literal["best", "last"] = "best"
    """Which weights are written: those of the lowest validation loss, or the last."""
    augmentation: Augmentation = Augmentation()
    starts_from: str | None = None
    """sha256 of the --init weights."""

    def changed(self, settings: Mapping[str, Any]) -> Self:
        """The recipe with some values replaced; texts are read as the field's type, "none" as none, [1,2] as a list.

        A part of a nested value is named with a dot: ``augmentation.rotation_deg=10``.

        Raises
        ------
        UsageError
            There is no such setting, or the value is not allowed; the message names the allowed ones.
        """
        values = self.model_dump()
        for key, value in settings.items():
            _put(values, key, _read(key, value) if isinstance(value, str) else value)
        try:
            return type(self).model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"The setting {place}={first['input']!r} is not allowed: {first['msg']}.",
                remedy="octaudit train --help and docs/training.md list the settings.",
            ) from error

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """In words, where another recipe (as JSON) differs from this one."""
        own = self.model_dump(mode="json")
        names = sorted({*own, *other})
        return [f"{n} {other.get(n)!r} there, {own.get(n)!r} here" for n in names if own.get(n) != other.get(n)]


class QualityRecipe(SupervisedRecipe):
    """COIPS quality grading, sections 3.1, 3.2 and 4.2 of the paper."""

    backbone: str = "resnet101"
    trained_layers: Literal["last", "all"] = "last"
    """The paper trains the last layer only, the rest frozen with weights from ImageNet; "all": full fine-tuning."""


class FazRecipe(SupervisedRecipe):
    """COIPS FAZ segmentation, sections 3.3 and 4.2 and Table 5 of the paper."""

    n_folds: int = Field(default=5, ge=2)
    n_stages: int = Field(default=8, ge=2)
    base_channels: int = Field(default=32, ge=4)
    max_channels: int = Field(default=480, ge=4)
    entropy_share: float = Field(default=0.5, ge=0, le=1)
    """Lambda of eq. 9."""
    dice_smoothing: float = Field(default=1.0, ge=0)
    """Added above and below in eq. 6."""


class PublishedBackbone(BaseModel):
    """One of the paper's five backbones with what section 4.2 says of its training."""

    model_config = ConfigDict(frozen=True)

    paper_name: str
    image_px: int
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 1e-3
    warmup_epochs: int = 0
    warmup_from: float = 0.0


PUBLISHED_BACKBONES = {
    "resnet101": PublishedBackbone(paper_name="ResNet-101", image_px=224),
    "inception_v3": PublishedBackbone(paper_name="Inception-V3", image_px=224),
    # The paper lists EfficientNet-B7 at 224 and at 600 px; 600 is the size that network was made for.
    "tf_efficientnet_b7": PublishedBackbone(paper_name="EfficientNet-B7", image_px=600),
    "seresnext101_32x4d": PublishedBackbone(paper_name="SE-ResNeXt-101", image_px=224),
    "swin_large_patch4_window12_384": PublishedBackbone(
        paper_name="Swin-Transformer-Large",
        image_px=384,
        optimiser="adamw",
        learning_rate=5e-4,
        warmup_epochs=20,
        warmup_from=5e-7,
    ),
}
"""By timm's name."""

_COIPS_QUALITY = QualityRecipe(
    name="coips-quality", epochs=300, batch_size=32, image_px=224, optimiser="adam", learning_rate=1e-3,
    cosine_epochs=5, patience=20,
)  # fmt: skip
"""The paper names no batch size: 32 is ours."""

_COIPS_FAZ = FazRecipe(
    name="coips-faz", epochs=1000, batch_size=64, batches_per_epoch=250, image_px=512, optimiser="sgd",
    learning_rate=0.01, momentum=0.99, weight_decay=3e-5, poly_exponent=0.9, max_gradient_norm=12.0, keep="last",
    augmentation=NNUNET_AUGMENTATION, validation_share=0.0, test_share=0.3,
)  # fmt: skip
"""Epochs, batches per epoch, weight decay and clipping are nnU-Net's; Table 4 puts 30 % aside for testing."""

SUPERVISED_RECIPES: dict[str, SupervisedRecipe] = {"coips-quality": _COIPS_QUALITY, "coips-faz": _COIPS_FAZ}


def supervised_recipe(name: str, settings: Mapping[str, Any]) -> SupervisedRecipe:
    """The recipe of this name with the user's settings; a published backbone brings its own size and optimiser."""
    recipe = SUPERVISED_RECIPES[name]
    settings = dict(settings)
    if isinstance(recipe, QualityRecipe):
        backbone = _timm_name(str(settings.get("backbone", recipe.backbone)))
        published = PUBLISHED_BACKBONES.get(backbone)
        brought = {} if published is None else published.model_dump(exclude={"paper_name"})
        settings = brought | settings | {"backbone": backbone}
    return recipe.changed(settings)


def fingerprint(recipe: SupervisedRecipe, images: list[str]) -> str:
    """A hash of the recipe and of what it trains on; a training resumes only with the same."""
    return hashlib.sha256("\n".join([recipe.model_dump_json(), *images]).encode()).hexdigest()


def _timm_name(name: str) -> str:
    """Timm's name of a backbone that may be called as in the paper."""
    by_paper = {value.paper_name.casefold(): key for key, value in PUBLISHED_BACKBONES.items()}
    by_paper["swin-l"] = by_paper["swin-transformer-large"]
    return by_paper.get(name.casefold(), name)


def _read(key: str, text: str) -> Any:
    """A value as it was written on the command line; the field's type does the rest."""
    if text.lower() == "none":
        return None
    if not text.startswith("["):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"The setting {key}={text} is no list.", remedy='Write lists as [1,2,3], words in them as ["a","b"].'
        ) from error


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    """Replace one value of a nested dict named by a dotted key."""
    *path, last = key.split(".")
    inner: Any = values
    for name in path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or last not in inner or last in {"name", "version", "starts_from"}:
        names = ", ".join(sorted(set(values) - {"name", "version", "starts_from"}))
        raise UsageError(f"There is no setting {key!r}.", remedy=f"Settings of this recipe: {names}.")
    inner[last] = value
