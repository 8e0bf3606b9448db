"""Writes simulated macular volumes as Heidelberg `.vol` files: for upload and scoring, with their truth beside them."""

import csv
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from core.intake.manifest import COLUMNS
from core.intake.vol_facts import read_vol_facts
from core.phantom.bscan import BscanLesion
from core.phantom.vol_file import vol_chunks
from core.phantom.volume import OctVolumePhantom, random_volume_spec, render_volume
from core.usecases.write_phantoms import (
    MANIFEST_NAME,
    SCANS_FOLDER,
    TRUTH_NAME,
    PhantomOrder,
    make_folders,
    manifest_row,
)

TRUTH_FOLDER = "truth"
"""Holds NAME.boundaries.npy: true rows, float32 (B-scan, boundary, A-scan)."""

_RINGS_MM = {"central": (0.0, 0.5), "inner": (0.5, 1.5), "outer": (1.5, 3.0)}


def write_volume_phantoms(order: PhantomOrder, on_done: Callable[[int], None]) -> int:
    """Write ``order.count`` volumes of 97 B-scans and return how many; ``order.size_px`` is their number of A-scans.

    A file has 20 MB per hundred A-scans. The same order gives the same files. ``on_done`` hears the number of volumes
    done so far. Raises UsageError where the folder cannot be written.
    """
    make_folders(order.folder, SCANS_FOLDER, TRUTH_FOLDER)
    rng = np.random.default_rng(order.seed)
    with (
        (order.folder / MANIFEST_NAME).open("w", newline="", encoding="utf-8") as manifest,
        (order.folder / TRUTH_NAME).open("w", encoding="utf-8") as truth,
    ):
        table = csv.DictWriter(manifest, COLUMNS)
        table.writeheader()
        for number in range(1, order.count + 1):
            name = f"phantom-{number:04d}"
            spec = random_volume_spec(rng, width_px=order.size_px)
            phantom = render_volume(spec, int(rng.integers(2**31)))
            with (order.folder / SCANS_FOLDER / f"{name}.vol").open("wb") as file:
                file.writelines(vol_chunks(phantom.volume))
            np.save(order.folder / TRUTH_FOLDER / f"{name}.boundaries.npy", phantom.boundary_row_px)
            table.writerow(_manifest_row(order, number, name, phantom))
            truth.write(json.dumps(_truth(name, phantom)) + "\n")
            on_done(number)
    return order.count


def _manifest_row(order: PhantomOrder, number: int, name: str, phantom: OctVolumePhantom) -> dict[str, str]:
    return manifest_row(order, number, f"{name}.vol", read_vol_facts(phantom.volume).entry)


def _truth(name: str, phantom: OctVolumePhantom) -> dict[str, Any]:
    """What is known of a volume. Ring means and total volume are exact integrals, and known only without a lesion."""
    retina, has_lesion = phantom.drawn.retina, phantom.lesion is not BscanLesion.NONE
    return {
        "file": f"{SCANS_FOLDER}/{name}.vol",
        "lesion": phantom.lesion.value,
        "fovea_mm": list(phantom.fovea_mm),
        "mean_thickness_um": float(phantom.thickness_um.mean(dtype=np.float64)),
        "ring_mean_um": None if has_lesion else {ring: retina.ring_mean_um(*mm) for ring, mm in _RINGS_MM.items()},
        "total_volume_mm3": None if has_lesion else retina.volume_mm3(_RINGS_MM["outer"][1]),
        "boundaries": f"{TRUTH_FOLDER}/{name}.boundaries.npy",
    }
