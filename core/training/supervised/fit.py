"""Fits one network: seeded, resumable after a kill, stopped early where the recipe says so. Knows no task."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from core.errors import UsageError
from core.training.supervised.checkpoint import (
    CHECKPOINT_NAME,
    Saved,
    load_checkpoint,
    save_checkpoint,
    write_tensors,
)
from core.training.supervised.history import METRICS_NAME, Row, write_metrics
from core.training.supervised.picture import Picture
from core.training.supervised.recipe import SupervisedRecipe
from core.training.supervised.samples import DrawnSamples, Samples, Tensors, epoch_draws, load, plain_draws
from core.training.supervised.schedule import learning_rate
from core.training.supervised.task import LOSS, Task

BEST_NAME = "best.safetensors"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how precisely to compute."""

    device: torch.device
    bf16: bool = False
    n_workers: int = 0

    def autocast(self) -> AbstractContextManager[object]:
        """bfloat16 where it is asked for; the weights stay float32."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A finished fit: its network in eval mode with the weights the recipe keeps, and its figures."""

    network: nn.Module
    history: list[Row]
    kept_epoch: int
    """Counted from 1."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One network to fit on one part while another part watches."""

    task: Task
    recipe: SupervisedRecipe
    train: Sequence[Picture]
    validation: Sequence[Picture]
    folder: Path
    fingerprint: str
    machine: Machine
    report: Callable[[int, str], None] = lambda _done, _caption: None
    """Takes the batches done in this fit, and a caption."""
    samples: Callable[[Sequence[Picture], Any], DrawnSamples] = Samples
    """Makes the samples of a part; a task whose samples are not one image and one label brings its own."""

    def run(self, network: nn.Module) -> Fitted:
        """Train, or go on from the folder's checkpoint."""
        self.folder.mkdir(parents=True, exist_ok=True)
        network = network.to(self.machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = make_optimizer(network, self.recipe)
        checkpoint, history = self.folder / CHECKPOINT_NAME, list[Row]()
        if checkpoint.is_file():
            history = load_checkpoint(checkpoint, self.fingerprint, network, optimizer).history
        samples = self.samples(self.train, self.recipe), self.samples(self.validation, self.recipe)
        with _same_kernels():
            while not is_finished(history, self.recipe):
                epoch = len(history)
                rate, loss = self._learn(network, optimizer, samples[0], epoch)
                figures = self.task.watch(self._outputs(network, samples[1]))
                history.append({"epoch": epoch + 1, "learning_rate": rate, "train_loss": loss, **figures})
                if best_epoch(history) == epoch + 1:
                    write_tensors(self.folder / BEST_NAME, network.state_dict())
                save_checkpoint(checkpoint, Saved(self.fingerprint, history), network, optimizer)
                write_metrics(self.folder / METRICS_NAME, history)
        self.report(self.recipe.epochs * self.batches_per_epoch, "done")
        return self._kept(network, history)

    @property
    def batches_per_epoch(self) -> int:
        """Training batches of an epoch."""
        return self.recipe.batches_per_epoch or max(len(self.train) // self.recipe.batch_size, 1)

    def _learn(
        self, network: nn.Module, optimizer: Optimizer, samples: DrawnSamples, epoch: int
    ) -> tuple[float, float]:
        """One epoch: its learning rate and mean loss."""
        rate = learning_rate(epoch, self.recipe)
        for group in optimizer.param_groups:
            group["lr"] = rate
        network.train()
        draws, losses = epoch_draws(len(samples), self.recipe, epoch), []
        for step, (image, label) in enumerate(load(samples, draws, n_workers=self.machine.n_workers)):
            # Seeded per step, so that dropout after a resume is what it would have been.
            torch.manual_seed(self.recipe.seed * 1_000_003 + epoch * 10_007 + step)
            losses.append(self._step(network, optimizer, image, label))
            self.report(epoch * self.batches_per_epoch + step + 1, f"epoch {epoch + 1}, loss {losses[-1]:.4f}")
        mean = sum(losses) / len(losses)
        if not math.isfinite(mean):
            raise UsageError(
                f"The loss is no number any more after epoch {epoch + 1}.",
                remedy=f"Train anew with a smaller --learning-rate than {self.recipe.learning_rate:g}.",
            )
        return rate, mean

    def _step(self, network: nn.Module, optimizer: Optimizer, image: Tensors, label: Tensors) -> float:
        with self.machine.autocast():
            logits = network(_on(self.machine, image))
        device = self.machine.device
        loss = self.task.loss(_each(logits, Tensor.float), _each(label, lambda v: v.to(device, non_blocking=True)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.recipe.max_gradient_norm)
        optimizer.step()
        return float(loss.detach())

    def _outputs(self, network: nn.Module, samples: DrawnSamples) -> Iterator[tuple[Any, Any]]:
        network.eval()
        draws = plain_draws(len(samples), self.recipe.batch_size)
        with torch.inference_mode():
            for image, label in load(samples, draws, n_workers=self.machine.n_workers):
                with self.machine.autocast():
                    logits = network(_on(self.machine, image))
                yield _each(logits, lambda value: value.float().cpu()), label

    def _kept(self, network: nn.Module, history: list[Row]) -> Fitted:
        epoch = len(history)
        if self.recipe.keep == "best":
            epoch = best_epoch(history)
            network.load_state_dict(load_file(self.folder / BEST_NAME))
        return Fitted(network.eval(), history, epoch)


def make_optimizer(network: nn.Module, recipe: SupervisedRecipe) -> Optimizer:
    """The recipe's optimiser over what may learn."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    match recipe.optimiser:
        case "adam":
            return Adam(learning, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        case "adamw":
            return AdamW(learning, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        case "sgd":
            return SGD(
                learning,
                lr=recipe.learning_rate,
                momentum=recipe.momentum,
                weight_decay=recipe.weight_decay,
                nesterov=recipe.momentum > 0,
            )


def best_epoch(history: Sequence[Row]) -> int:
    """The epoch (from 1) of the lowest validation loss; the first of equal ones."""
    losses = [row[LOSS] for row in history]
    return 1 + min(range(len(losses)), key=lambda index: _comparable(losses[index]))


def is_finished(history: Sequence[Row], recipe: SupervisedRecipe) -> bool:
    """Whether all epochs are done, or so many without gain that the recipe stops."""
    if not history:
        return False
    waited = len(history) - best_epoch(history)
    return len(history) >= recipe.epochs or (recipe.patience is not None and waited >= recipe.patience)


def _comparable(loss: float | None) -> float:
    return math.inf if loss is None or math.isnan(loss) else loss


def _on(machine: Machine, image: Tensors) -> Any:
    return _each(image, lambda value: value.to(machine.device, non_blocking=True, memory_format=torch.channels_last))


def _each(values: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The tensor changed, or each of a (named) tuple of tensors; what a network has not, None, stays so."""
    if values is None:
        return None
    if isinstance(values, Tensor):
        return change(values)
    changed = [_each(value, change) for value in values]
    return type(values)(*changed) if hasattr(values, "_fields") else tuple(changed)


@contextmanager
def _same_kernels() -> Iterator[None]:
    """On CUDA the same convolution kernels in every run."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield
