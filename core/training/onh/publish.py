"""Writes weights and card of an ONH en-face model: data, recipe, commands, figures of the test part, choices made."""

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.phantom.onh_spec import SOURCE
from core.scoring.card import Likeness, ReportedMetric, sha256_of
from core.scoring.lanes.onh_input import PREPROCESSING
from core.scoring.lanes.onh_likeness import FEATURE_NAMES, onh_features
from core.scoring.onh_card import OnhCard
from core.scoring.torch_backend.onh_enface import OnhForward, load_network
from core.training.calibrate import fit_likeness
from core.training.onh.figures import OnhJudged, fitted_temperature, judge, onh_figures
from core.training.onh.recipe import OnhRecipe, onh_recipe
from core.training.progress import Progress
from core.training.supervised.checkpoint import write_tensors
from core.training.supervised.fit import Fitted
from core.training.supervised.parts import SPLITS_NAME, Placed
from core.training.supervised.picture import read_grey_levels
from core.training.supervised.publish import flat_settings, training_sets
from core.training.supervised.record import Part
from core.vocabulary import GradeScale, ScanKind

INTENDED_USE = (
    "Auditing the technical quality of en-face OCT scans of the optic nerve head in research. Not a medical device; "
    "not for diagnosis."
)
CHOICES = (
    "The poster names no image size, batch, rate or number of epochs: those in the recipe are ours.",
    "The five classes exclude each other; where several hold, motion counts before dark, shallow and nerve head.",
    "The loss is the cross entropy of the grade plus, for the masks, half cross entropy and half Dice of four classes.",
    "Coarser groupings of a model's grades are its probabilities added up; training on a grouping is a setting.",
    "No rotation in training: a break lies along the scan lines.",
    "Weights begin at random unless --init brings some; the poster began with weights from photographs.",
)
_TEST = "test part"


def write_weights(network: nn.Module, path: Path) -> Path:
    """The network's weights as float16 (running sums of batch normalisation too), counters as they are."""
    tensors = {n: v.half() if v.is_floating_point() else v for n, v in network.state_dict().items()}
    write_tensors(path, tensors)
    return path


def write_card(
    weights: Path,
    recipe: OnhRecipe,
    fitted: Fitted,
    placed: Sequence[Placed],
    *,
    has_init: bool,
    report: Callable[[Progress], None] = lambda _: None,
) -> OnhCard:
    """Judge the weights as stored and write NAME.json beside them; the temperature is fitted on the validation part."""
    draft = _draft(weights, recipe, fitted, placed, has_init=has_init)
    device = torch.device("cpu")
    forward = OnhForward(load_network(weights, draft, device), device)

    def judged(part: Part) -> OnhJudged:
        chosen = [item for item in placed if item.part is part]
        stage = f"Judging the {part.value} part"
        return judge(forward, chosen, recipe.groups, lambda done: report(Progress(stage, done, len(chosen))))

    temperature = fitted_temperature(judged(Part.VALIDATION))
    metrics: list[ReportedMetric] = []
    if any(item.part is Part.TEST for item in placed):
        metrics = onh_figures(judged(Part.TEST), f"{what_of(placed)}, {_TEST}", temperature)
    card = draft.model_copy(update={"temperature": temperature, "metrics": tuple(metrics)})
    weights.with_suffix(".json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def _draft(weights: Path, recipe: OnhRecipe, fitted: Fitted, placed: Sequence[Placed], *, has_init: bool) -> OnhCard:
    likeness = likeness_of(placed)
    return OnhCard(
        name=recipe.name,
        version=recipe.version,
        kind=ScanKind.ONH_ENFACE,
        grade_scale=GradeScale.ONH_4,
        weights_sha256=sha256_of(weights),
        preprocessing=PREPROCESSING,
        network=recipe.shape.model_dump(mode="json"),
        grouping=recipe.grouping,
        temperature=1.0,
        likeness=likeness,
        recipe=recipe.model_dump(mode="json") | {"epochs_run": len(fitted.history), "kept_epoch": fitted.kept_epoch},
        software={"octaudit": version("octaudit"), "torch": torch.__version__,
                  "segmentation-models-pytorch": version("segmentation-models-pytorch"),
                  "python": platform.python_version()},
        commands=_commands(recipe, has_init=has_init),
        init_sha256=recipe.starts_from,
        split=_split_in_words(recipe, placed),
        data=tuple(training_sets(placed)),
        metrics=(),
        choices=(*CHOICES, *_additions(recipe)),
        known_failures=_known_failures(recipe, placed, asks_kind=likeness is not None),
        intended_use=INTENDED_USE,
        labels=_labels(placed),
    )  # fmt: skip


def likeness_of(placed: Sequence[Placed]) -> Likeness | None:
    """What the scans of the training part look like; how far one may lie from them, by the validation part.

    None where the training part is smaller than three times the number of statistics: it would refuse at random.
    """

    def features(part: Part) -> NDArray[np.float64]:
        chosen = [item.picture.record.path for item in placed if item.part is part]
        return np.stack([onh_features(read_grey_levels(path)) for path in chosen])

    if sum(item.part is Part.TRAIN for item in placed) < 3 * len(FEATURE_NAMES):
        return None
    return fit_likeness(features(Part.TRAIN), features(Part.VALIDATION), FEATURE_NAMES)


def _additions(recipe: OnhRecipe) -> tuple[str, ...]:
    """What the recipe adds to the poster's network."""
    added = {
        "The decoder answers at four levels and learns at each (paper 002); Q, the Jaccard index of what the last two "
        "find, motion left out, is stored with each assessment.": recipe.deep_supervision,
        "Motion is told of whole scan lines, by how well each agrees with the three above it at shifts of up to 6 px: "
        "a break is one to a few lines high.": recipe.line_branch,
    }
    return tuple(words for words, holds in added.items() if holds)


def _commands(recipe: OnhRecipe, *, has_init: bool) -> tuple[str, ...]:
    """The commands that make and judge these weights again; settings that differ from the published recipe."""
    usual = flat_settings(onh_recipe({}).model_dump())
    own = flat_settings(recipe.model_dump(exclude={"starts_from"}))
    changed = {name: value for name, value in own.items() if usual.get(name) != value}
    options = "".join(f" --set {name}={_as_text(value)}" for name, value in sorted(changed.items()))
    init = " --init FILE.safetensors" if has_init else ""
    return (
        f"octaudit train {recipe.name} --data DIR --out DIR{init}{options}",
        f"octaudit evaluate {recipe.name} --data DIR --model DIR/{recipe.name}.safetensors --json FILE",
    )


def _as_text(value: object) -> str:
    """A setting as --set takes it."""
    text = ",".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
    return f"'{text}'" if "|" in text else text


def _split_in_words(recipe: OnhRecipe, placed: Sequence[Placed]) -> str:
    if any(item.picture.record.split is not None for item in placed):
        how = "By the manifest's split column, which shares no subject and no near duplicate"
        return f"{how}. Stored in {SPLITS_NAME}."
    return (
        f"By subject and near-duplicate group, stratified by source and grade, in the order of a hash with seed "
        f"{recipe.split_seed}. Stored in {SPLITS_NAME}."
    )


def is_simulated(placed: Sequence[Placed]) -> bool:
    """Whether every image is a phantom of ours."""
    return all(item.picture.record.source == SOURCE for item in placed)


def what_of(placed: Sequence[Placed]) -> str:
    """What the images are, for the names of sets."""
    return "ONH phantoms" if is_simulated(placed) else "the user's images"


def _labels(placed: Sequence[Placed]) -> str:
    if is_simulated(placed):
        return "By construction: grade and masks of a phantom follow from how it was drawn (core.phantom.onh_spec)."
    return "As the user's manifest gives them; who labelled the images is not known to the program."


def _known_failures(recipe: OnhRecipe, placed: Sequence[Placed], *, asks_kind: bool) -> tuple[str, ...]:
    stranger = (
        "Whether a picture shows an optic disc at all is judged by plain statistics of the training part: a scan of "
        "another device or slab may be refused, and an OCTA image of the macula with blurred vessels may pass."
        if asks_kind
        else "It answers for any picture, also for one that shows no optic nerve head: check the kind of scan first."
    )
    motion = (
        "Breaks are told of whole lines at the size the network sees; one that a line's noise hides is missed."
        if recipe.line_branch
        else "Breaks are thin at the size the network sees; the poster's masks of motion were its weakest as well."
    )
    if not is_simulated(placed):
        return (stranger, motion)
    unseen = (
        "It has seen no real scan. What it says of one is a suggestion: without calibration scans its grade always "
        "abstains, so the verdict is review at best and a person decides. Train it on graded scans of your own."
    )
    return (unseen, stranger, motion)
