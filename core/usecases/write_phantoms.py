"""Writes simulated scans to a folder: images, truth masks, the truth in figures, and a manifest for the intake."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import UsageError
from core.intake.manifest import COLUMNS
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantom, random_spec
from core.vocabulary import Laterality, ScanKind

MANIFEST_NAME = "manifest.csv"
TRUTH_NAME = "truth.jsonl"
SCANS_FOLDER = "scans"
"""Apart from the masks, so that the folder can be scored or uploaded as it is."""
MASKS_FOLDER = "masks"

FIRST_CAPTURE = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)
"""A fixed moment, so that the same seed writes the same manifest on every day."""
TIME_BETWEEN_CAPTURES = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class PhantomOrder:
    """What to write: how many scans of which size from which seed, and under which names the manifest puts them."""

    folder: Path
    count: int
    seed: int
    size_px: int
    study: str
    site: str
    device: str
    technician: str


def write_phantoms(order: PhantomOrder, on_done: Callable[[int], None]) -> int:
    """Write ``order.count`` scans and return how many images were written.

    The same order gives the same files. ``on_done`` hears the number of scans done so far. Raises UsageError where the
    folder cannot be written.
    """
    make_folders(order.folder, SCANS_FOLDER, MASKS_FOLDER)
    with (
        (order.folder / MANIFEST_NAME).open("w", newline="", encoding="utf-8") as manifest,
        (order.folder / TRUTH_NAME).open("w", encoding="utf-8") as truth,
    ):
        table = csv.DictWriter(manifest, COLUMNS)
        table.writeheader()
        for number, phantom in enumerate(_phantoms(order), start=1):
            name = f"phantom-{number:04d}"
            save_levels(order.folder / SCANS_FOLDER / f"{name}.png", phantom.image)
            masks = _save_masks(order.folder, name, phantom)
            table.writerow(_manifest_row(order, number, name, phantom))
            truth.write(json.dumps(_truth(name, phantom, masks)) + "\n")
            on_done(number)
    return order.count


def make_folders(folder: Path, *names: str) -> None:
    """Make the folders of these names in ``folder``; UsageError where that cannot be."""
    try:
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} is no folder that can be written: {error.strerror}.", remedy="Name another folder."
        ) from error


def _phantoms(order: PhantomOrder) -> Iterator[OctaPhantom]:
    rng = np.random.default_rng(order.seed)
    for _ in range(order.count):
        spec = random_spec(rng, size_px=order.size_px)
        yield render_octa(spec, int(rng.integers(2**31)))


def save_levels(path: Path, levels: NDArray[np.uint8]) -> None:
    """Write grey levels (height, width) as PNG."""
    Image.fromarray(levels).save(path, optimize=False, compress_level=6)


def _save_masks(folder: Path, name: str, phantom: OctaPhantom) -> dict[str, str]:
    """Write every mask that marks something, 0 and 255; return their paths by what they show."""
    masks = {kind.value: mask for kind, mask in phantom.artifact_masks.items()} | {"faz": phantom.faz_mask}
    written = {}
    for what, mask in masks.items():
        if mask.any():
            written[what] = f"{MASKS_FOLDER}/{name}.{what}.png"
            save_levels(folder / written[what], np.where(mask, 255, 0).astype(np.uint8))
    return written


def manifest_row(order: PhantomOrder, number: int, file: str, own: dict[str, str]) -> dict[str, str]:
    """The row of the manifest for the scan of this number, counted from 1; ``own`` is what its kind says of it."""
    common = {
        "file": file,
        "study": order.study,
        "site": order.site,
        "subject": f"PHANTOM-{number:04d}",
        "visit": "V1",
        "acquisition": "A1",
        "acquired_at": (FIRST_CAPTURE + (number - 1) * TIME_BETWEEN_CAPTURES).isoformat(),
        "device": order.device,
        "technician": order.technician,
    }
    row = dict.fromkeys(COLUMNS, "") | own | common
    return {column: row[column] for column in COLUMNS}


def _manifest_row(order: PhantomOrder, number: int, name: str, phantom: OctaPhantom) -> dict[str, str]:
    spec = phantom.spec
    own = {
        "eye": (Laterality.OD if spec.is_right_eye else Laterality.OS).value,
        "kind": ScanKind.OCTA_ENFACE.value,
        "slab": spec.slab.value,
        "field_width_mm": f"{spec.field_mm:g}",
        "field_height_mm": f"{spec.field_mm:g}",
    }
    return manifest_row(order, number, f"{name}.png", own)


def _truth(name: str, phantom: OctaPhantom, masks: dict[str, str]) -> dict[str, Any]:
    offset = phantom.centre_offset_mm
    return {
        "file": f"{SCANS_FOLDER}/{name}.png",
        "grade": {"label": phantom.ordinal.name.lower(), "ordinal": int(phantom.ordinal)},
        "artifacts": {
            kind.value: {"area_fraction": phantom.area_fraction(kind), "severity": phantom.severities[kind].value}
            for kind in phantom.artifact_masks
        },
        "line_fraction": phantom.line_fraction,
        "faz_area_mm2": phantom.faz_area_mm2,
        "faz_perimeter_mm": phantom.faz_perimeter_mm,
        "centre_offset_mm": None if offset is None else list(offset),
        "masks": masks,
        "mm_per_px": phantom.scale.x_mm_per_px,
    }
