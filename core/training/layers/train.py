"""`octaudit train layers`: fits the recipe and judges it; where it was fitted already, only judges."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from core.scoring.layers_card import LayersCard
from core.scoring.torch_backend.device import choose_device
from core.training.layers.publish import write_layers_card
from core.training.layers.recipe import LayersRecipe
from core.training.layers.run import fit_layers
from core.training.progress import Progress
from core.training.supervised.run import Request, with_start


@dataclass(frozen=True, slots=True)
class TrainedLayers:
    """What a training wrote and how good it is."""

    weights: Path
    card: LayersCard


def train_layers(request: Request, report: Callable[[Progress], None] = lambda _: None) -> TrainedLayers:
    """Run the recipe; ``out`` gets weights, card, splits, metrics, curves and what resuming needs.

    Raises
    ------
    UsageError
        The folder has faults, its split leaks, the recipe cannot learn as asked, or ``out`` holds another training.
    """
    recipe, _ = with_start(request)
    assert isinstance(recipe, LayersRecipe)
    run = fit_layers(replace(request, recipe=recipe), report)
    card = write_layers_card(
        run,
        recipe,
        request.data,
        choose_device(request.device),
        lambda done, total: report(Progress("Judging on the test part", done, total)),
    )
    return TrainedLayers(run.weights, card)
