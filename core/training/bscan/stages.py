"""Fits the networks of `bscan` in turn: the classifier, then the segmenter that it guides; or both in one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from core.errors import UsageError
from core.networks.bscan import BscanShape, CamUnet, CmCnn, GuidedSegmenter
from core.training.bscan.recipe import BscanRecipe, Networks
from core.training.bscan.samples import BscanSamples, balanced, is_pathological
from core.training.bscan.task import ClassifierTask, JointTask, SegmenterTask, guided
from core.training.progress import Progress
from core.training.supervised.fit import Fit, Fitted, Machine
from core.training.supervised.parts import Placed
from core.training.supervised.picture import Picture
from core.training.supervised.recipe import fingerprint
from core.training.supervised.record import Part
from core.training.supervised.run import begin_with, placed_lines
from core.training.supervised.task import Task

CLASSIFIER, SEGMENTER, JOINT = "classifier", "segmenter", "joint"
"""Names of the networks: of their folders, and of their tensors in the file."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What all fits of a training share."""

    placed: Sequence[Placed]
    classes: tuple[str, ...]
    recipe: BscanRecipe
    out: Path
    machine: Machine
    init: dict[str, Tensor] | None = None
    report: Callable[[Progress], None] = lambda _: None

    def fit(self) -> dict[str, Fitted]:
        """Every network of the recipe, by its name; the segmenter without its guide."""
        if self.recipe.networks is Networks.END_TO_END:
            return {JOINT: self.fit_joint()}
        classifier = self.fit_classifier()
        guide, shape = classifier.network, self.recipe.shape(len(self.classes))
        assert isinstance(guide, CmCnn)
        segmenter = self.fit_segmenter(guide, lambda: self.new_segmenter(guide, shape), {CLASSIFIER: classifier})
        return {CLASSIFIER: classifier, SEGMENTER: segmenter}

    def fit_joint(self) -> Fitted:
        """The end-to-end network."""
        return self._fit(JOINT, JointTask(self.recipe, len(self.classes)), self.recipe, self.placed)

    def fit_classifier(self, build: Callable[[], nn.Module] | None = None, name: str = CLASSIFIER) -> Fitted:
        """The first stage on every scan; ``build`` makes another network than the recipe's."""
        return self._fit(name, ClassifierTask(self.recipe, len(self.classes), build), self.recipe, self.placed)

    def fit_segmenter(
        self,
        guide: nn.Module,
        build: Callable[[], nn.Module],
        before: dict[str, Fitted],
        name: str = SEGMENTER,
    ) -> Fitted:
        """The second stage on pathological scans only, behind a finished guide.

        ``before`` are the stages it rests on: another guide makes it another training.
        """
        ill = [item for item in self.placed if is_pathological(item.picture)]
        for part in (Part.TRAIN, Part.VALIDATION):
            if not any(item.part is part for item in ill):
                raise UsageError(
                    f"The {part.value} part holds no scan with a lesion: there is nothing to segment.",
                    remedy="Add scans with lesions of more subjects, and their masks.",
                )
        rests_on = [f"{stage} {fitted.kept_epoch} {fitted.history[-1]}" for stage, fitted in before.items()]
        task = SegmenterTask(self.recipe, lambda: guided(guide, build()))
        fitted = self._fit(name, task, self.recipe.second_stage(), ill, rests_on)
        assert isinstance(fitted.network, GuidedSegmenter)
        return replace(fitted, network=fitted.network.segmenter)

    def new_segmenter(self, guide: nn.Module, shape: BscanShape) -> CamUnet:
        """A U-Net of this shape; where the recipe says so its encoder begins as the guide's, which has the same."""
        segmenter = CamUnet(shape)
        if self.recipe.segmenter_starts_from_classifier and isinstance(guide, CmCnn):
            segmenter.encoder.load_state_dict(guide.encoder.state_dict())
        return segmenter

    def _fit(
        self,
        name: str,
        task: Task,
        recipe: BscanRecipe,
        placed: Sequence[Placed],
        rests_on: Sequence[str] = (),
    ) -> Fitted:
        train = balanced([item.picture for item in placed if item.part is Part.TRAIN], recipe.least_source_share)
        fit = Fit(
            task=task,
            recipe=recipe,
            train=train,
            validation=[item.picture for item in placed if item.part is Part.VALIDATION],
            folder=self.out / re.sub(r"[^\w().+-]", "_", name.replace("*", "-star")),
            fingerprint=fingerprint(recipe, [*placed_lines(placed), *rests_on, *self.classes]),
            machine=self.machine,
            samples=self._samples,
        )
        total = recipe.epochs * fit.batches_per_epoch
        stage = f"Training the {name}"
        fit = replace(fit, report=lambda done, text: self.report(Progress(stage, done, total, text)))
        network = task.build()
        if self.init is not None:
            begin_with(_inner(network), _below(f"{name}.", self.init))
        fitted = fit.run(network)
        fitted.network.cpu()
        return fitted

    def _samples(self, pictures: Sequence[Picture], recipe: BscanRecipe) -> BscanSamples:
        return BscanSamples(pictures, recipe, self.classes)


def _inner(network: nn.Module) -> nn.Module:
    return network.segmenter if isinstance(network, GuidedSegmenter) else network


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
