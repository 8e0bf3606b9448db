"""Asks whether two sets of OCTA en-face images look alike: the user's own scans against phantoms or another folder."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import wasserstein_distance

from core.errors import UsageError
from core.measures.appearance import APPEARANCE_NAMES, appearance
from core.phantom.family import FAMILIES
from core.phantom.octa import render_octa
from core.phantom.spec import random_spec
from core.scoring.lanes.canvas import place
from core.usecases.collect_files import IMAGE_SUFFIXES

MIN_IMAGES = 8
"""Fewer say nothing about the central nine tenths of a set."""

_CENTRAL = (0.05, 0.95)
_NORMAL_WIDTH_OF_CENTRAL = 3.29
"""Standard deviations between the 5 % and 95 % quantiles of a normal distribution."""

_PHANTOM_STREAM = 5
"""Second word of the phantoms' seed: a stream of its own, so that no trained phantom is compared."""


@dataclass(frozen=True, slots=True)
class ComparedStatistic:
    """One statistic of core.measures.appearance in both sets.

    Attributes
    ----------
    low, median, high : of the reference set: 5 % quantile, median, 95 % quantile
    other_median : of the set compared
    distance : float, >= 0
        Wasserstein distance of the two distributions over the reference set's spread (its central 90 % / 3.29, the
        standard deviation where it is normal): 0 alike, 1 as far apart as one standard deviation.
    """

    name: str
    low: float
    median: float
    high: float
    other_median: float
    distance: float

    @property
    def is_within(self) -> bool:
        """Whether the other set's median lies in the reference set's central 90 %."""
        return self.low <= self.other_median <= self.high


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sets and every statistic, in the order of APPEARANCE_NAMES."""

    reference: str
    other: str
    n_reference: int
    n_other: int
    statistics: tuple[ComparedStatistic, ...]

    @property
    def n_within(self) -> int:
        """How many statistics have their median in the reference set's central 90 %."""
        return sum(statistic.is_within for statistic in self.statistics)

    @property
    def mean_distance(self) -> float:
        """Mean of the scaled distances."""
        return float(np.mean([statistic.distance for statistic in self.statistics]))

    def as_record(self) -> dict[str, Any]:
        """For a JSON file; numbers to six significant digits."""
        rows = [
            {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in asdict(row).items()}
            for row in self.statistics
        ]
        return {
            "reference": self.reference,
            "other": self.other,
            "n_reference": self.n_reference,
            "n_other": self.n_other,
            "statistics": rows,
        }


def read_images(folder: Path, pattern: str, *, at_most: int) -> list[NDArray[np.uint8]]:
    """Grey images (height, width) of a folder, spread evenly over the names that fit ``pattern``.

    Raises
    ------
    UsageError
        No folder, fewer than MIN_IMAGES images, or a file that is no image.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", remedy="Name a folder with PNG, JPEG, TIFF or BMP files.")
    paths = [path for path in sorted(folder.rglob(pattern)) if path.suffix.lower() in IMAGE_SUFFIXES]
    if len(paths) < MIN_IMAGES:
        raise UsageError(
            f"{folder} holds {len(paths)} images named {pattern!r}; at least {MIN_IMAGES} are needed.",
            remedy="Name another folder or another pattern.",
        )
    places = np.unique(np.linspace(0, len(paths) - 1, min(at_most, len(paths))).round().astype(int))
    return [_read(paths[place]) for place in places]


def phantoms(count: int, seed: int, family: str | None) -> Iterator[NDArray[np.uint8]]:
    """``count`` phantoms as training draws them, of one family (core.phantom.family) or of all."""
    if family is not None and family not in FAMILIES:
        raise UsageError(f"No family of phantoms is named {family!r}.", remedy=f"Choose one of {', '.join(FAMILIES)}.")
    rng = np.random.default_rng([seed, _PHANTOM_STREAM])
    for _ in range(count):
        yield render_octa(random_spec(rng, family=family), int(rng.integers(2**31))).image


def measure_looks(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """The statistics (images, statistics) of images (height, width), each brought to the network's canvas first."""
    rows = []
    for image in images:
        canvas, placement = place(image)
        down = slice(placement.top_px, placement.top_px + placement.inner_height_px)
        across = slice(placement.left_px, placement.left_px + placement.inner_width_px)
        rows.append(appearance(canvas[down, across]))
    return np.array(rows)


def compare_looks(
    reference: NDArray[np.float64], other: NDArray[np.float64], *, names: tuple[str, str] = ("reference", "other")
) -> Comparison:
    """How far ``other`` (images, statistics) lies from ``reference``, statistic by statistic; see ComparedStatistic."""
    return Comparison(
        reference=names[0],
        other=names[1],
        n_reference=len(reference),
        n_other=len(other),
        statistics=tuple(_compared(APPEARANCE_NAMES, reference, other)),
    )


def _compared(
    names: Sequence[str], reference: NDArray[np.float64], other: NDArray[np.float64]
) -> Iterator[ComparedStatistic]:
    for name, known, asked in zip(names, reference.T, other.T, strict=True):
        low, high = np.quantile(known, _CENTRAL)
        spread = max(float(high - low) / _NORMAL_WIDTH_OF_CENTRAL, 1e-9)
        distance = float(wasserstein_distance(known, asked)) / spread
        yield ComparedStatistic(
            name, float(low), float(np.median(known)), float(high), float(np.median(asked)), distance
        )


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read as an image: {error}.", remedy="Take it out of the folder.") from error
