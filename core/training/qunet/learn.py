"""Fits a QU-Net++ on annotated images with the general trainer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from core.networks.qunet import QuNet
from core.training.qunet.recipe import QuNetRecipe
from core.training.qunet.samples import QuNetSamples
from core.training.qunet.task import QuNetTask
from core.training.supervised.fit import Fit, Fitted, Machine
from core.training.supervised.picture import Picture
from core.training.supervised.recipe import fingerprint


@dataclass(frozen=True, slots=True)
class Lesson:
    """What to learn from, and in which folder the state is kept.

    Attributes
    ----------
    train, watching : pictures with masks; those that watch decide nothing where the recipe keeps the last weights
    levels : grey levels of the classes in the masks, ascending
    start : weights to go on from, as in Algorithm 1; None: random ones
    """

    train: Sequence[Picture]
    watching: Sequence[Picture]
    levels: tuple[int, ...]
    recipe: QuNetRecipe
    folder: Path
    machine: Machine
    start: dict[str, Tensor] | None = None


def learn(lesson: Lesson, report: Callable[[int, int, str], None] = lambda _done, _total, _text: None) -> Fitted:
    """Fit, or go on from the folder's checkpoint; ``report`` takes batches done, their number, and a caption."""
    batch_size = min(lesson.recipe.batch_size, len(lesson.train))
    recipe = lesson.recipe.model_copy(update={"batch_size": batch_size})
    task = QuNetTask(recipe, len(lesson.levels))
    lines = [*(picture.key for picture in lesson.train), "watched by", *(picture.key for picture in lesson.watching)]
    fit = Fit(
        task=task,
        recipe=recipe,
        train=lesson.train,
        validation=lesson.watching,
        folder=lesson.folder,
        fingerprint=fingerprint(recipe, [*lines, *map(str, lesson.levels)]),
        machine=lesson.machine,
        samples=partial(_samples, levels=lesson.levels),
    )
    total = recipe.epochs * fit.batches_per_epoch
    network = task.build()
    if lesson.start is not None:
        network.load_state_dict(lesson.start)
    return replace(fit, report=lambda done, text: report(done, total, text)).run(network)


def weights_of(fitted: Fitted) -> dict[str, Tensor]:
    """A fitted network's weights on the CPU, to go on from."""
    network = fitted.network
    assert isinstance(network, QuNet)  # task.build made it
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _samples(pictures: Sequence[Picture], recipe: QuNetRecipe, *, levels: tuple[int, ...]) -> QuNetSamples:
    return QuNetSamples(pictures, recipe, levels)
