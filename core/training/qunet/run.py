"""`octaudit train qunet`, `qunet-tables` and `octaudit select`: weights with a card, a comparison, a list."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from core.errors import UsageError
from core.scoring.qunet_card import QuNetCard
from core.scoring.torch_backend.device import choose_device, limit_threads
from core.scoring.torch_backend.qunet import LevelReader
from core.training.progress import Progress
from core.training.qunet.experiment import Outcome, Plan, run_experiment
from core.training.qunet.learn import Lesson, learn
from core.training.qunet.phantoms import write_stacks
from core.training.qunet.publish import WEIGHTS_NAME, Learned, split_in_words, write_model
from core.training.qunet.recipe import QuNetRecipe, qunet_recipe
from core.training.qunet.select import Candidate, Standing, first_step, measure, rule_of, second_step
from core.training.qunet.slices import SliceFolder, read_slices
from core.training.qunet.table import Comparison, sum_up, write_comparison
from core.training.supervised.fit import Machine
from core.training.supervised.parts import Placed, place
from core.training.supervised.picture import Picture
from core.training.supervised.record import NOT_STATED, Part
from core.training.supervised.run import Request, machine_for, open_run, with_start
from core.values import ImageIndices

PHANTOMS = "phantoms"
Report = Callable[[Progress], None]
_TRAINED_ON_ALL = (
    "None: every annotated image was trained on, and the figures that watched are those of training images."
)


@dataclass(frozen=True, slots=True)
class TrainedQuNet:
    """What a training wrote and how good it is."""

    weights: Path
    card: QuNetCard


def train_qunet(request: Request, report: Report = lambda _: None) -> TrainedQuNet:
    """Run the recipe on the annotated images of a folder, in parts by subject.

    Raises
    ------
    UsageError
        The folder has faults or no masks, its split leaks, or ``out`` holds another training.
    """
    started, init = with_start(request)
    assert isinstance(started, QuNetRecipe)  # the command names the recipe
    folder = _read(request.data, report)
    pictures = [_licensed(picture, request.licence) for picture in folder.annotated]
    if not pictures:
        raise UsageError(
            f"No image in {request.data} has a mask.", remedy="octaudit select says which to annotate first."
        )
    placed = place(pictures, started)
    machine = machine_for(request)
    open_run(request.out, started, placed, resume=request.resume)
    parts = {part: [item.picture for item in placed if item.part is part] for part in Part}
    lesson = Lesson(parts[Part.TRAIN], parts[Part.VALIDATION], folder.levels, started, request.out, machine, start=init)
    fitted = learn(lesson, lambda done, total, text: report(Progress("Training", done, total, text)))
    learned = Learned(fitted, started, folder.levels, placed, split_in_words(placed, started), "train")
    return TrainedQuNet(*write_model(learned, request.out, machine.device))


def compare_choices(
    settings: Mapping[str, Any],
    data: Path,
    out: Path,
    *,
    n_runs: int,
    device: str = "auto",
    precision: str = "auto",
    n_workers: int | None = None,
    report: Report = lambda _: None,
) -> Comparison:
    """Chosen against random slices on a folder of annotated stacks, or on simulated ones where ``data`` is "phantoms".

    Finished runs are kept in ``out`` and not run again; comparison.json and dice_by_share.png are written there anew
    after every run, so that what a long comparison has found so far stands, however it ends.
    """
    chosen = dict(settings)
    shares = {name: float(chosen.pop(name)) for name in ("share", "random_share") if name in chosen}
    if str(data) == PHANTOMS:
        data = out / PHANTOMS
        if not data.is_dir():
            write_stacks(data)
    folder = _read(data, report)
    recipe = qunet_recipe(chosen)
    machine = machine_for(Request(recipe, data, out, device=device, precision=precision, n_workers=n_workers))
    plan = Plan(folder, recipe, machine, n_runs=n_runs, **shares)

    def on_run(done: int, total: int, outcomes: Sequence[Outcome]) -> None:
        if outcomes:
            write_comparison(sum_up(outcomes), out)
        report(Progress("Runs", done, total))

    return sum_up(run_experiment(plan, out, on_run))


@dataclass(frozen=True, slots=True)
class Order:
    """What `octaudit select` is asked for.

    Attributes
    ----------
    model : Path or None
        A QU-Net++ to ask; None: one is trained on the annotated images, into ``work``.
    share : float or None
        Annotate at most this share of all images, those with a mask among them; None: every image below q0.
    """

    recipe: QuNetRecipe
    data: Path
    work: Path
    model: Path | None = None
    share: float | None = None
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class Selection:
    """What becomes of every image of the folder, in its order.

    ``step`` is 1 where the first set was chosen from indices alone, 2 where a network was asked. ``weights`` is the
    network that was asked.
    """

    candidates: tuple[Candidate, ...]
    step: int
    weights: Path | None = None

    @property
    def wanted(self) -> list[Candidate]:
        """Those to annotate next, the most wanted first."""
        ranked = [(candidate.rank, candidate) for candidate in self.candidates if candidate.rank is not None]
        return [candidate for _, candidate in sorted(ranked, key=lambda pair: pair[0])]

    @property
    def n_annotated(self) -> int:
        """Images that have a mask already."""
        return sum(candidate.picture.record.mask_path is not None for candidate in self.candidates)


def select_images(order: Order, report: Report = lambda _: None) -> Selection:
    """Algorithm 1's next step on a folder: the first set where nothing is annotated, else what lacks training.

    Raises
    ------
    UsageError
        The folder has faults, or the model cannot be used or has other classes than the masks.
    """
    folder = _read(order.data, report)
    pictures, total = folder.pictures, len(folder.pictures)
    card = None if order.model is None else QuNetCard.beside(order.model)
    region = order.recipe.region if card is None else card.region
    indices = measure(pictures, region, lambda done: report(Progress("Measuring", done, total)))
    if card is None and not folder.annotated:
        return _first(order, folder, indices)
    reader, weights = _reader(order, folder, card, report)
    limit = None if order.share is None else max(0, round(order.share * total) - len(folder.annotated))
    report(Progress("Comparing levels", 0, 1))
    candidates = second_step(pictures, indices, reader, rule_of(order.recipe), limit)
    report(Progress("Comparing levels", 1, 1))
    return Selection(tuple(candidates), 2, weights)


def _first(order: Order, folder: SliceFolder, indices: list[ImageIndices]) -> Selection:
    limit = None if order.share is None else max(1, round(order.share * len(folder.pictures)))
    candidates = first_step(folder.pictures, indices, rule_of(order.recipe))
    if not any(candidate.rank for candidate in candidates):
        raise UsageError(
            f"None of the {len(candidates)} images can be measured: they are flat or black.",
            remedy="Look at the files; they may have been exported wrongly.",
        )
    if limit is not None:
        candidates = [_within(candidate, limit) for candidate in candidates]
    return Selection(tuple(candidates), 1)


def _within(candidate: Candidate, limit: int) -> Candidate:
    """The candidate, put aside where it ranks beyond the share that may be annotated."""
    if candidate.rank is None or candidate.rank <= limit:
        return candidate
    return replace(candidate, rank=None, standing=Standing.BEYOND_LIMIT)


def _reader(order: Order, folder: SliceFolder, card: QuNetCard | None, report: Report) -> tuple[LevelReader, Path]:
    limit_threads()
    device = choose_device(order.device)
    if order.model is not None and card is not None:
        return LevelReader.load(order.model, card, device), order.model
    pictures = folder.annotated
    placed = [Placed(picture, picture.record.subject, Part.TRAIN) for picture in pictures]
    out = order.work / f"round-{len(pictures):04d}"
    out.mkdir(parents=True, exist_ok=True)
    recipe, start = _going_on(order, folder)
    lesson = Lesson(pictures, pictures[:1], folder.levels, recipe, out, Machine(device), start=start)
    fitted = learn(lesson, lambda done, total, text: report(Progress("Training", done, total, text)))
    learned = Learned(fitted, recipe, folder.levels, placed, _TRAINED_ON_ALL, "select")
    weights, written = write_model(learned, out, device)
    return LevelReader.load(weights, written, device), weights


def _going_on(order: Order, folder: SliceFolder) -> tuple[QuNetRecipe, dict[str, Tensor] | None]:
    """Algorithm 1 trains on: the weights of the last round with fewer masks, where classes and sizes are the same."""
    shape = order.recipe.shape(len(folder.levels)).model_dump(mode="json")
    for weights in sorted(order.work.glob(f"round-*/{WEIGHTS_NAME}"), reverse=True):
        if int(weights.parent.name.removeprefix("round-")) >= len(folder.annotated):
            continue
        card = QuNetCard.beside(weights)
        if card.network == shape and card.mask_levels == folder.levels:
            return order.recipe.model_copy(update={"starts_from": card.weights_sha256}), load_file(weights)
    return order.recipe, None


def _read(data: Path, report: Report) -> SliceFolder:
    return read_slices(data, lambda done, total: report(Progress("Checking the images", done, total)))


def _licensed(picture: Picture, licence: str) -> Picture:
    if picture.record.licence != NOT_STATED:
        return picture
    return replace(picture, record=replace(picture.record, licence=licence))
