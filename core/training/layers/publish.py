"""Judges layer weights as they are stored and writes their card: data, recipe, figures, choices, known failures."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from core.scoring.card import ReportedMetric, TrainingSet, sha256_of
from core.scoring.lanes.layer_canvas import PREPROCESSING
from core.scoring.layers_card import LayersCard, LayersTraining
from core.scoring.torch_backend.layers import LayerSegmenter
from core.training.layers.cases import duke_graders, evaluation_phantoms, layer_case, phantom_case
from core.training.layers.data import labels_in
from core.training.layers.figures import layer_figures, phantom_figures
from core.training.layers.level_figures import level_figures
from core.training.layers.likeness import likeness_of
from core.training.layers.recipe import LayersRecipe, layers_recipe
from core.training.layers.run import FittedLayers
from core.training.layers.samples import labels_of_phantom
from core.training.supervised.fit import Fitted
from core.training.supervised.parts import SPLITS_NAME, Placed
from core.training.supervised.picture import read_grey_levels
from core.training.supervised.publish import flat_settings, training_sets
from core.training.supervised.record import Part

INTENDED_USE = (
    "Retinal layers and thickness of macular B-scans for auditing scans in research. Not a medical device; not for "
    "diagnosis."
)
LABELS = (
    "Layers of the public set: drawn by graders (Chiu et al. 2015); of phantoms: known from the drawing. No scan was "
    "graded for quality, so the lane abstains from a grade and a person decides."
)
CHOICES = (
    "The thesis keeps the best model by weight/loss + IoU + accuracy; here the lowest validation loss decides.",
    (
        "Its U-Net is not described beyond four encoder and four decoder blocks with batch normalisation: 64 channels "
        "doubled per block are the original's."
    ),
    (
        "Its five classes are background, rest of retina, photoreceptor layer, transition and pigment epithelium; the "
        "public set has no transition: ISE is the photoreceptor layer, OS-RPE the pigment epithelium."
    ),
    "Targets are the share of each class in a cell of the canvas, so that a border inside a cell is learned as one.",
    "Boundaries are sums of probabilities down a column: they lie between rows and never cross.",
    "Fluid is no class: it belongs to the layer that it lies in, as in the public set.",
    "Layers are found in each B-scan by itself; nothing is carried over from its neighbours.",
)
LEVELS_CHOICE = (
    "The levels below the answer are 1 x 1 convolutions on the decoder's three coarser blocks, fitted while the "
    "network stayed as it was; paper 002 trains all levels with the network, which would change its answers."
)
LEVELS_FAILURE = (
    "Q compares the answer with a coarser reading of the same features: a mistake that both make it does not see."
)
KNOWN_FAILURES = (
    (
        "Real training scans: eight subjects with diabetic macular oedema, one device model (Spectralis); other "
        "diseases were seen as phantoms only."
    ),
    "Where light is lost over many columns the layers are guessed from what lies beside.",
    (
        "Layers under a large lesion (CNV, high detachment) are unsure; the outermost boundary is Bruch's membrane "
        "only as far as the labels followed it."
    ),
    "A B-scan that shows the optic nerve head has no layers there; what is drawn into it means nothing.",
    (
        "A picture that is no B-scan is told by what the network finds in it; a B-scan of a device that it has not "
        "seen may be taken for a stranger, too, and goes to a person with that reason."
    ),
)


N_JUDGED_PHANTOMS = 60
"""Fifteen of each lesion and of healthy retinas."""


@dataclass(frozen=True, slots=True)
class JudgedLayers:
    """Figures of a set, and its pixels by true class (rows) and found class (columns)."""

    metrics: list[ReportedMetric]
    confusion: tuple[tuple[int, ...], ...]


def judge_layers(
    segmenter: LayerSegmenter,
    placed: Sequence[Placed],
    folder: Path,
    name: str,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> JudgedLayers:
    """Every figure of labelled B-scans; boundary distances too where the folder is the public set."""
    if not placed:
        return JudgedLayers([], ())
    scheme, cases = segmenter.card.scheme, []
    images = [read_grey_levels(item.picture.record.path) for item in placed]
    truths = [labels_in(path, scheme) for item in placed if (path := item.picture.record.mask_path) is not None]
    graders = duke_graders(folder, placed)
    for number, (truth, found) in enumerate(zip(truths, segmenter.layers(images), strict=True)):
        cases.append(layer_case(found, truth, scheme, graders[number]))
        report(number + 1, len(placed))
    groups = [item.group for item in placed]
    sources = sorted({item.picture.record.source for item in placed})
    label = f"{', '.join(sources) or 'the images'}, {name}"
    confusion = np.sum([case.confusion for case in cases], axis=0)
    table = tuple(tuple(int(value) for value in row) for row in confusion)
    levels = level_figures(segmenter, images, truths, groups, label)
    return JudgedLayers([*layer_figures(cases, groups, label, scheme), *levels], table)


def judge_phantoms(segmenter: LayerSegmenter) -> list[ReportedMetric]:
    """Thickness against the truth, and the levels, on phantoms that no training draws."""
    phantoms = list(evaluation_phantoms(N_JUDGED_PHANTOMS))
    images = [phantom.image for phantom in phantoms]
    found = segmenter.layers(images)
    thickness = phantom_figures([phantom_case(phantom, own) for phantom, own in zip(phantoms, found, strict=True)])
    truths = [labels_of_phantom(phantom, segmenter.card.scheme) for phantom in phantoms]
    names = tuple(str(number) for number in range(len(phantoms)))
    return [*thickness, *level_figures(segmenter, images, truths, names, "phantoms, all, that no training draws")]


def write_layers_card(
    run: FittedLayers,
    recipe: LayersRecipe,
    folder: Path,
    device: torch.device,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> LayersCard:
    """Judge the weights as stored on the test part and on phantoms, and write NAME.json beside them."""
    segmenter = LayerSegmenter.load(run.weights, _draft(run, recipe), device)
    draft = segmenter.card.model_copy(update={"likeness": likeness_of(segmenter, run.placed, recipe)})
    return _write_judged(draft, segmenter, run, folder, report)


def write_levels_card(
    run: FittedLayers,
    recipe: LayersRecipe,
    folder: Path,
    device: torch.device,
    report: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    card: LayersCard,
) -> LayersCard:
    """The card of a network that got levels and stayed as it was: how it was trained is taken over from its own."""
    made = _commands(recipe)
    draft = card.model_copy(
        update={
            "version": recipe.version,
            "weights_sha256": sha256_of(run.weights),
            "network": recipe.shape.model_dump(),
            "levels": None if run.levels is None else _record(run.levels),
            "recipe": recipe.model_dump(mode="json"),
            "software": _software(),
            "commands": (made[0], "octaudit train layers --data DIR --out DIR --init FILE --keep-network", *made[1:]),
            "choices": (*(choice for choice in card.choices if choice != LEVELS_CHOICE), LEVELS_CHOICE),
            "known_failures": (*(each for each in card.known_failures if each != LEVELS_FAILURE), LEVELS_FAILURE),
        }
    )
    return _write_judged(draft, LayerSegmenter.load(run.weights, draft, device), run, folder, report)


def _write_judged(
    draft: LayersCard, segmenter: LayerSegmenter, run: FittedLayers, folder: Path, report: Callable[[int, int], None]
) -> LayersCard:
    """The card with the figures of its weights as they are stored."""
    test = [item for item in run.placed if item.part is Part.TEST]
    judged = judge_layers(segmenter, test, folder, "test part", report)
    metrics = (*judged.metrics, *judge_phantoms(segmenter))
    card = draft.model_copy(update={"metrics": metrics, "confusion": judged.confusion})
    run.weights.with_suffix(".json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def _record(fitted: Fitted) -> LayersTraining:
    """How long a fit took and what watched it at the epoch that was kept."""
    kept = fitted.history[fitted.kept_epoch - 1]
    watched = {name: value for name, value in kept.items() if name not in {"epoch", "learning_rate"}}
    return LayersTraining(n_epochs=len(fitted.history), kept_epoch=fitted.kept_epoch, watched=watched)


def _software() -> dict[str, str]:
    return {"octaudit": version("octaudit"), "torch": torch.__version__, "python": platform.python_version()}


def _draft(run: FittedLayers, recipe: LayersRecipe) -> LayersCard:
    """The card without figures."""
    return LayersCard(
        name=f"layers-{recipe.scheme.value}",
        version=recipe.version,
        weights_sha256=sha256_of(run.weights),
        preprocessing=PREPROCESSING,
        scheme=recipe.scheme,
        network=recipe.shape.model_dump(),
        training=_record(run.fitted),
        levels=None if run.levels is None else _record(run.levels),
        recipe=recipe.model_dump(mode="json"),
        software=_software(),
        commands=_commands(recipe),
        init_sha256=recipe.starts_from,
        seen_pixels=tuple(sorted(p.picture.pixel_sha256 for p in run.placed if p.part is not Part.TEST)),
        split=_split_in_words(recipe, run.placed),
        data=(*training_sets(run.placed), *_phantoms(recipe)),
        metrics=(),
        choices=CHOICES if run.levels is None else (*CHOICES, LEVELS_CHOICE),
        known_failures=KNOWN_FAILURES if run.levels is None else (*KNOWN_FAILURES, LEVELS_FAILURE),
        intended_use=INTENDED_USE,
        labels=LABELS,
    )


def _commands(recipe: LayersRecipe) -> tuple[str, ...]:
    """The commands that make and judge these weights again."""
    presets = ({"preset": "bundled"}, {"scheme": recipe.scheme.value, "network": recipe.network})
    options = []
    for brought in presets:
        usual = flat_settings(layers_recipe(brought).model_dump(mode="json"))
        own = flat_settings(recipe.model_dump(mode="json", exclude={"starts_from"}))
        changed = {name: value for name, value in own.items() if usual.get(name) != value}
        options.append(
            "".join(f" --set {name}={value}" for name, value in [*brought.items(), *sorted(changed.items())])
        )
    init = " --init FILE.safetensors" if recipe.starts_from else ""
    return (
        f"octaudit train layers --data DIR --out DIR{init}{min(options, key=len)}",
        "octaudit evaluate layers --data DIR --model DIR/layers.safetensors --json FILE",
    )


def _phantoms(recipe: LayersRecipe) -> tuple[TrainingSet, ...]:
    if not recipe.n_phantoms:
        return ()
    return (
        TrainingSet(
            name="phantoms",
            licence="made by this program",
            source="core.phantom.bscan: healthy retinas, drusen, CNV, fluid",
            n_train=recipe.n_phantoms,
            n_tune=0,
            n_held_out=0,
            used_for=f"{recipe.phantom_share:.0%} of the training crops",
        ),
    )


def _split_in_words(recipe: LayersRecipe, placed: Sequence[Placed]) -> str:
    if any(item.picture.record.split is not None for item in placed):
        how = "By the manifest's split column, which shares no subject, no pixels and no near duplicate"
    else:
        how = f"By subject and near-duplicate group, in the order of a hash with seed {recipe.split_seed}"
    names = {part: ", ".join(sorted({item.group for item in placed if item.part is part})) or "none" for part in Part}
    parts = "; ".join(f"{part.value}: {names[part]}" for part in Part)
    return f"{how}. {parts}. Stored in {SPLITS_NAME}."
