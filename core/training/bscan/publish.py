"""Writes the card of B-scan weights: data with licences, recipe, commands, figures of the test part, choices made."""

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.scoring.bscan_card import BscanCard, BscanStage, UsableLimits
from core.scoring.card import Likeness, sha256_of
from core.scoring.lanes.bscan_canvas import PREPROCESSING, fill_white_borders
from core.scoring.lanes.bscan_likeness import NAMES as LIKENESS_NAMES
from core.scoring.lanes.bscan_likeness import bscan_features
from core.scoring.torch_backend.bscan import BscanScorer, load_networks
from core.training.bscan.judge import figures, is_simulated, judge
from core.training.bscan.label import record_of
from core.training.bscan.recipe import BSCAN, NAME, BscanRecipe, Networks
from core.training.bscan.samples import balanced
from core.training.bscan.stages import Stages
from core.training.calibrate import fit_likeness
from core.training.progress import Progress
from core.training.supervised.fit import Fitted
from core.training.supervised.parts import SPLITS_NAME, Placed
from core.training.supervised.picture import Picture, read_grey_levels
from core.training.supervised.publish import training_sets
from core.training.supervised.record import Part
from core.vocabulary import ScanKind

INTENDED_USE = (
    "Auditing macular OCT B-scans in research: what a scan shows at a glance, and whether it can be used. Not a "
    "medical device; not for diagnosis."
)
LABELS = "As the manifest gives them; who labelled the images is not known to the program."
USABLE = UsableLimits(
    least_snr_db=6.0,
    most_cut_share=0.1,
    most_dim_share=0.25,
    least_retina_share=0.6,
    evidence=(
        "Chosen on public exports, not on graded scans: all 45 clinical ones have 6.6 dB or more, eight of twelve "
        "single unaveraged frames have less than 6; in none of the 45 is the retina cut off, and in the one where the "
        "device filled most of the picture 69 % of the columns show a retina."
    ),
)
CHOICES = (
    "The paper's sizes are MiB of float32: 60.63 is ResNet-18 and a 3 x 3 convolution from 1024 to 512 channels, ours.",
    "CAM-UNet's decoder is not described to the channel: ours has 60.2 MiB, the paper's 60.79.",
    "The heat map guides all five levels of the encoder, the deepest included; only the four skips are named.",
    "The map that guides is that of the likeliest class but normal; of a scan rightly called ill, the predicted one's.",
    "Eq. 3 has no value where prediction and truth are both 0: its sums are taken over the picture.",
    "A cell of the coarse mask is lesion where any of its pixels is.",
    "Among epochs of equal accuracy (Dice) the one of the smallest loss is kept.",
    "Encoders begin with random weights unless --init brings others; the paper does not say.",
    "B-scans whose lesions are not drawn teach the class alone.",
)
FEW_DRAWN = 100
"""Real scans with drawn lesions; with fewer the card warns of it."""
LIKENESS_SOURCE_SHARE = 0.3
"""Of what says how a B-scan looks, each source makes up at least about this share: phantoms are many."""
LIKENESS_ROOM = 1.5
"""Times the distance of the validation scans, which are of the devices trained on. Frames of another one (bscan_sdoct)
lie up to 1.6 times as far, photographs, text, fundus pictures and OCTA images 2.3 times and more."""


def write_card(
    weights: Path,
    recipe: BscanRecipe,
    fits: Mapping[str, Fitted],
    stages: Stages,
    *,
    report: Callable[[Progress], None] = lambda _: None,
) -> BscanCard:
    """Judge the weights as stored on the test part and write NAME.json beside them."""
    placed, classes = stages.placed, stages.classes
    draft = BscanCard(
        name="dual-guidance",
        version=recipe.version,
        kind=ScanKind.BSCAN,
        weights_sha256=sha256_of(weights),
        preprocessing=PREPROCESSING,
        classes=classes,
        networks=recipe.networks.value,
        network=recipe.shape(len(classes)).model_dump(mode="json"),
        likeness=likeness_of(placed),
        usable=USABLE,
        stages=tuple(_stage(name, fitted) for name, fitted in fits.items()),
        recipe=recipe.model_dump(mode="json"),
        software={"octaudit": version("octaudit"), "torch": torch.__version__, "timm": version("timm"),
                  "python": platform.python_version()},
        commands=commands(recipe, has_init=stages.init is not None),
        init_sha256=recipe.starts_from,
        trained_with=tuple(sorted(item.picture.pixel_sha256[:16] for item in placed if item.part is not Part.TEST)),
        split=_split_in_words(recipe, placed),
        data=tuple(training_sets(placed)),
        metrics=(),
        choices=CHOICES,
        known_failures=known_failures(placed, recipe, fits),
        intended_use=INTENDED_USE,
        labels=labels_in_words(placed),
    )  # fmt: skip
    test = [item for item in placed if item.part is Part.TEST]
    networks = BscanScorer(load_networks(weights, draft, stages.machine.device), draft, stages.machine.device)
    stage = "Judging on the test part"
    judged = judge(
        networks.outputs,
        test,
        recipe,
        classes,
        threshold=draft.lesion_threshold,
        on_done=lambda done: report(Progress(stage, done, len(test))),
    )
    card = draft.model_copy(update={"metrics": tuple(figures(judged, classes, "test part"))})
    weights.with_suffix(".json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return card


def likeness_of(placed: Sequence[Placed]) -> Likeness:
    """What B-scans look like, by the training part; how far they may lie from it, by the validation part."""
    train = balanced([item.picture for item in placed if item.part is Part.TRAIN], LIKENESS_SOURCE_SHARE)
    watching = [item.picture for item in placed if item.part is Part.VALIDATION]
    known: dict[str, Any] = {}

    def features(pictures: Sequence[Picture]) -> Any:
        for picture in pictures:
            if picture.record.file not in known:
                grey = read_grey_levels(picture.record.path)
                known[picture.record.file] = bscan_features(fill_white_borders(grey))
        return np.stack([known[picture.record.file] for picture in pictures])

    found = fit_likeness(features(train), features(watching), LIKENESS_NAMES)
    return found.model_copy(update={"max_distance": round(found.max_distance * LIKENESS_ROOM, 3)})


def commands(recipe: BscanRecipe, *, has_init: bool) -> tuple[str, ...]:
    """The commands that make and judge these weights again; settings that differ from the published recipe."""
    usual, own = _flat(BSCAN.model_dump(mode="json")), _flat(recipe.model_dump(mode="json", exclude={"starts_from"}))
    options = "".join(
        f" --set {name}={_written(value)}" for name, value in sorted(own.items()) if usual.get(name) != value
    )
    init = " --init FILE.safetensors" if has_init else ""
    return (
        f"octaudit train {NAME} --data DIR --out DIR{init}{options}",
        f"octaudit evaluate {NAME} --data DIR --model DIR/{NAME}.safetensors --json FILE",
    )


def known_failures(placed: Sequence[Placed], recipe: BscanRecipe, fits: Mapping[str, Fitted]) -> tuple[str, ...]:
    """What data, recipe and the course of the training say about where not to trust it."""
    genuine = [item.picture for item in placed if not is_simulated(item.picture.record.source)]
    real = sorted({picture.record.source for picture in genuine})
    undrawn = sum(not record_of(item.picture).is_mask_known for item in placed)
    found = [
        (
            "The segmentation was trained on pathological scans alone: on a normal scan it may mark something, which "
            "is shown only when asked for. The marked area on normal scans is among the figures."
        ),
        "Nothing is known of devices and populations that are not among the sources.",
        (
            "Whether a picture is a B-scan at all is told by its distance from those seen in training: B-scans that "
            "look otherwise, such as single frames of other devices, may be taken for strangers; then a person decides."
        ),
    ]
    if any(is_simulated(item.picture.record.source) for item in placed):
        found.append(
            f"Most of what it has learned from is simulated. Real sources: {', '.join(real) or 'none'}, a handful of "
            "scans; their figures stand apart, with their numbers. Train it on your own scans before you rely on it."
        )
    if undrawn:
        found.append(f"In {undrawn} scans with a lesion, or perhaps one, nobody drew where: no Dice of those exists.")
    by_hand = sum(bool(record_of(picture).mask_paths) for picture in genuine)
    if by_hand and by_hand < FEW_DRAWN:
        found.append(
            f"Lesions were drawn in {by_hand} real scans only, those of the parts that judge included: on other scans "
            "and kinds of lesion its masks may lie beside them, or in the choroid or the border of the picture."
        )
    unfinished = [name for name, fitted in fits.items() if fitted.kept_epoch == len(fitted.history)]
    if unfinished:
        found.append(f"The best epoch of the {' and the '.join(unfinished)} was its last: it was still getting better.")
    if recipe.networks is Networks.TWO_STAGES:
        found.append("One class per scan: a scan with two kinds of lesion gets the likelier, and its mask that name.")
    return tuple(found)


def labels_in_words(placed: Sequence[Placed]) -> str:
    """Who labelled the scans and drew their lesions, as far as the manifest says."""
    drawn = Counter(record_of(item.picture).drawn_by for item in placed if record_of(item.picture).mask_paths)
    hands = [f"{name} ({count} scans)" for name, count in sorted(drawn.items()) if name]
    return f"{LABELS} Lesions drawn by: {', '.join(hands)}." if hands else LABELS


def _stage(name: str, fitted: Fitted) -> BscanStage:
    row = fitted.history[fitted.kept_epoch - 1]
    watched = {key: value for key, value in row.items() if key not in {"epoch", "learning_rate"}}
    return BscanStage(name=name, n_epochs=len(fitted.history), kept_epoch=fitted.kept_epoch, watched=watched)


def _split_in_words(recipe: BscanRecipe, placed: Sequence[Placed]) -> str:
    if any(item.picture.record.split is not None for item in placed):
        how = "By the manifest's split column, which shares no subject, no pixels and no near duplicate"
    else:
        how = (
            "By subject and near-duplicate group, stratified by source and class, in the order of a hash with seed "
            f"{recipe.split_seed}"
        )
    return f"{how}. Stored in {SPLITS_NAME}."


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def _written(value: Any) -> str:
    """As --set reads it: a list without spaces."""
    if isinstance(value, list):
        return "[" + ",".join(str(part) for part in value) + "]"
    return str(value)
