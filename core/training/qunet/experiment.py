"""Chosen slices against random ones: the paper's Table I for any folder of annotated stacks, run after run."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.errors import UsageError
from core.measures.selection import most_wanted
from core.scoring.lanes.level_output import Box, region_box
from core.scoring.torch_backend.qunet import LevelReader
from core.training.qunet.learn import Lesson, learn, weights_of
from core.training.qunet.recipe import QuNetRecipe
from core.training.qunet.select import Standing, disagreement, first_step, measure, rule_of
from core.training.qunet.slices import SliceFolder, read_labels
from core.training.supervised.fit import Fitted, Machine
from core.training.supervised.picture import Picture, read_grey_levels

RUNS_NAME = "runs.jsonl"
N_FOLDS: Final = 4
"""Subjects are held out by quarters, in turn."""

CHOSEN_FIRST, CHOSEN, RANDOM_AS_MANY, RANDOM, RANDOM_UNET = (
    "QU-Net++, first set",
    "QU-Net++, chosen",
    "U-Net++, as many at random",
    "U-Net++, random",
    "U-Net, random",
)
ARMS: Final = (CHOSEN_FIRST, CHOSEN, RANDOM_AS_MANY, RANDOM, RANDOM_UNET)
HELD_OUT, REMAINING = "subjects held out", "remaining slices"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is compared.

    ``share`` of the slices is chosen, ``random_share`` drawn at random; all networks see the same number of batches.
    """

    folder: SliceFolder
    recipe: QuNetRecipe
    machine: Machine
    n_runs: int = 20
    share: float = 0.15
    random_share: float = 0.25

    @property
    def description(self) -> dict[str, Any]:
        """What determines the runs, as JSON."""
        pictures = "\n".join(picture.key for picture in self.folder.pictures)
        found = {
            "recipe": self.recipe.model_dump(mode="json"),
            "share": self.share,
            "random_share": self.random_share,
            "images": hashlib.sha256(pictures.encode()).hexdigest(),
        }
        # Named where it is used alone: runs that were kept before it could be chosen go on.
        return found | ({"precision": "bf16"} if self.machine.bf16 else {})


@dataclass(frozen=True, slots=True)
class Outcome:
    """One arm of one run on one image that it was not trained on; figures are means over the classes there or found."""

    run: int
    arm: str
    n_annotated: int
    n_pool: int
    on: str
    """HELD_OUT or REMAINING."""
    file: str
    subject: str
    dice: float
    jaccard: float
    precision: float
    recall: float
    accuracy: float


def run_experiment(
    plan: Plan,
    out: Path,
    on_run: Callable[[int, int, Sequence[Outcome]], None] = lambda _done, _total, _outcomes: None,
) -> list[Outcome]:
    """All runs; those that ``out`` holds already, of the same plan, are not run again.

    ``on_run`` takes how many runs are done, of how many, and what they found.

    Raises
    ------
    UsageError
        Too few subjects or annotated images, or ``out`` holds the runs of another plan.
    """
    if len(_subjects(plan.folder.annotated)) < 2:  # noqa: PLR2004 - one to choose from, one to judge on
        raise UsageError(
            "The comparison needs annotated images of at least two subjects.",
            remedy="Give a folder in which several subjects have masks.",
        )
    out.mkdir(parents=True, exist_ok=True)
    path = out / RUNS_NAME
    outcomes = _read_runs(path, plan)
    finished = {outcome.run for outcome in outcomes}
    on_run(len(finished), plan.n_runs, outcomes)
    for run in range(plan.n_runs):
        if run not in finished:
            found = list(_one_run(plan, run))
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"run": run, "outcomes": [_as_row(outcome) for outcome in found]}) + "\n")
            outcomes.extend(found)
            on_run(run + 1, plan.n_runs, outcomes)
    return outcomes


def held_out_subjects(pictures: Sequence[Picture], run: int) -> set[str]:
    """The quarter of the subjects (in the order of a hash, no result has a say in it) that this run never trains on."""
    subjects = _subjects(pictures)
    n_folds = min(N_FOLDS, len(subjects))
    return {subject for place, subject in enumerate(subjects) if place % n_folds == run % n_folds}


def _subjects(pictures: Sequence[Picture]) -> list[str]:
    names = {picture.record.subject for picture in pictures}
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def _one_run(plan: Plan, run: int) -> Iterator[Outcome]:
    everything = plan.folder.annotated
    away = held_out_subjects(everything, run)
    pool = [picture for picture in everything if picture.record.subject not in away]
    rng = np.random.default_rng((plan.recipe.seed, run))
    recipe = plan.recipe.model_copy(update={"seed": plan.recipe.seed + run})
    n_random, n_chosen = (max(1, round(share * len(pool))) for share in (plan.random_share, plan.share))
    drawn = [pool[place] for place in rng.permutation(len(pool))[:n_random]]
    first, chosen, networks = _choose(plan, recipe, pool, n_chosen)
    as_many = drawn[: len(chosen)]
    unet = recipe.model_copy(update={"nested": False})
    arms = {
        CHOSEN_FIRST: (first, networks[0]),
        CHOSEN: (chosen, networks[1]),
        RANDOM_AS_MANY: (as_many, _fitted(plan, recipe, as_many)),
        RANDOM: (drawn, _fitted(plan, recipe, drawn)),
        RANDOM_UNET: (drawn, _fitted(plan, unet, drawn)),
    }
    used = {picture.record.file for pictures, _ in arms.values() for picture in pictures}
    # Every arm is judged on the same images: those of the pool that none of them trained on.
    tests = {
        HELD_OUT: [picture for picture in everything if picture.record.subject in away],
        REMAINING: [picture for picture in pool if picture.record.file not in used],
    }
    held = {picture.record.file: _held(picture, plan) for pictures in tests.values() for picture in pictures}
    for arm, (trained_on, fitted) in arms.items():
        reader = LevelReader(fitted.network, recipe.region, plan.machine.device)  # type: ignore[arg-type]  # a QuNet
        for on, pictures in tests.items():
            readings = [held[picture.record.file] for picture in pictures]
            for picture, figures in zip(pictures, _judged(reader, readings, len(plan.folder.levels)), strict=True):
                record = picture.record
                yield Outcome(run, arm, len(trained_on), len(pool), on, record.file, record.subject, *figures)


def _choose(
    plan: Plan, recipe: QuNetRecipe, pool: Sequence[Picture], n_chosen: int
) -> tuple[list[Picture], list[Picture], tuple[Fitted, Fitted]]:
    """Algorithm 1: S0, S0 with Sm, and the networks trained on each, the second going on from the first."""
    rule = rule_of(recipe, max_initial=max(1, n_chosen // 2))
    candidates = first_step(pool, measure(pool, recipe.region), rule)
    first = [candidate.picture for candidate in candidates if candidate.standing is Standing.FIRST_SET]
    half = recipe.model_copy(update={"epochs": max(1, recipe.epochs // 2)})
    begun = _fitted(plan, half, first)
    files = {picture.record.file for picture in first}
    others = [picture for picture in pool if picture.record.file not in files]
    reader = LevelReader(begun.network, recipe.region, plan.machine.device)  # type: ignore[arg-type]  # a QuNet
    wanted = most_wanted(disagreement(others, reader), rule, max(0, n_chosen - len(first)))
    chosen = [*first, *(others[place] for place in wanted)]
    rest = recipe.model_copy(update={"epochs": max(1, recipe.epochs - half.epochs)})
    return first, chosen, (begun, _fitted(plan, rest, chosen, begun))


def _fitted(plan: Plan, recipe: QuNetRecipe, pictures: Sequence[Picture], begun: Fitted | None = None) -> Fitted:
    start = None if begun is None else weights_of(begun)
    with tempfile.TemporaryDirectory() as folder:
        lesson = Lesson(pictures, pictures[:1], plan.folder.levels, recipe, Path(folder), plan.machine, start=start)
        return learn(lesson)


@dataclass(frozen=True, slots=True)
class _Held:
    """An image to judge on, read and looked at once for all arms."""

    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    box: Box


def _held(picture: Picture, plan: Plan) -> _Held:
    path = picture.record.mask_path
    assert path is not None  # only annotated pictures take part
    image = read_grey_levels(picture.record.path)
    return _Held(image, read_labels(path, plan.folder.levels), region_box(image, plan.recipe.region))


def _judged(reader: LevelReader, held: Sequence[_Held], n_classes: int) -> list[tuple[float, ...]]:
    """Dice, Jaccard, precision, recall, accuracy of each image at its own size."""
    readings = reader.read([one.image for one in held], [one.box for one in held])
    return [overlap_figures(reading.labels, one.truth, n_classes) for reading, one in zip(readings, held, strict=True)]


def overlap_figures(found: NDArray[np.uint8], truth: NDArray[np.uint8], n_classes: int) -> tuple[float, ...]:
    """Dice, Jaccard, precision, recall: means over the classes but 0 that are there or found; accuracy of all pixels.

    Label maps (height, width). A class that is there and not found, or the reverse, counts 0 in each. Where there is
    nothing and nothing is found all are 1.
    """
    pairs = truth.astype(np.int64).ravel() * n_classes + found.ravel()
    table = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
    both = np.diag(table)[1:].astype(np.float64)
    there, said = table.sum(axis=1)[1:], table.sum(axis=0)[1:]
    present = (there + said) > 0
    both, there, said = both[present], there[present], said[present]
    columns = (2 * both / (there + said), both / (there + said - both), both / np.maximum(said, 1),
               both / np.maximum(there, 1))  # fmt: skip
    means = (float(column.mean()) if present.any() else 1.0 for column in columns)
    return (*means, float(np.trace(table) / table.sum()))


def _as_row(outcome: Outcome) -> list[Any]:
    return [getattr(outcome, name) for name in Outcome.__slots__]


def _read_runs(path: Path, plan: Plan) -> list[Outcome]:
    """The runs of before; a last line that a killed run left unfinished is cut off."""
    wanted = json.dumps({"plan": plan.description}) + "\n"
    if not path.is_file():
        path.write_text(wanted, encoding="utf-8")
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if not lines or lines[0] != wanted:
        raise UsageError(f"{path} holds the runs of other images or another recipe.", remedy="Give a new --out folder.")
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        path.write_text("".join(whole), encoding="utf-8")
    return [Outcome(*row) for line in whole[1:] for row in json.loads(line)["outcomes"]]
