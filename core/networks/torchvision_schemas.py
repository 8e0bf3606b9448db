"""Declares the two torchvision operators whose absence stops timm and smp from importing; defines no network.

The torchvision wheel on the package index is built for CUDA. On a machine with a CPU-only torch its C++ operators
cannot be loaded, and its import fails while registering fake kernels for ``torchvision::nms`` and
``torchvision::qnms`` (measured with torch 2.13.0, torchvision 0.28.0). We need neither: an empty schema is enough.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_libraries: list[torch.library.Library] = []
"""Keeps the Library objects alive: a collected Library takes its schemas with it."""


def can_load_operators() -> bool:
    """Whether torchvision's own C++ operators load in this process."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for library in sorted(Path(spec.origin).parent.glob("_C*.so")):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            return False
    return hasattr(torch.ops.torchvision, "nms")


def declare_missing_schemas() -> bool:
    """Declare the schemas unless torchvision can load its operators itself; True where they were declared."""
    if _libraries or can_load_operators():
        return bool(_libraries)
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _libraries.append(library)
    return True
