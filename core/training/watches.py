"""What watches the joint network, its second look and its finder: the tuning part, and phantoms of its own."""

from collections.abc import Sequence
from pathlib import Path

import torch

from core.networks.octa_enface import OctaEnfaceNetwork
from core.training.bank import fill_bank, render_phantoms
from core.training.fit import TUNING_SEED_STEP, network_measure
from core.training.fit_refiner import refiner_measure, zoned_phantoms, zoned_scans
from core.training.recipe import Recipe
from core.training.splits import Part, SplitImage
from core.training.watch import Watch

N_WATCHING_PHANTOMS = 60
N_WATCHING_BATCHES = 8
"""Some ninety samples of the network: a tenth of the time between two checkpoints."""
NETWORK = "network"


def validation_of(called: str = "") -> str:
    """Name of the CSV of a stage's losses on the tuning part."""
    return f"{called}_validation.csv".removeprefix("_")


class Watches:
    """The watches of one training's stages, None each where the recipe has no patience.

    Subjects and near duplicates of the tuning part are in no other part; its phantoms are rendered from a seed that
    no training, calibration or evaluation uses.
    """

    def __init__(self, recipe: Recipe, images: Sequence[SplitImage], out: Path, device: torch.device) -> None:
        self.recipe, self.images, self.out, self.device = recipe, images, out, device
        self.made: dict[str, Watch] = {}

    def of_network(self) -> Watch | None:
        """Watches the network; half-size steps are compared among themselves alone."""
        recipe = self.recipe
        if recipe.patience is None:
            return None
        phantoms = render_phantoms(N_WATCHING_PHANTOMS, seed=recipe.seed + TUNING_SEED_STEP)
        bank = fill_bank(self.images, phantoms=phantoms, part=Part.TUNE)
        watch = Watch(
            network_measure(bank, recipe, self.device, n_batches=N_WATCHING_BATCHES),
            recipe.patience,
            best=self.out / "best.safetensors",
            log=self.out / validation_of(),
            compared_from=recipe.n_half_size_steps if recipe.n_half_size_steps < recipe.n_steps else 0,
        )
        self.made[NETWORK] = watch
        return watch

    def of_refiner(self, network: OctaEnfaceNetwork, recipe: Recipe, called: str) -> Watch | None:
        """Watches a second look or a finder, by the name it is called, on what the network sees of the tuning part."""
        if recipe.patience is None:
            return None
        seed, plan = recipe.seed + TUNING_SEED_STEP, recipe.refiner
        phantoms = zoned_phantoms(plan.model_copy(update={"n_phantoms": N_WATCHING_PHANTOMS}), [], seed=seed)
        scans = zoned_scans(network, self.images, phantoms, self.device, part=Part.TUNE)
        if not any(scans):
            return None
        watch = Watch(
            refiner_measure(*scans, recipe, self.device, n_batches=N_WATCHING_BATCHES),
            recipe.patience,
            best=self.out / f"{called}.best.safetensors",
            log=self.out / validation_of(called),
        )
        self.made[called] = watch
        return watch

    def noted(self) -> Recipe:
        """The recipe with the steps whose weights were kept, for the card."""
        return self.recipe.model_copy(
            update={"kept_steps": {stage: watch.kept.step for stage, watch in self.made.items() if watch.checks}}
        )
