"""`octaudit train layers`: fits the recipe and judges it; where it was fitted already, only judges.

With `--keep-network` it fits levels to a network that stays as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.scoring.layers_card import LayersCard
from core.scoring.torch_backend.device import choose_device
from core.training.layers.publish import write_layers_card, write_levels_card
from core.training.layers.recipe import PRESETS, LayersRecipe, layers_recipe
from core.training.layers.run import fit_layers, fit_levels
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


def levels_recipe(weights: Path, settings: Mapping[str, Any]) -> LayersRecipe:
    """The recipe of a model's card with levels; ``settings`` may say how these are fitted and nothing else.

    Raises
    ------
    UsageError
        There is no such model, or a setting is not of the levels.
    """
    made_with = layers_recipe({}).model_copy(update=_settings_of(LayersCard.beside(weights)))
    epochs = made_with.level_epochs or PRESETS["bundled"]["level_epochs"]
    recipe = made_with.changed({"level_epochs": epochs} | dict(settings))
    others = [name for name in settings if not name.startswith("level_")]
    if others or not recipe.level_epochs:
        raise UsageError(
            f"--keep-network keeps the network as it is: {', '.join(others) or 'level_epochs=0'} would change nothing.",
            remedy="Give level_epochs and level_learning_rate alone, or leave --keep-network out.",
        )
    return recipe


def _settings_of(card: LayersCard) -> dict[str, Any]:
    """The card's recipe, its version that of the recipes of today."""
    stored = LayersRecipe.model_validate(card.recipe)
    return {name: getattr(stored, name) for name in LayersRecipe.model_fields if name not in {"version", "starts_from"}}


def add_levels(request: Request, report: Callable[[Progress], None] = lambda _: None) -> TrainedLayers:
    """Fit levels to the network of ``request.init`` and judge it; its answers stay as they are, to the bit.

    Raises
    ------
    UsageError
        The folder has faults or is not what the network was trained on, or ``out`` holds another training.
    """
    assert request.init is not None, "the command asks for --init"
    assert isinstance(request.recipe, LayersRecipe)
    card = LayersCard.beside(request.init)
    run = fit_levels(request, card, report)
    judged = write_levels_card(
        run,
        request.recipe,
        request.data,
        choose_device(request.device),
        lambda done, total: report(Progress("Judging on the test part", done, total)),
        card=card,
    )
    return TrainedLayers(run.weights, judged)
