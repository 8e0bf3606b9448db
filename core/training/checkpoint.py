"""The state of an unfinished training as one safetensors file: weights, their moving average, optimiser moments, step.

Nothing is pickled, so that a training folder from somebody else can be resumed without running their code.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import UsageError
from core.training.watch import Check

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True, slots=True)
class Saved:
    """How far a training had come, and what its tuning part had said until then."""

    step: int
    checks: tuple[Check, ...] = ()


def save_checkpoint(
    path: Path,
    *,
    step: int,
    fingerprint: str,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.AdamW,
    checks: Sequence[Check] = (),
) -> None:
    """Write the state beside the final name, then move it there: a killed run leaves the last whole checkpoint."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for index, parameter in enumerate(_parameters(optimizer)):
        state = optimizer.state.get(parameter, {})
        tensors |= {f"optimizer.{index}.{name}": state[name] for name in _MOMENTS if name in state}
    partial = path.with_suffix(".partial")
    contiguous = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    said = [(check.step, check.loss) for check in checks]
    saved = {"step": step, "fingerprint": fingerprint, "checks": said}
    save_file(contiguous, partial, metadata={"state": json.dumps(saved)})
    os.replace(partial, path)  # noqa: PTH105 - the atomic one


def load_checkpoint(
    path: Path, *, fingerprint: str, network: nn.Module, average: nn.Module, optimizer: torch.optim.AdamW
) -> Saved:
    """Restore the state in place.

    Raises
    ------
    UsageError
        The checkpoint belongs to another recipe, seed or data.
    """
    with safe_open(path, framework="pt") as stored:
        state = json.loads((stored.metadata() or {}).get("state", "{}"))
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    if state.get("fingerprint") != fingerprint:
        raise UsageError(
            f"{path} was written by another recipe, seed or data folder.",
            remedy="Resume with the same options, or give a new --out folder.",
        )
    network.load_state_dict(_below("network.", tensors))
    average.load_state_dict(_below("average.", tensors))
    for index, parameter in enumerate(_parameters(optimizer)):
        moments = _below(f"optimizer.{index}.", tensors)
        if moments:
            optimizer.state[parameter] = {
                name: value.to(parameter.device if name != "step" else "cpu") for name, value in moments.items()
            }
    return Saved(int(state["step"]), tuple(Check(int(step), float(loss)) for step, loss in state.get("checks", ())))


def _parameters(optimizer: torch.optim.AdamW) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
