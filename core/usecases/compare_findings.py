"""Two model versions of a lane side by side by what they measured: each figure before and after, and how far it moves.

OCTA en face is compared by its grades alone; the other lanes leave every scan to a person, and differ in their figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from core.store.rescored_figure import Path, read_rescored_figures
from core.vocabulary import ScanKind


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a lane's document: what it is called, in which unit, and where it stands.

    ``factor`` brings what is stored into that unit; ``decimals`` is how many of it are worth reading.
    """

    name: str
    unit: str
    path: Path
    decimals: int = 2
    factor: float = 1.0


FIGURES: dict[ScanKind, tuple[Figure, ...]] = {
    ScanKind.ONH_ENFACE: (
        Figure("Area of the nerve head", "mm²", ("onh", "area_mm2")),
        Figure("Nerve head's offset from the centre", "mm", ("onh", "offset_mm")),
    ),
    ScanKind.BSCAN: (
        Figure("Share of the image that is lesion", "%", ("lesions", "0", "area_fraction"), factor=100.0),
        Figure("Likeliest class", "", ("likeliest_class",)),
    ),
    ScanKind.VOLUME: (
        Figure("Mean thickness", "µm", ("thickness", "mean_um"), decimals=1),
        Figure("Central subfield", "µm", ("thickness", "central_subfield_um"), decimals=1),
        Figure("Total volume", "mm³", ("thickness", "total_volume_mm3")),
    ),
}
"""By lane; a lane that is not among them is compared by grades and verdicts."""


@dataclass(frozen=True, slots=True)
class FigureMove:
    """How one figure differs between two versions, over the scans on which both gave it.

    Attributes
    ----------
    n_both, n_former_only, n_other_only : int
        Scans on which both versions, or one alone, gave the figure.
    former, other, moved : float
        Medians of both versions and of the other's minus the former's.
    low, high : float
        Between which the middle 95 % of the differences lie.
    """

    figure: Figure
    n_both: int
    n_former_only: int
    n_other_only: int
    former: float
    other: float
    moved: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class WordMove:
    """A figure that is a word: on how many of ``n_both`` scans both versions say the same."""

    figure: Figure
    n_both: int
    n_same: int


Move = FigureMove | WordMove


def compare_findings(session: Session, rescoring_id: int, kind: ScanKind) -> tuple[Move, ...]:
    """Every figure of the lane that both versions gave for any scan of an order."""
    figures = FIGURES.get(kind, ())
    if not figures:
        return ()
    rows = read_rescored_figures(session, rescoring_id, [figure.path for figure in figures])
    moves = (
        move_of(figure, [former[at] for former, _ in rows], [other[at] for _, other in rows])
        for at, figure in enumerate(figures)
    )
    return tuple(move for move in moves if move is not None)


def move_of(figure: Figure, former: Sequence[Any], other: Sequence[Any]) -> Move | None:
    """How a figure differs, from what both versions stored scan by scan; None where no scan has it from both."""
    both = list(zip(former, other, strict=True))
    words = [pair for pair in both if all(isinstance(each, str) for each in pair)]
    if words:
        return WordMove(figure, len(words), sum(one == two for one, two in words))
    numbers = figure.factor * np.array([pair for pair in both if all(map(_is_number, pair))], np.float64)
    if not len(numbers):
        return None
    moved = numbers[:, 1] - numbers[:, 0]
    low, high = np.quantile(moved, (0.025, 0.975))
    return FigureMove(
        figure=figure,
        n_both=len(numbers),
        n_former_only=sum(_is_number(one) and not _is_number(two) for one, two in both),
        n_other_only=sum(_is_number(two) and not _is_number(one) for one, two in both),
        former=float(np.median(numbers[:, 0])),
        other=float(np.median(numbers[:, 1])),
        moved=float(np.median(moved)),
        low=float(low),
        high=float(high),
    )


def _is_number(value: object) -> bool:
    """A measure; what could not be computed is stored as an object that says why."""
    return isinstance(value, int | float) and not isinstance(value, bool)
