"""One labelled image of a user's folder, what it is used for, and what can be wrong with it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path

from core.errors import UsageError
from core.vocabulary import Laterality, Slab

NOT_STATED = "not stated"
MAX_FAULTS_SHOWN = 20


class Label(StrEnum):
    """What a recipe learns from, and so the column that must be filled in."""

    GRADE = "grade"
    MASK = "mask"


class Part(StrEnum):
    """What an image is used for."""

    TRAIN = "train"
    VALIDATION = "validation"
    """Decides when to stop and which weights to keep."""
    TEST = "test"
    """Reported on, and touched by nothing else."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the manifest, understood."""

    file: str
    path: Path
    subject: str
    grade: IntEnum | None = None
    """Of the scale that the recipe grades on."""
    mask_path: Path | None = None
    eye: Laterality | None = None
    slab: Slab = Slab.UNKNOWN
    field_mm: float | None = None
    acquisition: str = ""
    source: str = ""
    licence: str = NOT_STATED
    split: Part | None = None
    stratum: str = ""
    """What a recipe without grades wants spread over the parts."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a folder: where, what, and what to do."""

    place: str
    message: str
    remedy: str

    def __str__(self) -> str:
        """One sentence each."""
        return f"{self.place}: {self.message} {self.remedy}"


class ManifestError(UsageError):
    """The folder has faults; ``faults`` holds all of them, the message the first twenty."""

    def __init__(self, folder: Path, faults: list[Fault]) -> None:
        shown = "\n".join(f"  {fault}" for fault in faults[:MAX_FAULTS_SHOWN])
        more = len(faults) - MAX_FAULTS_SHOWN
        tail = f"\n  and {more} more" if more > 0 else ""
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{folder} has {count}:\n{shown}{tail}\n", remedy="Correct them and start again.")
        self.faults = faults


def write_faults(faults: Sequence[Fault], path: Path) -> None:
    """All faults as CSV: place, fault, remedy."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("place", "fault", "remedy"))
        rows.writerows((fault.place, fault.message, fault.remedy) for fault in faults)
