"""How much memory a scoring process holds, and where. Knows no torch: that of a GPU comes from the torch backend."""

import resource
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """One process's hold on its device.

    Attributes
    ----------
    device : str
        "cpu", or the GPU's name.
    held_bytes : int
        On a GPU what the process has reserved of its memory; on the CPU the most it ever held.
    total_bytes : int or None
        The GPU's memory; None on the CPU.
    """

    device: str
    held_bytes: int
    total_bytes: int | None


def process_use() -> DeviceUse:
    """That of a process that computes on the CPU: its largest resident memory so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts in bytes there and in kB elsewhere
    return DeviceUse("cpu", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, None)
