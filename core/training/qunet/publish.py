"""Writes the card of a QU-Net++: data with licences, recipe, commands, figures of the test part, choices made."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from core.networks.qunet import QuNet
from core.scoring.card import ReportedMetric, sha256_of
from core.scoring.lanes.level_output import PREPROCESSING
from core.scoring.qunet_card import QuNetCard, QuNetTraining
from core.scoring.torch_backend.qunet import LevelReader, LevelReading
from core.training.evaluation.figures import Sample, Topic
from core.training.qunet.experiment import overlap_figures
from core.training.qunet.recipe import QUNET, QuNetRecipe, qunet_recipe
from core.training.qunet.slices import read_labels
from core.training.supervised.checkpoint import write_tensors
from core.training.supervised.fit import Fitted
from core.training.supervised.history import CURVES_NAME, draw_curves
from core.training.supervised.parts import SPLITS_NAME, Placed
from core.training.supervised.picture import read_grey_levels
from core.training.supervised.publish import flat_settings, training_sets
from core.training.supervised.record import Part
from core.values import Measured

FIGURES = ("Dice", "Jaccard", "precision", "recall", "accuracy")
WEIGHTS_NAME = f"{QUNET}.safetensors"

INTENDED_USE = (
    "Choosing which images to annotate next, in research. Q says that the model lacks training on such images; it is "
    "no grade of an image. Not a medical device; not for diagnosis."
)
CHOICES = (
    "Heads on the top row, X(1,2) to X(1,5): the printed 9,045,540 parameters fit no other place (Heads.TOP_ROW).",
    "Batch normalisation after both convolutions of the encoder's first four stages; dropout of 0.5 at X(4,1), X(5,1).",
    "The loss is the mean of one minus Dice over all four levels and all classes but background.",
    "With several classes Q is the mean Jaccard over those that either level finds; where none is found there is no Q.",
    "Ranges of 0.2 are radians for rotation, shares of the size for shift and shear; horizontal flips are allowed.",
    "B-scans are cropped to the rows of the intra-retinal band, found by Otsu's threshold, with a margin.",
    "q0 and epsilon are ours: the paper prints neither.",
    "The last weights are kept: the paper trains for 60 epochs and names no early stop.",
)


@dataclass(frozen=True, slots=True)
class Learned:
    """A finished fit with what it was made from and with."""

    fitted: Fitted
    recipe: QuNetRecipe
    levels: tuple[int, ...]
    placed: Sequence[Placed]
    split: str
    """How the parts were made, in a sentence."""
    command: str
    """Which command made it: "train" or "select"."""


def write_model(learned: Learned, out: Path, device: torch.device) -> tuple[Path, QuNetCard]:
    """Write weights, curves and card into ``out``; the test part, where there is one, is judged."""
    weights = out / WEIGHTS_NAME
    network = learned.fitted.network
    assert isinstance(network, QuNet)  # QuNetTask built it
    write_tensors(weights, network.state_dict())
    draw_curves(out / CURVES_NAME, {"": learned.fitted.history}, QUNET)
    recipe, fitted = learned.recipe, learned.fitted
    row = fitted.history[fitted.kept_epoch - 1]
    card = QuNetCard(
        recipe_name="qunet",
        version=recipe.version,
        weights_sha256=sha256_of(weights),
        preprocessing=PREPROCESSING,
        network=network.shape.model_dump(mode="json"),
        region=recipe.region,
        mask_levels=learned.levels,
        training=QuNetTraining(
            n_epochs=len(fitted.history),
            kept_epoch=fitted.kept_epoch,
            watched={name: value for name, value in row.items() if name not in {"epoch", "learning_rate"}},
        ),
        recipe=recipe.model_dump(mode="json"),
        software={"octaudit": version("octaudit"), "torch": torch.__version__, "python": platform.python_version()},
        commands=_commands(learned),
        init_sha256=recipe.starts_from,
        split=learned.split,
        data=tuple(training_sets(learned.placed)),
        metrics=tuple(judge(LevelReader(network, recipe.region, device), learned.placed, learned.levels)),
        choices=CHOICES,
        known_failures=(
            "Trained on few images by design: its masks are a start for an annotator, not a result.",
            "It answers for any picture. Where the band of a B-scan is not found it looks at the whole field.",
        ),
        intended_use=INTENDED_USE,
        labels="As the masks of the folder give them; who drew them is not known to the program.",
    )
    weights.with_suffix(".json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return weights, card


def judge(reader: LevelReader, placed: Sequence[Placed], levels: Sequence[int]) -> list[ReportedMetric]:
    """Overlap and mean Q on the test part, with intervals over groups; nothing of fewer than five images."""
    test = [item for item in placed if item.part is Part.TEST]
    rows, readings = [], list[LevelReading]()
    for item in test:
        path = item.picture.record.mask_path
        assert path is not None  # only annotated pictures are placed
        reading = reader.read([read_grey_levels(item.picture.record.path)])[0]
        readings.append(reading)
        rows.append(overlap_figures(reading.labels, read_labels(path, levels), len(levels)))
    sample = Sample(Topic.SELECTION, f"{QUNET}, test part", tuple(item.group for item in test))
    metrics = sample.means(dict(zip(FIGURES, zip(*rows, strict=True), strict=True))) if rows else []
    qs = [reading.q.value for reading in readings if isinstance(reading.q, Measured)]
    return metrics + (sample.means({"Q": qs}) if qs and len(qs) == len(test) else [])


def _commands(learned: Learned) -> tuple[str, ...]:
    usual = flat_settings(qunet_recipe({}).model_dump(mode="json"))
    own = flat_settings(learned.recipe.model_dump(mode="json", exclude={"starts_from"}))
    changed = "".join(f" --set {name}={value}" for name, value in sorted(own.items()) if usual.get(name) != value)
    if learned.command == "select":
        return (f"octaudit select --data DIR --out FILE.csv{changed}",)
    return (
        f"octaudit train {QUNET} --data DIR --out DIR{changed}",
        f"octaudit evaluate {QUNET} --data DIR --model DIR/{WEIGHTS_NAME}",
    )


def split_in_words(placed: Sequence[Placed], recipe: QuNetRecipe) -> str:
    """How the parts of a training were made."""
    if any(item.picture.record.split is not None for item in placed):
        return (
            f"By the manifest's split column, which shares no subject and no near duplicate. Stored in {SPLITS_NAME}."
        )
    return (
        f"By subject and near-duplicate group, in the order of a hash with seed {recipe.split_seed}. Stored in "
        f"{SPLITS_NAME}."
    )
