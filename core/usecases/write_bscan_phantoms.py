"""Writes B-scan phantoms to a folder: images, lesion masks, a manifest for the intake and one for training."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from core.intake.manifest import COLUMNS
from core.phantom.bscan_export import CLASSES, NORMAL, BscanExport, bscan_exports
from core.usecases.write_phantoms import (
    MANIFEST_NAME,
    MASKS_FOLDER,
    SCANS_FOLDER,
    PhantomOrder,
    make_folders,
    manifest_row,
    save_levels,
)
from core.vocabulary import Laterality, ScanKind

TRAINING_FOLDER = "training"
"""Holds a manifest of its own: ``octaudit train bscan --data DIR/training`` runs on the phantoms as they are."""
_MASK_COLUMNS = tuple(f"mask_{name}" for name in CLASSES if name != NORMAL)
TRAINING_COLUMNS = ("file", "subject", "class", *_MASK_COLUMNS, "source", "licence")
SOURCE, LICENCE = "octaudit phantoms", "simulated, of no person"
_ASPECT = 512 / 496
"""Width over height, as the device family that is simulated exports."""


def write_bscan_phantoms(order: PhantomOrder, on_done: Callable[[int], None]) -> int:
    """Write ``order.count`` B-scans and return how many; ``order.size_px`` is their height.

    The same order gives the same files. ``on_done`` hears the number of scans done so far. Raises UsageError where the
    folder cannot be written.
    """
    folder = order.folder
    make_folders(folder, SCANS_FOLDER, MASKS_FOLDER, TRAINING_FOLDER)
    with (
        (folder / MANIFEST_NAME).open("w", newline="", encoding="utf-8") as manifest,
        (folder / TRAINING_FOLDER / MANIFEST_NAME).open("w", newline="", encoding="utf-8") as training,
    ):
        uploaded, learned = csv.DictWriter(manifest, COLUMNS), csv.DictWriter(training, TRAINING_COLUMNS)
        uploaded.writeheader()
        learned.writeheader()
        width_px = round(order.size_px * _ASPECT)
        exports = bscan_exports(order.count, order.seed, height_px=order.size_px, width_px=width_px)
        for number, (name, export) in enumerate(_named(order, exports), start=1):
            save_levels(folder / SCANS_FOLDER / f"{name}.png", export.image)
            uploaded.writerow(_manifest_row(order, number, name))
            learned.writerow(_training_row(folder, name, export))
            on_done(number)
    return order.count


def _named(order: PhantomOrder, exports: Iterator[BscanExport]) -> Iterator[tuple[str, BscanExport]]:
    for number, export in enumerate(exports, start=1):
        yield f"bscan-{order.seed}-{number:05d}", export


def _training_row(folder: Path, name: str, export: BscanExport) -> dict[str, str]:
    """Its class and masks; the masks are written beside the way."""
    row = dict.fromkeys(TRAINING_COLUMNS, "") | {
        "file": f"../{SCANS_FOLDER}/{name}.png",
        "subject": name,
        "class": "+".join(export.classes),
        "source": SOURCE,
        "licence": LICENCE,
    }
    for lesion, mask in export.masks.items():
        file = f"{MASKS_FOLDER}/{name}.{lesion}.png"
        save_levels(folder / file, np.where(mask, 255, 0).astype(np.uint8))
        row[f"mask_{lesion}"] = f"../{file}"
    return row


def _manifest_row(order: PhantomOrder, number: int, name: str) -> dict[str, str]:
    own = {
        "eye": Laterality.OD.value,
        "kind": ScanKind.BSCAN.value,
        "field_width_mm": "unknown",
        "field_height_mm": "unknown",
    }
    return manifest_row(order, number, f"{name}.png", own)
