"""The state of an unfinished fit as one safetensors file: weights, the optimiser's moments, the figures so far.

Nothing is pickled, and the random numbers need no state: they are functions of seed, epoch and step.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from core.errors import UsageError
from core.training.supervised.history import Row

CHECKPOINT_NAME = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a checkpoint says beside its tensors."""

    fingerprint: str
    history: list[Row]
    """One row per finished epoch."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write beside the final name, then move it there: a killed run leaves the last whole file."""
    partial = path.with_suffix(".partial")
    contiguous = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    save_file(contiguous, partial, metadata={name: json.dumps(value) for name, value in (metadata or {}).items()})
    os.replace(partial, path)  # noqa: PTH105 - the atomic one


def save_checkpoint(path: Path, saved: Saved, network: nn.Module, optimizer: Optimizer) -> None:
    """Write the state after a finished epoch."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for index, parameter in enumerate(_parameters(optimizer)):
        state = optimizer.state.get(parameter, {})
        moments = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    write_tensors(path, tensors, {"fingerprint": saved.fingerprint, "history": saved.history})


def load_checkpoint(path: Path, fingerprint: str, network: nn.Module, optimizer: Optimizer) -> Saved:
    """Restore the state in place.

    Raises
    ------
    UsageError
        The file is damaged, or belongs to another recipe, folder or start.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = {name: json.loads(value) for name, value in (stored.metadata() or {}).items()}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError) as error:
        raise UsageError(f"{path} is damaged: {error}.", remedy="Begin anew in another --out folder.") from error
    if metadata.get("fingerprint") != fingerprint:
        raise UsageError(
            f"{path} was written by another recipe, data folder or start.",
            remedy="Resume with the same options and unchanged images, or give a new --out folder.",
        )
    network.load_state_dict(_below("network.", tensors))
    for index, parameter in enumerate(_parameters(optimizer)):
        moments = _below(f"optimizer.{index}.", tensors)
        if moments:  # Adam counts its steps on the CPU
            optimizer.state[parameter] = {
                name: value if name == "step" else value.to(parameter.device) for name, value in moments.items()
            }
    return Saved(fingerprint, metadata["history"])


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
