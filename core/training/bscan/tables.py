"""Trains every network of paper 003's tables that we have, over several seeds, and sets ours beside the printed ones.

The rows of Tables 2 to 6 with CM-CNN, CAM-UNet, their ablations and the rivals that can be had are fitted and judged on
the same parts; the other rivals stand as published figures only. What the paper finds - mask guidance helps the class,
the heat map helps the mask - comes out as a difference with an interval over seeds, whichever way it points.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import t
from torch import nn

from core.errors import UsageError
from core.networks.bscan import CmCnn, JointNetwork, MaskGuidance, size_mib
from core.networks.bscan_rivals import CLASSIFIERS, SEGMENTERS, RivalClassifier, RivalSegmenter
from core.scoring.lanes.bscan import BscanOutput
from core.scoring.lanes.bscan_canvas import normalised
from core.scoring.published_bscan import DIFFERENCE
from core.scoring.torch_backend.bscan import EndToEnd, TwoStages
from core.scoring.torch_backend.device import reproducible_inference
from core.training.bscan.judge import Ask, JudgedBscan, class_statistics, judge, lesion_columns
from core.training.bscan.label import class_names
from core.training.bscan.recipe import BSCAN, BscanRecipe
from core.training.bscan.run import read_and_place
from core.training.bscan.stages import Stages
from core.training.progress import Progress
from core.training.supervised.fit import Fitted
from core.training.supervised.record import Part
from core.training.supervised.run import Request, machine_for, open_run

NAME = "bscan-tables"
TABLES_NAME = "tables.json"
MARKED_ON_NORMAL = "marked area on normal scans"
"""Share of the picture that a segmenter marks where nothing is to be found."""
RESNET, RESNET_MASK, CM_CNN = "ResNet18", "ResNet18(mask)", "CM-CNN"
RES18_UNET, CAM_UNET_STAR, CAM_UNET, JOINT = "Res18-UNet", "CAM-UNet*", "CAM-UNet", "end-to-end (ours)"
ABLATIONS = (RESNET, RESNET_MASK, CM_CNN, RES18_UNET, CAM_UNET_STAR, CAM_UNET)
RIVALS = (*CLASSIFIERS, *(f"{name}{cam}" for name in SEGMENTERS for cam in ("", " + CAM")))
SYSTEMS = (*ABLATIONS, *RIVALS, JOINT)
COMPARISONS = (
    (CM_CNN, RESNET, "accuracy"), (CM_CNN, RESNET_MASK, "accuracy"),
    (CAM_UNET, RES18_UNET, "Dice"), (CAM_UNET, CAM_UNET_STAR, "Dice"),
    ("PSPNet + CAM", "PSPNet", "Dice"), ("UNet + CAM", "UNet", "Dice"), (JOINT, CAM_UNET, "Dice"),
)  # fmt: skip
"""What the paper claims, and the end-to-end variant beside its two stages: better, worse, by which figure."""
_GUIDANCE = {RESNET: MaskGuidance.NONE, RESNET_MASK: MaskGuidance.MASK, CM_CNN: MaskGuidance.COMPLEMENTARY}
_CONFIDENCE = 0.95


class TablesRecipe(BscanRecipe):
    """The recipe of every row: sizes, epochs and variations as in `bscan`."""

    n_seeds: int = Field(default=5, ge=1)
    """Trainings of every row, with the seeds ``seed``, ``seed`` + 1 and so on, on the same parts."""
    systems: tuple[str, ...] = SYSTEMS
    """Rows to train; what guides another is trained with it."""


BSCAN_TABLES = TablesRecipe.model_validate(BSCAN.model_dump() | {"name": NAME})


class SystemFigures(BaseModel):
    """One row: its size, and its figures for every seed."""

    model_config = ConfigDict(frozen=True)

    system: str
    size_mib: float
    figures: dict[str, tuple[float | None, ...]]

    def mean(self, figure: str) -> float | None:
        """Over the seeds in which the figure exists."""
        values = [value for value in self.figures.get(figure, ()) if value is not None]
        return float(np.mean(values)) if values else None


class Difference(BaseModel):
    """One network minus another, seed by seed on the same parts; bounds None with a single seed."""

    model_config = ConfigDict(frozen=True)

    better: str
    than: str
    figure: str
    mean: float
    low: float | None
    high: float | None
    n_seeds: int

    @property
    def words(self) -> str:
        """The sentence that is printed."""
        start = f"{self.figure} of {self.better} minus {self.than}: {self.mean:+.4f}"
        if self.low is None or self.high is None:
            return f"{start}, one seed"
        verdict = "no difference shown"
        if self.low > 0:
            verdict = "better, as published"
        elif self.high < 0:
            verdict = "worse, against the publication"
        return f"{start} ({self.low:+.4f} to {self.high:+.4f} over {self.n_seeds} seeds): {verdict}"


class BscanTables(BaseModel):
    """What `octaudit train bscan-tables` writes."""

    model_config = ConfigDict(frozen=True)

    classes: tuple[str, ...]
    n_test: int
    n_test_groups: int
    sources: tuple[str, ...]
    recipe: TablesRecipe
    systems: tuple[SystemFigures, ...]
    differences: tuple[Difference, ...]
    published: str = DIFFERENCE


def train_tables(request: Request, report: Callable[[Progress], None] = lambda _: None) -> BscanTables:
    """Fit and judge every row; ``out`` gets a folder per seed and row, and tables.json, written anew after every seed.

    Killed, it goes on with resume.

    Raises
    ------
    UsageError
        The folder has faults, there is no such system, or ``out`` holds another training.
    """
    recipe = request.recipe
    assert isinstance(recipe, TablesRecipe)
    refuse_unknown(recipe.systems)
    placed = read_and_place(request, recipe, report)
    classes = class_names([item.picture for item in placed])
    open_run(request.out, recipe, placed, resume=request.resume)
    stages = Stages(placed, classes, recipe, request.out, machine_for(request), None, report)
    runs: list[dict[str, SystemFigures]] = []
    for offset in range(recipe.n_seeds):
        runs.append(_Seed(_at_seed(stages, recipe, offset), recipe).figures())
        # After every seed: what a long comparison has found so far stands, however it ends.
        tables = tables_of(runs, stages, recipe)
        (request.out / TABLES_NAME).write_text(tables.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return tables


def tables_of(runs: Sequence[Mapping[str, SystemFigures]], stages: Stages, recipe: TablesRecipe) -> BscanTables:
    """The tables of the seeds that are done, one or more; the recipe says how many there shall be."""
    systems = tuple(_gathered([run[name] for run in runs]) for name in runs[0])
    test = [item for item in stages.placed if item.part is Part.TEST]
    return BscanTables(
        classes=stages.classes,
        n_test=len(test),
        n_test_groups=len({item.group for item in test}),
        sources=tuple(sorted({item.picture.record.source for item in test})),
        recipe=recipe,
        systems=systems,
        differences=tuple(differences({system.system: system for system in systems})),
    )


def refuse_unknown(systems: Sequence[str]) -> None:
    """UsageError where a system cannot be trained here."""
    strange = [name for name in systems if name not in SYSTEMS]
    if strange:
        raise UsageError(f"There is no system {', '.join(strange)}.", remedy=f"Choose among: {', '.join(SYSTEMS)}.")


def differences(systems: Mapping[str, SystemFigures]) -> list[Difference]:
    """The paper's claims, as far as both sides were trained; a t interval over paired seeds."""
    found = []
    for better, than, figure in COMPARISONS:
        if better not in systems or than not in systems:
            continue
        pairs = zip(systems[better].figures.get(figure, ()), systems[than].figures.get(figure, ()), strict=True)
        gains = np.array([one - other for one, other in pairs if one is not None and other is not None])
        if not len(gains):
            continue
        mean, half = float(gains.mean()), None
        if len(gains) > 1:
            spread = float(gains.std(ddof=1)) / np.sqrt(len(gains))
            half = float(t.ppf((1 + _CONFIDENCE) / 2, len(gains) - 1)) * spread
        low, high = (None, None) if half is None else (mean - half, mean + half)
        found.append(
            Difference(better=better, than=than, figure=figure, mean=mean, low=low, high=high, n_seeds=len(gains))
        )
    return found


@dataclass(frozen=True, slots=True)
class _Seed:
    """All rows of one seed; what guides several rows is fitted once."""

    stages: Stages
    recipe: TablesRecipe

    def figures(self) -> dict[str, SystemFigures]:
        """Every wanted row's figures."""
        wanted, found = self.recipe.systems, dict[str, SystemFigures]()
        guides = {RESNET: self._classifier(RESNET)} if {RESNET, CAM_UNET_STAR} & set(wanted) else {}
        if {CM_CNN, *SEGMENTERS, RES18_UNET, CAM_UNET, *(f"{name} + CAM" for name in SEGMENTERS)} & set(wanted):
            guides[CM_CNN] = self._classifier(CM_CNN)
        for name in wanted:
            if name in CLASSIFIERS or name in _GUIDANCE:
                fitted = guides.get(name) or self._classifier(name)
                found[name] = self._of_classes(name, fitted.network)
            elif name == JOINT:
                found[name] = self._joint()
            else:
                found[name] = self._of_masks(name, guides[RESNET if name == CAM_UNET_STAR else CM_CNN])
        return found

    def _classifier(self, name: str) -> Fitted:
        n_classes = len(self.stages.classes)
        if name in CLASSIFIERS:
            return self.stages.fit_classifier(lambda: RivalClassifier(name, n_classes), name)
        shape = self.recipe.shape(n_classes).model_copy(update={"mask_guidance": _GUIDANCE[name]})
        return self.stages.fit_classifier(lambda: CmCnn(shape), name)

    def _of_classes(self, name: str, network: nn.Module) -> SystemFigures:
        judged = self._judged(lambda canvases: _classified(network, canvases))
        return _row(name, network, _class_figures(judged, self.stages.classes))

    def _of_masks(self, name: str, guide: Fitted) -> SystemFigures:
        shape = self.recipe.shape(len(self.stages.classes))

        def build() -> nn.Module:
            if name in {CAM_UNET, CAM_UNET_STAR, RES18_UNET}:
                guidance = {"cam_guidance": name != RES18_UNET}
                return self.stages.new_segmenter(guide.network, shape.model_copy(update=guidance))
            return RivalSegmenter(name.removesuffix(" + CAM"), cam=name.endswith(" + CAM"))

        segmenter = self.stages.fit_segmenter(guide.network, build, {"guide": guide}, name).network
        networks = TwoStages(guide.network, segmenter, torch.device("cpu"))
        judged = self._judged(lambda canvases: _asked(networks, canvases))
        return _row(name, segmenter, _mask_figures(judged))

    def _joint(self) -> SystemFigures:
        network = self.stages.fit_joint().network
        assert isinstance(network, JointNetwork)
        networks = EndToEnd(network, torch.device("cpu"))
        judged = self._judged(lambda canvases: _asked(networks, canvases))
        return _row(JOINT, network, _class_figures(judged, self.stages.classes) | _mask_figures(judged))

    def _judged(self, ask: Ask) -> list[JudgedBscan]:
        test = [item for item in self.stages.placed if item.part is Part.TEST]
        return judge(ask, test, self.recipe, self.stages.classes)


def _at_seed(stages: Stages, recipe: TablesRecipe, offset: int) -> Stages:
    """The same parts, another seed of weights and order, its own folder."""
    seed = recipe.seed + offset
    changed = BscanRecipe.model_validate(recipe.model_dump(include=set(BscanRecipe.model_fields)) | {"seed": seed})
    return replace(stages, recipe=changed, out=stages.out / f"seed-{seed}")


def _row(name: str, network: nn.Module, figures: Mapping[str, float | None]) -> SystemFigures:
    return SystemFigures(
        system=name, size_mib=size_mib(network), figures={key: (value,) for key, value in figures.items()}
    )


def _gathered(rows: Sequence[SystemFigures]) -> SystemFigures:
    """One row of several seeds."""
    names = rows[0].figures
    return rows[0].model_copy(update={"figures": {n: tuple(row.figures[n][0] for row in rows) for n in names}})


def _class_figures(judged: Sequence[JudgedBscan], classes: Sequence[str]) -> dict[str, float | None]:
    certain = [item for item in judged if item.is_certain]
    truth = np.array([int(item.possible.argmax()) for item in certain], np.int64)
    return class_statistics(truth, np.stack([item.probabilities for item in certain]), classes)


def _mask_figures(judged: Sequence[JudgedBscan]) -> dict[str, float | None]:
    drawn = [item for item in judged if item.truth is not None and item.truth.any()]
    normal = [item for item in judged if item.truth is not None and not item.truth.any()]
    found: dict[str, float | None] = {name: float(np.mean(values)) for name, values in lesion_columns(drawn).items()}
    marked = [float(item.predicted.mean()) for item in normal]
    return found | {MARKED_ON_NORMAL: float(np.mean(marked)) if marked else None}


def _asked(networks: TwoStages | EndToEnd, canvases: NDArray[np.uint8]) -> list[BscanOutput]:
    with reproducible_inference():
        image = torch.from_numpy(normalised(canvases)[:, None])
        arrays = [part.float().numpy() for part in networks(image)]
    return [BscanOutput(*parts) for parts in zip(*arrays, strict=True)]


def _classified(network: nn.Module, canvases: NDArray[np.uint8]) -> list[BscanOutput]:
    """A classifier alone: no lesions, no maps."""
    with reproducible_inference():
        found = torch.softmax(network(torch.from_numpy(normalised(canvases)[:, None])).class_logits, dim=1).numpy()
    empty = np.zeros((1, 1), np.float32)
    blank = np.zeros((1, *canvases.shape[1:]), np.float32)
    return [BscanOutput(probabilities, empty[None], empty, blank) for probabilities in found]
