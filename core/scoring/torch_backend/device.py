"""Chooses where to compute and how much at once, and keeps the results the same from run to run."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from core.errors import UsageError
from core.scoring.device_use import DeviceUse, process_use

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
NO_MEMORY = "The device has not enough free memory for a single scan."


def choose_device(name: str) -> torch.device:
    """The device called "cpu", "cuda", "cuda:N", or the best there is for "auto".

    Raises
    ------
    UsageError
        The name is none of these, or there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if not name.startswith("cuda"):
        raise UsageError(f"There is no device {name!r}.", remedy="Choose cpu, cuda or auto.")
    if not torch.cuda.is_available():
        raise UsageError("No CUDA device can be used here.", remedy="Choose --device cpu, or install a CUDA torch.")
    return torch.device(name)


def wants_bf16(precision: str, device: torch.device) -> bool:
    """Whether a training computes in bfloat16: "fp32", "bf16", or "auto", bf16 on CUDA devices that have it."""
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "bf16"


def limit_threads() -> None:
    """Use no more threads than this process may run on: in a container torch counts the host's cores."""
    torch.set_num_threads(max(1, min(torch.get_num_threads(), len(os.sched_getaffinity(0)))))


def side_by_side() -> ThreadPoolExecutor:
    """As many threads as torch may use here (at least two), each of which computes alone.

    One network over 2 cores waits at every layer for the slower half, and for a core that does something else; two
    scans' networks beside each other do not (a third faster on 2 cores). The caller's own thread keeps its setting.
    """
    return ThreadPoolExecutor(
        max(2, torch.get_num_threads()), "scoring", initializer=torch.set_num_threads, initargs=(1,)
    )


@contextmanager
def reproducible_inference() -> Iterator[None]:
    """No gradients; on CUDA the same kernels each time and full float32, so that masks agree with the CPU's."""
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield


def use_of(device: torch.device) -> DeviceUse:
    """What this process holds of the device's memory."""
    if device.type != "cuda":
        return process_use()
    properties = torch.cuda.get_device_properties(device)
    return DeviceUse(properties.name, torch.cuda.memory_reserved(device), properties.total_memory)


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has a class of its own; the CPU allocator raises a RuntimeError that says so in words."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return "DefaultCPUAllocator" in text or "out of memory" in text


def in_halves(
    batch: Sequence[Item],
    run: Callable[[Sequence[Item]], list[Outcome]],
    *,
    alone_too_large: Callable[[Item], Outcome],
    on_halved: Callable[[int], None],
) -> list[Outcome]:
    """What ``run`` makes of a batch, halved as often as the device's memory asks; one outcome per item, in order.

    ``on_halved`` is told each smaller size, ``alone_too_large`` concludes an item for which memory lacks even alone.
    """
    try:
        return run(batch)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # Outside the handler: until it ends, the error's traceback holds on to the tensors for which memory lacked.
    torch.cuda.empty_cache()  # nothing where CUDA was not used
    if len(batch) == 1:
        return [alone_too_large(batch[0])]
    half = len(batch) // 2
    on_halved(half)
    parts = (batch[:half], batch[half:])
    return [
        outcome
        for part in parts
        for outcome in in_halves(part, run, alone_too_large=alone_too_large, on_halved=on_halved)
    ]
