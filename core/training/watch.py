"""Early stopping of a training that is counted in steps: what the tuning part says of its weights, and when to end."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load_file
from torch import nn

from core.training.supervised.checkpoint import write_tensors
from core.training.supervised.history import write_metrics

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Check:
    """What the tuning part said of the averaged weights when ``step`` steps were done; a lower loss is better."""

    step: int
    loss: float

    @property
    def comparable(self) -> float:
        """The loss; infinity where it is no number."""
        return math.inf if math.isnan(self.loss) else self.loss


@dataclass(slots=True)
class Watch:
    """Looks at the tuning part now and then, keeps the best weights, and says when nothing is gained any more.

    Attributes
    ----------
    measure : loss on the tuning part of a network in eval mode, when so many steps are done
    patience : steps without a lower loss after which a stretch of the training ends
    best, log : where the best weights and the losses are written
    compared_from : checks at or before this step saw the images at another size; their weights are not kept
    """

    measure: Callable[[Any, int], float]
    patience: int
    best: Path
    log: Path
    compared_from: int = 0
    checks: list[Check] = field(default_factory=list)

    def look(self, network: nn.Module, step: int) -> None:
        """Measure the network, which is put into its former mode again; keep it where it is the best so far."""
        was_training = network.training
        self.checks.append(Check(step, self.measure(network.eval(), step)))
        network.train(was_training)
        if self.kept == self.checks[-1]:
            write_tensors(self.best, network.state_dict())
        write_metrics(self.log, [{"step": check.step, "loss": check.loss} for check in self.checks])

    def is_over(self, begin: int, end: int) -> bool:
        """Whether the stretch of these steps has gained nothing for as long as the patience lasts."""
        own = [check for check in self.checks if begin < check.step <= end]
        return bool(own) and own[-1].step - _least(own).step >= self.patience

    @property
    def kept(self) -> Check:
        """The check whose weights are kept; the first of equal ones."""
        return _least([check for check in self.checks if check.step > self.compared_from] or self.checks)

    def restore(self, network: nn.Module) -> None:
        """Put the kept weights into the network."""
        network.load_state_dict(load_file(self.best))


def _least(checks: Sequence[Check]) -> Check:
    return min(checks, key=lambda check: check.comparable)


def watched_batches(
    draw: Callable[[int], T],
    first: int,
    borders: Sequence[int],
    watch: Watch | None,
    *,
    waited_for: int | None = None,
) -> Iterator[tuple[int, T]]:
    """Every step from ``first`` on with its batch, stretch by stretch between the borders.

    A stretch that gains nothing ends early, and the next begins at its own first step: what a step is shown depends on
    its number alone, so a resumed training takes the very same steps.
    """
    for begin, end in pairwise(borders):
        if end <= first or (watch is not None and watch.is_over(begin, end)):
            continue
        for step, batch in batches_ahead(draw, max(begin, first), end, waited_for=waited_for):
            yield step, batch
            if watch is not None and watch.is_over(begin, end):
                break


def batches_ahead(
    draw: Callable[[int], T], first: int, n_steps: int, *, waited_for: int | None = None
) -> Iterator[tuple[int, T]]:
    """Every step from ``first`` on with its batch; the next one is drawn while the caller uses this one.

    Only the step ``waited_for``, which labels the pool, ends before: the next batch shows its labels, resumed or not.
    """
    with ThreadPoolExecutor(max_workers=1) as drawer:
        upcoming = drawer.submit(draw, first)
        for step in range(first, n_steps):
            batch = upcoming.result()
            if step != waited_for:
                upcoming = drawer.submit(draw, step + 1)
            yield step, batch
            if step == waited_for:
                upcoming = drawer.submit(draw, step + 1)
