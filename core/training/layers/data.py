"""A user's folder of B-scans with label maps, the public Duke set among them: read, checked, every fault named.

Either a manifest.csv (file, subject, mask; optional source, licence, split, eye, acquisition), or the folders images/
and masks/ with the same file names, whose subjects are the part of the name before the last "_".
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.errors import UsageError
from core.scoring.lanes.layer_scheme import Labels, in_scheme, n_classes
from core.training.supervised.manifest import MANIFEST_NAME, read_records
from core.training.supervised.picture import Picture, read_labels, read_pictures
from core.training.supervised.record import NOT_STATED, Label, Record
from core.vocabulary import LayerScheme

DUKE_BOUNDARIES = "boundaries_two_graders.npz"
"""Beside the images of the public set: its presence names source and licence."""
DUKE_SOURCE = "layers_duke_dme (Chiu et al. 2015, doi:10.1364/BOE.6.001155)"
DUKE_LICENCE = "research use, cite; not redistributed here"
_STEP = 10
"""Label maps for the eye hold class times ten: 10 is ILM-RNFL."""
_RETINA_VALUE = 255
SUFFIXES = (".png", ".tif", ".tiff", ".bmp")


def read_layer_folder(
    folder: Path, scheme: LayerScheme, *, licence: str, on_read: Callable[[int, int], None] = lambda _done, _total: None
) -> list[Picture]:
    """Every B-scan of the folder with its label map, checked.

    Raises
    ------
    UsageError
        There is no folder or nothing in it; ManifestError where files or label maps have faults, all of them named.
    """
    records = _records(folder)
    if (folder / DUKE_BOUNDARIES).is_file():
        records = [replace(record, source=DUKE_SOURCE, licence=DUKE_LICENCE) for record in records]
    records = [replace(r, licence=licence) if r.licence == NOT_STATED else r for r in records]
    return read_pictures(
        folder, records, on_read=lambda done: on_read(done, len(records)), label_values=allowed_values(scheme)
    )


def allowed_values(scheme: LayerScheme) -> frozenset[int]:
    """Pixel values of a label map that can be read in this scheme: class, or class times ten; 255 is the retina.

    Maps of seven layers serve every scheme; a map with two values only the scheme ``retina``.
    """
    classes = range(max(n_classes(scheme), n_classes(LayerScheme.DUKE_7)))
    values = {*classes, *(_STEP * number for number in classes)}
    return frozenset(values | ({_RETINA_VALUE} if scheme is LayerScheme.RETINA else set()))


def labels_in(path: Path, scheme: LayerScheme) -> Labels:
    """The label map (height, width) of a file in the classes of a scheme."""
    values = read_labels(path)
    levels = set(np.unique(values).tolist())
    if scheme is LayerScheme.RETINA:
        return np.asarray(values > 0, np.uint8)
    if max(levels) >= _STEP:
        values = np.asarray(values // _STEP, np.uint8)
    has_seven = int(values.max()) >= n_classes(scheme)
    return in_scheme(values, scheme) if has_seven or scheme is LayerScheme.DUKE_7 else values


def _records(folder: Path) -> list[Record]:
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", remedy="Give the folder of your B-scans with --data.")
    if (folder / MANIFEST_NAME).is_file():
        return read_records(folder, Label.MASK)
    images, masks = folder / "images", folder / "masks"
    found = sorted(p for p in images.glob("*") if p.suffix.lower() in SUFFIXES) if images.is_dir() else []
    if not found or not masks.is_dir():
        raise UsageError(
            f"{folder} has neither {MANIFEST_NAME} nor the folders images and masks.",
            remedy=f"Write {MANIFEST_NAME} with the columns file, subject and mask; see docs/training.md.",
        )
    return [
        Record(
            file=f"images/{path.name}",
            path=path,
            subject=path.stem.rpartition("_")[0] or path.stem,
            mask_path=masks / path.name,
            source=folder.name,
        )
        for path in found
    ]
