"""A user's folder of ONH en-face images: each with a grade 0 to 3 and a label map of the five classes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.networks.onh_enface import N_MASKS
from core.training.progress import Progress
from core.training.supervised.manifest import MANIFEST_NAME, read_records
from core.training.supervised.picture import Picture, read_pictures
from core.training.supervised.record import NOT_STATED, Fault, Label, ManifestError
from core.vocabulary import OnhGrade

GRADES = {str(int(grade)): grade for grade in OnhGrade} | {
    grade.name.lower().replace("_", "-"): grade for grade in OnhGrade
}
"""How a grade may be written."""
LABEL_VALUES = frozenset(range(N_MASKS))


def read_onh_folder(
    folder: Path, licence: str = NOT_STATED, report: Callable[[Progress], None] = lambda _: None
) -> list[Picture]:
    """Every image of the folder's manifest, read and checked; ``licence`` is that of rows which name none.

    Raises
    ------
    UsageError
        There is no folder; ManifestError where files or labels are missing or wrong, all of them named.
    """
    records = read_records(folder, Label.MASK, grades=GRADES)
    ungraded = [
        Fault(f"{MANIFEST_NAME} ({record.file})", "It has no grade.", "Write 0, 1, 2 or 3, or remove the row.")
        for record in records
        if not isinstance(record.grade, OnhGrade)
    ]
    if ungraded:
        raise ManifestError(folder, ungraded)
    records = [replace(r, licence=licence) if r.licence == NOT_STATED else r for r in records]
    return read_pictures(
        folder,
        records,
        on_read=lambda done: report(Progress("Checking the images", done, len(records))),
        label_values=LABEL_VALUES,
    )
