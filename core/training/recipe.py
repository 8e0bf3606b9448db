"""The named training recipes: everything that decides what a training does, in one frozen value each."""

import hashlib

from pydantic import BaseModel, ConfigDict, Field

from core.errors import UsageError
from core.networks.faz_refiner import REFINER_CHANNELS
from core.scoring.lanes.faz_region import REGION_PX


class RefinerPlan(BaseModel):
    """What looks at the FAZ again is and what it is shown; the default is the second look, the same since 2.2."""

    model_config = ConfigDict(frozen=True)

    channels: tuple[int, ...] = REFINER_CHANNELS
    fold: int = 1
    region_px: int = REGION_PX
    n_phantoms: int | None = None
    """Rendered for it alone, at their own size; None: those of the network's training, on the canvas."""
    wide_shares: dict[str, float] = Field(default={})
    """Per kind of sample (faz, phantoms) how many show the middle of the scan as a whole; empty: none."""
    size_spread: float = 0.15
    """Of the logarithm of a region's size, as the first look might err."""
    offset_spread: float = 0.12
    """Of a region's centre, in diameters of the zone."""
    is_varied_more: bool = False
    """Any turn, stretched and bent, wider tones, grain of several kinds, lines of other brightness or lost; the first
    look left out in half the samples, or moved."""
    in_bf16: bool = False


class Recipe(BaseModel):
    """One recipe. Together with the folder and the code it determines the weights on one machine."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str = "2.5"
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
    patience: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """Steps without a lower loss on the tuning part after which a stretch of the training ends, looked at with every
    checkpoint; the best weights are kept. None, as the bundled weights were made: all steps, the last weights."""
    kept_steps: dict[str, int] = Field(default={}, exclude_if=lambda value: not value)
    """Of which step the weights are, by stage; empty where nothing was watched."""
    in_bf16: bool = False
    """The network's passes in bfloat16 while it learns; weights and losses stay float32."""
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
    refiner: RefinerPlan = RefinerPlan()

    finder: RefinerPlan | None = None
    """Of what finds the FAZ in the middle of the scan (ADR 0053); None: the second look trusts the first."""
    n_finder_steps: int = 3600
    finder_average_decay: float = 0.995
    finder_shares: dict[str, int] = Field(default={"faz": 6, "phantoms": 3})

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

    @property
    def borders(self) -> tuple[int, ...]:
        """The steps at which the training changes what it shows: half size, full size, labels drawn by itself."""
        inner = {self.n_half_size_steps, self.pseudo_labels_at or 0}
        return tuple(sorted({0, self.n_steps} | {step for step in inner if 0 < step < self.n_steps}))

    def as_finder(self) -> "Recipe":
        """The recipe by which the finder is fitted like a second look."""
        update = {
            "refiner": self.finder,
            "n_refiner_steps": self.n_finder_steps,
            "refiner_average_decay": self.finder_average_decay,
            "refiner_shares": self.finder_shares,
        }
        return self.model_copy(update=update)

    def changed(
        self,
        *,
        n_steps: int | None = None,
        seed: int | None = None,
        in_bf16: bool | None = None,
        patience: int | None = None,
    ) -> "Recipe":
        """The recipe with another length (the shares of its phases kept), seed, precision or patience.

        None keeps what it has.
        """
        steps = self.n_steps if n_steps is None else n_steps
        update: dict[str, int | bool | None] = {"seed": self.seed if seed is None else seed, "n_steps": steps}
        update["in_bf16"] = self.in_bf16 if in_bf16 is None else in_bf16
        update["patience"] = self.patience if patience is None else patience
        update["n_refiner_steps"] = max(1, round(self.n_refiner_steps * steps / self.n_steps))
        update["n_finder_steps"] = max(1, round(self.n_finder_steps * steps / self.n_steps))
        update["n_half_size_steps"] = round(self.n_half_size_steps * steps / self.n_steps)
        if self.pseudo_labels_at is not None:
            update["pseudo_labels_at"] = round(self.pseudo_labels_at * steps / self.n_steps)
        return self.model_copy(update=update)

    def fingerprint(self, keys: list[str]) -> str:
        """A hash of the recipe and of the images it trains on: a checkpoint resumes only with the same."""
        text = self.model_dump_json() + "\n".join(sorted(keys))
        return hashlib.sha256(text.encode()).hexdigest()


_FINDER = RefinerPlan(
    channels=(32, 48, 64, 96, 128),
    fold=2,
    region_px=128,
    n_phantoms=360,
    wide_shares={"faz": 0.2, "phantoms": 0.4},
    size_spread=0.25,
    offset_spread=0.15,
    is_varied_more=True,
    in_bf16=True,
)
_OCTA_ENFACE = Recipe(
    name="octa-enface",
    version="2.5",
    asked_as="octa-enface-2.5",
    with_machine=True,
    finder=_FINDER,
)
RECIPES = {
    "octa-enface": _OCTA_ENFACE,
    "octa-enface-2.5": _OCTA_ENFACE,
    "octa-enface-2.4": Recipe(name="octa-enface", version="2.4", asked_as="octa-enface-2.4", with_machine=True),
    "octa-enface-2.2": Recipe(name="octa-enface", version="2.2", asked_as="octa-enface-2.2"),
}
"""The first is that of the bundled weights, the second its own name; 2.4 has no finder of the FAZ, 2.2 besides
forests alone on the network."""


def recipe_named(name: str) -> Recipe:
    """The recipe of this name."""
    if name not in RECIPES:
        raise UsageError(f"There is no recipe {name!r}.", remedy=f"Choose one of: {', '.join(sorted(RECIPES))}.")
    return RECIPES[name]
