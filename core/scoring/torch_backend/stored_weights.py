"""Fills networks with the tensors of a weights file; what does not belong together is refused in one sentence."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from core.errors import UsageError

Network = TypeVar("Network", bound=nn.Module)


def refuse_other_preprocessing(weights: Path, expected: str, known: str) -> None:
    """UsageError where the weights expect another preprocessing than this version's."""
    if expected != known:
        raise UsageError(
            f"{weights.name} expects the preprocessing {expected!r}; this version has {known!r}.",
            remedy="Use weights made for this version, or train again.",
        )


def tensors_of(weights: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, named without it; float16 as float32.

    Raises
    ------
    UsageError
        The file is no safetensors file.
    """
    try:
        with safe_open(weights, framework="pt") as stored:
            names = [name for name in stored.keys() if name.startswith(prefix)]  # noqa: SIM118 - no mapping
            tensors = {name.removeprefix(prefix): stored.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise _do_not_belong(weights, error) from error
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}


def filled(network: Network, tensors: Mapping[str, Tensor], weights: Path) -> Network:
    """The network with these tensors of the file ``weights``.

    Raises
    ------
    UsageError
        They are those of another network.
    """
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise _do_not_belong(weights, error) from error
    return network


def _do_not_belong(weights: Path, error: Exception) -> UsageError:
    return UsageError(
        f"{weights.name} does not hold the network that its card describes ({str(error).splitlines()[0]})",
        remedy="Use weights and card written by the same training.",
    )
