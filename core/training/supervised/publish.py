"""Writes the card of a COIPS model: data with licences, recipe, commands, figures of the test part, choices made."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from core.networks.coips_faz import FazShape
from core.networks.coips_quality import QualityShape
from core.scoring.card import TrainingSet, sha256_of
from core.scoring.coips_card import CoipsCard, Member
from core.scoring.lanes.zscore import PREPROCESSING
from core.scoring.torch_backend.coips import QualityGrader
from core.training.supervised.fit import Fitted
from core.training.supervised.judge import calibration_on, graded_images, judge_grades, judge_model, judged_figures
from core.training.supervised.parts import SPLITS_NAME, Placed
from core.training.supervised.recipe import FazRecipe, QualityRecipe, SupervisedRecipe, supervised_recipe
from core.training.supervised.record import Part

INTENDED_USE = (
    "Auditing the technical quality of OCTA en-face scans in research. Not a medical device; not for diagnosis."
)

_TEST = "test part"

QUALITY_CHOICES = (
    "Early stopping and the kept weights follow the loss of a validation part; the paper watched the test loss.",
    "A frozen backbone keeps its running statistics; only the last layer is in training mode.",
    "Grey images are given to three-channel backbones as three equal channels.",
    "CosineAnnealingLR with T_max 5 is stepped on over all epochs: the rate falls for five and rises for five.",
    "Batches of 32 unless stated otherwise: the paper names no size.",
    "EfficientNet-B7 takes 600 px: the paper lists it under 224 px and under 600 px.",
)

FAZ_CHOICES = (
    "What the paper leaves to nnU-Net is that framework's (version 1): 1000 epochs of 250 batches, weight decay 3e-5.",
    "So are: gradients clipped at 12, instance normalisation, two convolutions per stage, at most 480 channels.",
    "No deep supervision: the paper's eq. 9 names one output, though nnU-Net itself supervises every scale.",
    "Eight stages (512 to 4): Table 5 says seven poolings and prints six strides.",
    "Images are resized to the square patch; figures are taken at each image's own size.",
    "The last weights of each fold are kept, as nnU-Net does, so that the fold's own figures stay honest.",
    "Weights begin at random: no file of nnU-Net is fetched.",
)


@dataclass(frozen=True, slots=True)
class FoldFit:
    """A finished fit and its fold; None: the only one."""

    fold: int | None
    fitted: Fitted

    @property
    def kept(self) -> dict[str, float | None]:
        """The figures of the epoch whose weights are kept."""
        row = self.fitted.history[self.fitted.kept_epoch - 1]
        return {name: value for name, value in row.items() if name not in {"epoch", "learning_rate"}}


def write_card(
    weights: Path,
    recipe: SupervisedRecipe,
    fits: Sequence[FoldFit],
    placed: Sequence[Placed],
    device: torch.device,
    *,
    has_init: bool,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> CoipsCard:
    """Judge the weights as stored on the test part and write NAME.json beside them."""
    draft = CoipsCard(
        recipe_name=recipe.name,
        version=recipe.version,
        weights_sha256=sha256_of(weights),
        preprocessing=PREPROCESSING,
        network=_shape(recipe),
        members=tuple(_member(fit) for fit in fits),
        best_fold=_best_fold(fits),
        recipe=recipe.model_dump(mode="json"),
        software={"octaudit": version("octaudit"), "torch": torch.__version__, "timm": version("timm"),
                  "python": platform.python_version()},
        commands=_commands(recipe, has_init=has_init),
        init_sha256=recipe.starts_from,
        split=_split_in_words(recipe, placed),
        data=tuple(training_sets(placed)),
        metrics=(),
        choices=QUALITY_CHOICES if isinstance(recipe, QualityRecipe) else FAZ_CHOICES,
        known_failures=_known_failures(placed),
        intended_use=INTENDED_USE,
        labels="As the user's manifest gives them; who labelled the images is not known to the program.",
    )  # fmt: skip
    test = [item for item in placed if item.part is Part.TEST]
    if isinstance(recipe, QualityRecipe):
        grader = QualityGrader.load(weights, draft, device)
        graded = graded_images(grader, test, lambda done: report(done, len(test)))
        measured = {"metrics": tuple(judge_grades(graded, _TEST)), "calibration": calibration_on(graded, test)}
    else:
        measured = {"metrics": tuple(judged_figures(judge_model(weights, draft, test, device, report=report), _TEST))}
    card = draft.model_copy(update=measured)
    weights.with_suffix(".json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def training_sets(placed: Sequence[Placed]) -> list[TrainingSet]:
    """The images by source and licence, with the number in each part."""
    found = []
    for source, licence in sorted({_origin(item) for item in placed}):
        parts = [item.part for item in placed if _origin(item) == (source, licence)]
        found.append(
            TrainingSet(
                name=source or "the user's images",
                licence=licence,
                source=source or "not stated",
                used_for="as its manifest labels them",
                n_train=parts.count(Part.TRAIN),
                n_tune=parts.count(Part.VALIDATION),
                n_held_out=parts.count(Part.TEST),
            )
        )
    return found


def _origin(item: Placed) -> tuple[str, str]:
    return item.picture.record.source, item.picture.record.licence


def _shape(recipe: SupervisedRecipe) -> dict[str, str | int]:
    if isinstance(recipe, QualityRecipe):
        return QualityShape(backbone=recipe.backbone, image_px=recipe.image_px).model_dump()
    assert isinstance(recipe, FazRecipe)
    return FazShape.model_validate(recipe.model_dump(include=set(FazShape.model_fields))).model_dump()


def _member(fit: FoldFit) -> Member:
    return Member(
        fold=fit.fold, n_epochs=len(fit.fitted.history), kept_epoch=fit.fitted.kept_epoch, validation=fit.kept
    )


def _best_fold(fits: Sequence[FoldFit]) -> int | None:
    return max(fits, key=lambda fit: fit.kept.get("dice") or 0.0).fold


def _commands(recipe: SupervisedRecipe, *, has_init: bool) -> tuple[str, ...]:
    """The commands that make and judge these weights again; settings that differ from the published recipe."""
    brought = {"backbone": recipe.backbone} if isinstance(recipe, QualityRecipe) else {}
    usual = supervised_recipe(recipe.name, brought).model_dump()
    own = flat_settings(recipe.model_dump(exclude={"starts_from"}))
    changed = {k: v for k, v in own.items() if flat_settings(usual).get(k) != v} | brought
    options = "".join(f" --set {name}={value}" for name, value in sorted(changed.items()))
    init = " --init FILE.safetensors" if has_init else ""
    return (
        f"octaudit train {recipe.name} --data DIR --out DIR{init}{options}",
        f"octaudit evaluate {recipe.name} --data DIR --model DIR/{recipe.name}.safetensors --json FILE",
    )


def flat_settings(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Settings by their dotted names, as --set takes them."""
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= flat_settings(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def _split_in_words(recipe: SupervisedRecipe, placed: Sequence[Placed]) -> str:
    if any(item.picture.record.split is not None for item in placed):
        how = "By the manifest's split column, which shares no subject, no pixels and no near duplicate"
    else:
        how = (
            f"By subject and near-duplicate group, stratified by source, slab and grade, in the order of a hash with "
            f"seed {recipe.split_seed}"
        )
    folds = f"; the training part in {recipe.n_folds} folds by group" if isinstance(recipe, FazRecipe) else ""
    return f"{how}{folds}. Stored in {SPLITS_NAME}."


def _known_failures(placed: Sequence[Placed]) -> tuple[str, ...]:
    slabs = sorted({item.picture.record.slab.value for item in placed})
    fields = sorted({item.picture.record.field_mm for item in placed if item.picture.record.field_mm is not None})
    widths = ", ".join(f"{field:g} mm" for field in fields) or "fields not stated"
    return (
        f"Seen in training: slabs {', '.join(slabs)}; {widths}. Nothing is known of other slabs, fields and devices.",
        "It answers for any picture, also for one that is no OCTA en-face image: check the modality first.",
    )
