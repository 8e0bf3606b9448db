"""What a layer model says of labelled B-scans and of phantoms it never saw, beside the truth; numbers and no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.phantom.bscan import BscanLesion, BscanPhantom, draw_bscan, random_bscan_spec
from core.scoring.lanes.layer_output import Layers
from core.scoring.lanes.layer_scheme import Labels, n_classes
from core.training.layers.data import DUKE_BOUNDARIES
from core.training.supervised.parts import Placed
from core.vocabulary import LayerScheme

DUKE_COLUMNS = (119, 634)
"""First and last column (from 1) of the full frame that the public set's images show."""
DUKE_FRAME = (496, 768)
"""Height and width of the full frame, in which the graders' boundaries are given."""
_SCANS_PER_SUBJECT = 11

_EVALUATION_SEED = 90_000
"""Phantoms from this seed on: no training draws them."""

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BoundaryErrors:
    """Mean distances in pixels of the full frame, by boundary (8,); NaN where no column has both graders.

    ``ours`` is the mean over the two graders of our distance from each; ``graders`` their distance from each other;
    all three over the columns where both drew the boundary and we found the retina. ``found_share`` is the share of
    the graders' columns that we found.
    """

    ours: Rows
    ours_to_first: Rows
    graders: Rows
    found_share: float


@dataclass(frozen=True, slots=True)
class LayerCase:
    """One labelled B-scan: overlap of each class with the truth, at the image's own size."""

    confusion: NDArray[np.int64]
    """Pixels by true class (rows) and found class (columns)."""
    boundaries: BoundaryErrors | None

    @property
    def dices(self) -> Rows:
        """Dice of each class but background (classes - 1,); NaN where neither has it."""
        return dices_of(self.confusion)

    @property
    def ious(self) -> Rows:
        """Intersection over union of each class but background."""
        hits, truth, found = _counts(self.confusion)
        union = truth + found - hits
        return np.where(union > 0, hits / np.maximum(union, 1), np.nan)

    @property
    def retina_iou(self) -> float:
        """Intersection over union of the whole retina; 1 where there is none and none was found."""
        union = self.confusion.sum() - self.confusion[0, 0]
        return float(self.confusion[1:, 1:].sum() / union) if union else 1.0

    @property
    def accuracy(self) -> float:
        """Share of pixels with the right class."""
        return float(np.trace(self.confusion) / self.confusion.sum())


def dices_of(confusion: NDArray[np.int64]) -> Rows:
    """Dice (classes - 1,) from pixels by true class (rows) and found class (columns); NaN where neither has it."""
    hits, truth, found = _counts(confusion)
    return np.where(truth + found > 0, 2 * hits / np.maximum(truth + found, 1), np.nan)


def _counts(confusion: NDArray[np.int64]) -> tuple[Rows, Rows, Rows]:
    table = confusion.astype(np.float64)
    return np.diag(table)[1:], table.sum(axis=1)[1:], table.sum(axis=0)[1:]


def layer_case(found: Layers, truth: Labels, scheme: LayerScheme, graders: Rows | None = None) -> LayerCase:
    """Found layers against a label map of the same size, and against two graders' boundaries (2, 8, columns)."""
    n = n_classes(scheme)
    cells = truth.astype(np.int64) * n + found.labels
    confusion = np.bincount(cells.ravel(), minlength=n * n).reshape(n, n)
    errors = None if graders is None else boundary_errors(found.boundary_row_px, found.labels.shape[0], graders)
    return LayerCase(confusion, errors)


def boundary_errors(boundary_row_px: NDArray[np.floating], height_px: int, graders: Rows) -> BoundaryErrors:
    """Our boundaries (8, width) of a Duke image against both graders' (2, 8, 768), rows from 1 in the full frame."""
    ours = np.full(graders.shape[1:], np.nan)
    first, last = DUKE_COLUMNS
    columns = np.arange(first - 1, last)
    width = boundary_row_px.shape[1]
    place = (columns - (first - 1) + 0.5) * width / (last - first + 1) - 0.5
    left = np.clip(np.floor(place).astype(int), 0, width - 2)
    share = np.clip(place - left, 0.0, 1.0)
    cells = boundary_row_px[:, left] * (1 - share) + boundary_row_px[:, left + 1] * share
    ours[:, columns] = (cells + 0.5) * DUKE_FRAME[0] / height_px + 0.5
    both = np.isfinite(graders).all(axis=0)
    used = both & np.isfinite(ours)
    far = np.abs(ours[None] - graders)
    return BoundaryErrors(
        ours=_mean_where(far.mean(axis=0), used),
        ours_to_first=_mean_where(far[0], used),
        graders=_mean_where(np.abs(graders[0] - graders[1]), used),
        found_share=float(used.sum() / both.sum()) if both.any() else 1.0,
    )


def _mean_where(values: Rows, used: NDArray[np.bool_]) -> Rows:
    """Mean of each row over its used columns; NaN where it has none."""
    n = used.sum(axis=1)
    total = np.where(used, values, 0.0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def duke_graders(folder: Path, placed: Sequence[Placed]) -> list[Rows | None]:
    """Both graders' boundaries (2, 8, 768) of each image of the public set; None where the folder has none."""
    path = folder / DUKE_BOUNDARIES
    if not path.is_file():
        return [None] * len(placed)
    with np.load(path, allow_pickle=False) as stored:
        drawn = stored["boundary_row_px"].astype(np.float64)
    return [drawn[_scan_of(item.picture.record.path.stem)] for item in placed]


def _scan_of(stem: str) -> int:
    """Place of sSS_KK in the graders' array."""
    subject, _, number = stem.partition("_")
    return (int(subject.removeprefix("s")) - 1) * _SCANS_PER_SUBJECT + int(number)


def evaluation_phantoms(n: int) -> Iterator[BscanPhantom]:
    """Phantoms that no training draws: every lesion in turn, as a device exports B-scans of 496 rows."""
    for number in range(n):
        rng = np.random.default_rng([_EVALUATION_SEED, number])
        lesion = list(BscanLesion)[number % len(BscanLesion)]
        yield draw_bscan(random_bscan_spec(rng, lesion), _EVALUATION_SEED + number)


@dataclass(frozen=True, slots=True)
class PhantomCase:
    """One phantom: how far our thickness lies from the truth."""

    lesion: BscanLesion
    thickness_error_um: float
    """Mean absolute error over the A-scans that we measured; NaN where we measured none."""
    thickness_bias_um: float
    measured_share: float


def phantom_case(phantom: BscanPhantom, found: Layers) -> PhantomCase:
    """Total thickness from the innermost to the outermost boundary against the drawn one, A-scan by A-scan."""
    um_per_px = 1000.0 * phantom.z_mm_per_px
    ours = (found.boundary_row_px[-1] - found.boundary_row_px[0]) * um_per_px
    off = (ours - phantom.thickness_um).astype(np.float64)
    used = np.isfinite(off)
    return PhantomCase(
        lesion=phantom.spec.lesion,
        thickness_error_um=float(np.abs(off[used]).mean()) if used.any() else float("nan"),
        thickness_bias_um=float(off[used].mean()) if used.any() else float("nan"),
        measured_share=float(used.mean()),
    )
