"""Reads and checks a folder of training images: which sets it holds, what each image is labelled with.

Layout (each set is optional, but one with FAZ masks or grades must be there):

- ``faz_*/manifest.csv`` (file, slab, number, fov_mm), ``images/``, ``masks/`` (0/255): FAZ masks
- ``octa_graded/grades.csv`` (file, source, grade, motion, shadow, defocus, low_signal), ``images/``: grades 0-2
- ``octa_pool/manifest.csv`` (file, set), ``images/``: OCTA without grades; ``vessels/`` (0/255): large vessels
- ``bscan_*/*.png``, ``layers_*/images/*.png``: pictures that are no en-face images, for the modality head
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import UsageError
from core.intake.manifest_csv import table_rows
from core.vocabulary import OCTA_ARTIFACTS, ArtifactType, CoipsGrade

SEVERITIES = (0, 1, 2)
"""None, mild, severe as the readers wrote them (README of the data)."""

MAX_PROBLEMS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """One reader's grade and severities of an image."""

    grade: CoipsGrade
    severities: dict[ArtifactType, int]


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image of the folder with what is known of it; None means not labelled, never absent."""

    key: str
    """Set and file name, unique in the folder."""
    path: Path
    source: str
    """Device or public set it came from; figures are reported within source, because grade and source go together."""
    subject: str
    """What must not be parted by a split: the number of a COIPS pair, else the image itself."""
    is_octa: bool = True
    slab: str = "unknown"
    field_mm: float | None = None
    """Edge length of the field where its manifest states it; None: no millimetres are reported, never guessed."""
    faz_path: Path | None = None
    large_vessels_path: Path | None = None
    grade: CoipsGrade | None = None
    severities: dict[ArtifactType, int] | None = None
    readings: tuple[Reading, Reading] | None = None
    """What the two masked readers said each, where the table holds both (columns ``*_a`` and ``*_b``)."""

    def pixels(self) -> NDArray[np.uint8]:
        """Grey levels (height, width)."""
        return read_grey(self.path)

    def faz(self) -> NDArray[np.bool_] | None:
        """The FAZ mask (height, width), or None where nobody drew one."""
        return None if self.faz_path is None else read_grey(self.faz_path) > 127  # noqa: PLR2004 - masks are 0/255

    def large_vessels(self) -> NDArray[np.bool_] | None:
        """The mask of the large vessels (height, width), or None where nobody drew one."""
        return None if self.large_vessels_path is None else read_grey(self.large_vessels_path) > 127  # noqa: PLR2004


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Grey levels (height, width) of an 8-bit image file of the training folder."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.uint8)


def read_folder(root: Path) -> list[LabelledImage]:
    """Every image of the folder, sorted by key.

    Raises
    ------
    UsageError
        The folder is missing, holds no labelled set, or its manifests contradict its files (all faults named).
    """
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}.", remedy="Give the folder of the training data with --data.")
    problems: list[str] = []
    sets = (_faz_sets(root, problems), _graded(root, problems), _pool(root, problems), _strangers(root))
    images = sorted(chain(*sets), key=lambda image: image.key)
    problems += _problems(images)
    if problems:
        shown = "; ".join(problems[:MAX_PROBLEMS_SHOWN])
        more = f" and {len(problems) - MAX_PROBLEMS_SHOWN} more" if len(problems) > MAX_PROBLEMS_SHOWN else ""
        raise UsageError(f"The training folder has faults: {shown}{more}.", remedy="Correct them and start again.")
    if not any(image.faz_path or image.grade is not None for image in images):
        raise UsageError(
            f"{root} holds neither FAZ masks nor grades.",
            remedy="Lay it out as faz_NAME/manifest.csv or octa_graded/grades.csv; see docs/training.md.",
        )
    return images


def _rows(path: Path, columns: set[str]) -> list[dict[str, str]]:
    """The rows of a table as a spreadsheet writes it, by column; cells that are not there are empty."""
    if not path.is_file():
        return []
    try:
        lines = table_rows(path.read_bytes())
    except csv.Error as error:
        raise UsageError(
            f"{path.name} in {path.parent.name} is no valid CSV: {error}.",
            remedy="Save the table as CSV, not as a workbook, and check its quotation marks.",
        ) from error
    header = [cell.strip().casefold() for cell in lines[0][1]] if lines else []
    missing = columns - set(header)
    if missing:
        raise UsageError(
            f"{path.name} in {path.parent.name} lacks the columns {', '.join(sorted(missing))}; "
            f"it has {', '.join(filter(None, header)) or 'none'}.",
            remedy="Add them; the first line names the columns. Save as CSV, not as a workbook.",
        )
    return [dict.fromkeys(header, "") | _by_name(header, cells) for _, cells in lines[1:]]


def _by_name(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    return values | {"file": values.get("file", "").replace("\\", "/")}


def _faz_sets(root: Path, problems: list[str]) -> Iterator[LabelledImage]:
    for folder in sorted(root.glob("faz_*")):
        for row in _rows(folder / "manifest.csv", {"file", "slab", "number"}):
            yield LabelledImage(
                key=f"{folder.name}/{row['file']}",
                path=folder / "images" / row["file"],
                source="FAZ",
                subject=f"{folder.name}/number {row['number']}",
                slab=row["slab"],
                field_mm=_field_mm(row, folder.name, problems),
                faz_path=folder / "masks" / row["file"],
            )


def _graded(root: Path, problems: list[str]) -> Iterator[LabelledImage]:
    names = [kind.value for kind in OCTA_ARTIFACTS]
    for row in _rows(root / "octa_graded" / "grades.csv", {"file", "source", "grade", *names}):
        key = f"octa_graded/{row['file']}"
        if not _is_rated(row, ("grade", *names), key, problems):
            continue
        yield LabelledImage(
            key=key,
            path=root / "octa_graded" / "images" / row["file"],
            source=row["source"],
            subject=key,
            field_mm=_field_mm(row, "octa_graded", problems),
            grade=CoipsGrade(int(row["grade"])),
            severities={kind: int(row[kind.value]) for kind in OCTA_ARTIFACTS},
            readings=_readings(row, key, problems),
        )


def _is_rated(row: dict[str, str], columns: Sequence[str], key: str, problems: list[str]) -> bool:
    """Whether every one of these cells is 0, 1 or 2; the others are named. A spreadsheet may write 1.0 for 1."""
    row |= {name: row[name].removesuffix(".0").removesuffix(",0") for name in columns}
    wrong = [f"{name} {row[name]!r}" for name in columns if row[name] not in {"0", "1", "2"}]
    if wrong:
        problems.append(f"{key} has values other than 0, 1, 2: {', '.join(wrong)}")
    return not wrong


def _readings(row: dict[str, str], key: str, problems: list[str]) -> tuple[Reading, Reading] | None:
    names = ("grade", *(kind.value for kind in OCTA_ARTIFACTS))
    columns = [f"{name}_{reader}" for name in names for reader in "ab"]
    if not all(name in row for name in columns) or not _is_rated(row, columns, key, problems):
        return None
    first, second = (
        Reading(
            CoipsGrade(int(row[f"grade_{reader}"])),
            {kind: int(row[f"{kind.value}_{reader}"]) for kind in OCTA_ARTIFACTS},
        )
        for reader in "ab"
    )
    return first, second


def _field_mm(row: dict[str, str], name: str, problems: list[str]) -> float | None:
    """The field of a row; None where its cell is empty or there is no such column."""
    text = row.get("fov_mm", "")
    try:
        return float(text.replace(",", ".")) if text else None
    except ValueError:
        problems.append(f"{row['file']} in {name} has the field {text!r}, which is no number of millimetres such as 3")
        return None


def _pool(root: Path, problems: list[str]) -> Iterator[LabelledImage]:
    for row in _rows(root / "octa_pool" / "manifest.csv", {"file", "set"}):
        key, vessels = f"octa_pool/{row['file']}", root / "octa_pool" / "vessels" / row["file"]
        yield LabelledImage(
            key,
            root / "octa_pool" / "images" / row["file"],
            source=row["set"],
            subject=key,
            large_vessels_path=vessels if vessels.is_file() else None,
            field_mm=_field_mm(row, "octa_pool", problems),
        )


def _strangers(root: Path) -> Iterator[LabelledImage]:
    for path in sorted([*root.glob("bscan_*/*.png"), *root.glob("layers_*/images/*.png")]):
        folder = path.relative_to(root).parts[0]
        subject = f"{folder}/{path.stem.split('_')[0]}" if folder.startswith("layers_") else f"{folder}/{path.name}"
        yield LabelledImage(f"{folder}/{path.name}", path, source=folder, subject=subject, is_octa=False)


def _problems(images: list[LabelledImage]) -> Iterator[str]:
    seen: set[str] = set()
    for image in images:
        if image.key in seen:
            yield f"{image.key} is listed twice"
        seen.add(image.key)
        if not image.path.is_file():
            yield f"{image.key} is listed but not there"
        else:
            for mask_path in (image.faz_path, image.large_vessels_path):
                if mask_path is not None:
                    yield from _mask_problems(image, mask_path)


def _mask_problems(image: LabelledImage, mask_path: Path) -> Iterator[str]:
    if not mask_path.is_file():
        yield f"{image.key} has no mask"
        return
    with Image.open(image.path) as picture, Image.open(mask_path) as mask:
        if picture.size != mask.size:
            yield f"the mask of {image.key} has another size ({mask.size} instead of {picture.size})"
