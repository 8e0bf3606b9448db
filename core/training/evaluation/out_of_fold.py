"""Cross-validated grade predictions as a spreadsheet beside the weights: every image by a fold that never saw it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import UsageError
from core.training.evaluation.grades import LABELS, GradedImages
from core.training.evaluation.report import GradedSet

SUFFIX = ".out-of-fold.csv"
_PROBABILITIES = [f"p_{label}" for label in LABELS]
_COLUMNS = ["file", "fold", "group", "source", "truth", *_PROBABILITIES]
_READERS = ["reader_a", "reader_b"]


def out_of_fold_path(weights: Path) -> Path:
    """Where the predictions of these weights' protocol lie."""
    return weights.with_name(weights.stem + SUFFIX)


def write_out_of_fold(path: Path, files: Sequence[str], folds: Sequence[int], graded: GradedImages) -> None:
    """One row per image: file, fold that held it out, group, source, truth, probabilities, both readings if known."""
    table = pd.DataFrame(
        {"file": files, "fold": folds, "group": graded.groups, "source": graded.sources, "truth": graded.truth}
    )
    table[_PROBABILITIES] = np.round(graded.probabilities, 5)
    if graded.reader_a is not None and graded.reader_b is not None:
        table["reader_a"], table["reader_b"] = graded.reader_a, graded.reader_b
    table.to_csv(path, index=False, lineterminator="\n")


def read_out_of_fold(path: Path, *, name: str) -> GradedSet:
    """The predictions as a set to be judged, named after the data set they are of.

    Raises
    ------
    UsageError
        A column is missing, or one group was held out by two folds: then its images are no independent judgement.
    """
    table = pd.read_csv(path, dtype={"file": str, "group": str, "source": str})
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing:
        raise UsageError(
            f"{path.name} lacks the columns {', '.join(missing)}.", remedy="Write it anew with `octaudit train`."
        )
    if table[["group", "fold"]].drop_duplicates()["group"].duplicated().any():
        raise UsageError(
            f"{path.name} has a group of images in two folds.",
            remedy="Write it anew with folds that keep groups whole.",
        )
    readings = [table[column].to_numpy(np.int64) if column in table.columns else None for column in _READERS]
    images = GradedImages(
        truth=table["truth"].to_numpy(np.int64),
        probabilities=table[_PROBABILITIES].to_numpy(np.float64),
        groups=tuple(table["group"]),
        sources=tuple(table["source"]),
        reader_a=readings[0],
        reader_b=readings[1],
    )
    return GradedSet(name, f"{table['fold'].nunique()}-fold cross-validation", images)
