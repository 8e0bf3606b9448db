"""Decodes frames of one DICOM object in a process of its own, which may take only so much time and memory.

For packings whose decoders are native code that a damaged frame can send astray (GDCM for JPEG lossless, CharLS for
JPEG-LS: a frame that is cut off keeps it busy for ever) or whose output has no bound (RLE): whatever happens there is
one fault here. The child gets none of our settings, and says nothing but pixels.

``python -m core.intake.readers.frame_child PATH PLUGIN START COUNT SECONDS`` is the child: raw frames on its output.
"""

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CPU_S = 20
"""Of the child, for its start and one frame; each further frame adds ``CPU_S_PER_FRAME``."""
CPU_S_PER_FRAME = 5
MEMORY_BYTES = 3 << 30
"""Of the child's address space: GDCM's libraries, and a 50-megapixel frame of 16 bits in several copies. Where the
system sets no such limit, of what it has resident."""
IS_LIMITED_BY_SYSTEM = sys.platform == "linux"
"""macOS knows the limit of the address space and refuses to set it: there the parent watches."""
WATCH_EVERY_S = 0.1
"""Memory is written at some GB per second, so the limit may be passed by that much before the child is ended."""
_OWN_NAME = "core.intake.readers.frame_child"
_KEPT_SETTINGS = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR")


@dataclass(frozen=True, slots=True)
class FrameShape:
    """What every frame decodes to."""

    shape: tuple[int, ...]
    """(height, width), or (height, width, 3) for colour as RGB."""
    dtype: np.dtype[np.generic]

    @property
    def n_bytes(self) -> int:
        """Of one frame."""
        return int(np.prod(self.shape)) * self.dtype.itemsize


def decode_apart(
    path: Path, plugin: str, expected: FrameShape, *, start: int, count: int
) -> Iterator[NDArray[np.generic]]:
    """Frames ``start`` to ``start + count``, one in memory at a time; EOFError where the child gives fewer."""
    cpu_s = CPU_S + CPU_S_PER_FRAME * (count - 1)
    command = [sys.executable, "-m", _OWN_NAME, str(path), plugin, str(start), str(count), str(cpu_s)]
    with subprocess.Popen(  # noqa: S603 - our own program, no shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=child_environment()
    ) as child:
        assert child.stdout is not None
        try:
            with _watched(child):
                for _ in range(count):
                    data = child.stdout.read(expected.n_bytes)
                    if len(data) < expected.n_bytes:
                        raise EOFError("the decoder gave up")
                    yield np.frombuffer(data, expected.dtype).reshape(expected.shape)
        finally:
            child.kill()


@contextmanager
def _watched(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the child where it takes more memory than it may and the system does not see to that."""
    if IS_LIMITED_BY_SYSTEM:
        yield
        return
    is_over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(child, is_over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


def _watch(child: subprocess.Popen[bytes], is_over: threading.Event) -> None:
    while not is_over.wait(WATCH_EVERY_S):
        if _resident_bytes(child.pid) > MEMORY_BYTES:
            child.kill()
            return


def _resident_bytes(pid: int) -> int:
    """What a process has in memory, as ``ps`` says; 0 of one that has ended."""
    said = subprocess.run(  # noqa: S603 - a number of ours, no shell
        ["ps", "-o", "rss=", "-p", str(pid)],  # noqa: S607 - in every PATH of a system that has it
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return int(said.stdout.strip() or 0) * 1024


def child_environment() -> dict[str, str]:
    """Where programs and libraries lie, and nothing that is ours to know."""
    kept = {name: os.environ[name] for name in _KEPT_SETTINGS if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}


def main() -> None:
    """Be the child."""
    path, plugin = sys.argv[1:3]
    start, count, cpu_s = map(int, sys.argv[3:])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if IS_LIMITED_BY_SYSTEM:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    from pydicom.pixels.utils import iter_pixels  # noqa: PLC0415 - under the limits, too

    for values in iter_pixels(path, indices=range(start, start + count), decoding_plugin=plugin):
        sys.stdout.buffer.write(np.ascontiguousarray(values).tobytes())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
