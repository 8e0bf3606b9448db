"""The named training recipes: everything that decides what a training does, in one frozen value each."""

import hashlib

from pydantic import BaseModel, ConfigDict, Field

from core.errors import UsageError


class Recipe(BaseModel):
    """One recipe. Together with the folder and the code it determines the weights on one machine."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str = "2.4"
    asked_as: str = "octa-enface"
    """What `octaudit train` calls it."""
    with_machine: bool = False
    """Scan heads with a kernel machine, on the picture's own numbers too, and P(gradable or better) by the mean grade
    (ADR 0049); else forests on the network's maps alone."""
    seed: int = 20261121
    split_seed: int = 2
    """Seed of the parts; kept apart from ``seed`` so that trainings can be repeated on the same parts."""
    n_steps: int = Field(default=3400, ge=1)
    n_half_size_steps: int = 2600
    """The first steps see the canvas at half its size, for a quarter of the cost; the rest learn the fine detail."""
    warmup_steps: int = 100
    peak_learning_rate: float = 2e-3
    weight_decay: float = 0.02
    average_decay: float = 0.998
    """Of the moving average of the weights, per step."""
    checkpoint_every: int = 100
    n_phantoms: int = 1000
    """Rendered once; each is drawn some ten times, moved and varied each time."""
    shares: dict[str, int] = Field(default={"faz": 5, "pool": 4, "phantoms": 2, "strangers": 1})
    """Samples of each kind in a batch."""

    pseudo_labels_at: int | None = 2800
    """The step at which the network itself draws the FAZ of the unlabelled pool; None: never."""

    n_refiner_steps: int = 3500
    """Of the second look at the FAZ, trained when the rest is done."""
    refiner_warmup_steps: int = 50
    refiner_peak_learning_rate: float = 2e-3
    refiner_average_decay: float = 0.99
    refiner_shares: dict[str, int] = Field(default={"faz": 6, "phantoms": 2})

    starts_from: str | None = None
    """sha256 of the weights the training began with; None: random ones."""

    def starting_from(self, sha256: str) -> "Recipe":
        """The recipe for weights that know something already: full size from the first step, and a lower peak."""
        return self.model_copy(
            update={
                "starts_from": sha256,
                "n_half_size_steps": 0,
                "pseudo_labels_at": 0 if self.pseudo_labels_at is not None else None,
                "peak_learning_rate": self.peak_learning_rate / 2,
            }
        )

    def changed(self, *, n_steps: int | None = None, seed: int | None = None) -> "Recipe":
        """The recipe with another length (the shares of its phases kept) or seed; None keeps what it has."""
        steps = self.n_steps if n_steps is None else n_steps
        update = {"seed": self.seed if seed is None else seed, "n_steps": steps}
        update["n_refiner_steps"] = max(1, round(self.n_refiner_steps * steps / self.n_steps))
        update["n_half_size_steps"] = round(self.n_half_size_steps * steps / self.n_steps)
        if self.pseudo_labels_at is not None:
            update["pseudo_labels_at"] = round(self.pseudo_labels_at * steps / self.n_steps)
        return self.model_copy(update=update)

    def fingerprint(self, keys: list[str]) -> str:
        """A hash of the recipe and of the images it trains on: a checkpoint resumes only with the same."""
        text = self.model_dump_json() + "\n".join(sorted(keys))
        return hashlib.sha256(text.encode()).hexdigest()


_OCTA_ENFACE = Recipe(name="octa-enface", version="2.4", asked_as="octa-enface-2.4", with_machine=True)
RECIPES = {
    "octa-enface": _OCTA_ENFACE,
    "octa-enface-2.4": _OCTA_ENFACE,
    "octa-enface-2.2": Recipe(name="octa-enface", version="2.2", asked_as="octa-enface-2.2"),
}
"""The first is that of the bundled weights, the second its own name; the third fits forests alone on the network."""


def recipe_named(name: str) -> Recipe:
    """The recipe of this name."""
    if name not in RECIPES:
        raise UsageError(f"There is no recipe {name!r}.", remedy=f"Choose one of: {', '.join(sorted(RECIPES))}.")
    return RECIPES[name]
