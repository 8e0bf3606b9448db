"""Writes simulated en-face scans of the optic nerve head: for upload, for scoring, and labelled for training."""

import csv
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.intake.manifest import COLUMNS
from core.phantom.onh import render_onh
from core.phantom.onh_spec import BACKGROUND, LICENCE, ONH_CLASSES, SOURCE, OnhPhantom, random_onh_spec
from core.usecases.write_phantoms import (
    MANIFEST_NAME,
    MASKS_FOLDER,
    SCANS_FOLDER,
    TRUTH_NAME,
    PhantomOrder,
    make_folders,
    manifest_row,
    save_levels,
)
from core.vocabulary import Laterality, ScanKind, Slab

TRAINING_FOLDER = "training"
"""Holds label maps and the manifest that `octaudit train onh-enface --data DIR/training` reads."""
TRAINING_COLUMNS = ("file", "subject", "grade", "mask", "eye", "field_mm", "source", "licence")

PALETTE = ((0, 0, 0), (0, 158, 115), (240, 228, 66), (213, 94, 0), (86, 180, 233))
"""Colours of the five classes, told apart by colour-blind eyes (Okabe and Ito 2008)."""


def write_onh_phantoms(order: PhantomOrder, on_done: Callable[[int], None]) -> int:
    """Write ``order.count`` scans and return how many; the same order gives the same files.

    Raises UsageError where the folder cannot be written.
    """
    make_folders(order.folder, SCANS_FOLDER, MASKS_FOLDER, TRAINING_FOLDER)
    with (
        (order.folder / MANIFEST_NAME).open("w", newline="", encoding="utf-8") as manifest,
        (order.folder / TRAINING_FOLDER / MANIFEST_NAME).open("w", newline="", encoding="utf-8") as labelled,
        (order.folder / TRUTH_NAME).open("w", encoding="utf-8") as truth,
    ):
        upload, training = csv.DictWriter(manifest, COLUMNS), csv.DictWriter(labelled, TRAINING_COLUMNS)
        upload.writeheader()
        training.writeheader()
        for number, phantom in enumerate(onh_phantoms(order.count, order.seed, size_px=order.size_px), start=1):
            name = f"phantom-{number:04d}"
            save_levels(order.folder / SCANS_FOLDER / f"{name}.png", phantom.image)
            _save_labels(order, name, phantom.labels)
            masks = _save_masks(order, name, phantom)
            upload.writerow(_upload_row(order, number, name, phantom))
            training.writerow(_labelled_row(number, name, phantom))
            truth.write(json.dumps(_truth(name, phantom, masks)) + "\n")
            on_done(number)
    return order.count


def onh_phantoms(count: int, seed: int, *, size_px: int) -> Iterator[OnhPhantom]:
    """Random phantoms, the same for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        spec = random_onh_spec(rng, size_px=size_px)
        yield render_onh(spec, int(rng.integers(2**31)))


def _save_labels(order: PhantomOrder, name: str, labels: NDArray[np.uint8]) -> None:
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette([level for colour in PALETTE for level in colour])
    picture.save(order.folder / TRAINING_FOLDER / f"{name}.png", optimize=False, compress_level=6)


def _save_masks(order: PhantomOrder, name: str, phantom: OnhPhantom) -> dict[str, str]:
    """Write every mask that marks something, 0 and 255; return their paths by what they show."""
    written = {}
    for label, what in enumerate(ONH_CLASSES):
        mask = phantom.labels == label
        if label != BACKGROUND and mask.any():
            written[what] = f"{MASKS_FOLDER}/{name}.{what}.png"
            save_levels(order.folder / written[what], np.where(mask, 255, 0).astype(np.uint8))
    return written


def _upload_row(order: PhantomOrder, number: int, name: str, phantom: OnhPhantom) -> dict[str, str]:
    spec = phantom.spec
    own = {
        "eye": _eye(phantom),
        "kind": ScanKind.ONH_ENFACE.value,
        "slab": Slab.FULL_RETINA.value,
        "field_width_mm": f"{spec.field_mm:g}",
        "field_height_mm": f"{spec.field_mm:g}",
    }
    return manifest_row(order, number, f"{name}.png", own)


def _labelled_row(number: int, name: str, phantom: OnhPhantom) -> dict[str, str]:
    return {
        "file": f"../{SCANS_FOLDER}/{name}.png",
        "subject": f"PHANTOM-{number:04d}",
        "grade": str(int(phantom.grade)),
        "mask": f"{name}.png",
        "eye": _eye(phantom),
        "field_mm": f"{phantom.spec.field_mm:g}",
        "source": SOURCE,
        "licence": LICENCE,
    }


def _eye(phantom: OnhPhantom) -> str:
    return (Laterality.OD if phantom.spec.is_right_eye else Laterality.OS).value


def _truth(name: str, phantom: OnhPhantom, masks: dict[str, str]) -> dict[str, Any]:
    spec = phantom.spec
    return {
        "file": f"{SCANS_FOLDER}/{name}.png",
        "grade": {"label": phantom.grade.name.lower(), "ordinal": int(phantom.grade)},
        "area_fraction": {what: phantom.share(label) for label, what in enumerate(ONH_CLASSES) if label != BACKGROUND},
        "line_fraction": phantom.line_fraction,
        "disc_lost_fraction": phantom.disc_lost_fraction,
        "signal": spec.signal,
        "disc_mm": list(spec.disc_mm),
        "masks": masks,
        "mm_per_px": spec.field_mm / spec.size_px,
    }
