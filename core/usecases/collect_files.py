"""Finds the image files that `octaudit score` is to score, and what is known of each beside its pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, create_model

from core.errors import UsageError
from core.intake.manifest import Entry
from core.intake.manifest_csv import ManifestRow, read_manifest
from core.intake.problems import blocking
from core.vocabulary import Laterality, ScaleSource, Slab

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".vol"})
"""What is looked for in folders. A file named by itself is read whatever it is called."""

_MANIFEST_COLUMNS = ("eye", "slab", "field_width_mm", "field_height_mm")


@dataclass(frozen=True, slots=True)
class FileToScore:
    """One input file: where it lies, what its record calls it, and what is known of the scan.

    ``name`` is the path below the folder that was given, or the name of a file that was given by itself.
    """

    path: Path
    name: str
    field_mm: tuple[float, float] | None = None
    """Width and height on the retina; None: no millimetres will be reported."""
    scale_source: ScaleSource = ScaleSource.COMMAND_LINE
    slab: Slab = Slab.UNKNOWN
    laterality: Laterality | None = None


def collect_files(
    paths: Sequence[Path],
    *,
    out: Path,
    field_mm: tuple[float, float] | None,
    slab: Slab,
    manifest: Path | None,
) -> list[FileToScore]:
    """The files to score, in the order given, folders searched throughout in alphabetical order.

    A manifest row (matched by ``name``, else by the bare file name) overrules ``field_mm`` and ``slab``.

    Raises
    ------
    UsageError
        A path does not exist, nothing was found, or the manifest cannot be read or names values that cannot be.
    """
    found = [FileToScore(path, name, field_mm, slab=slab) for path, name in _images(paths, out)]
    if not found:
        raise UsageError(
            "There is no image among the paths given.",
            remedy="Give PNG, JPEG, TIFF, BMP, DICOM or .vol files, or folders that hold some (DICOM as .dcm).",
        )
    if manifest is None:
        return found
    rows = _manifest_rows(manifest)
    return [_with_row(file, rows.get(file.name) or rows.get(file.path.name)) for file in found]


def _images(paths: Sequence[Path], out: Path) -> Iterator[tuple[Path, str]]:
    for path in paths:
        if path.is_file():
            yield path, path.name
        elif path.is_dir():
            for inner in sorted(path.rglob("*")):
                if _is_input(inner, path, out):
                    yield inner, inner.relative_to(path).as_posix()
        else:
            raise UsageError(f"There is no file or folder {path}.", remedy="Check the path.")


def _is_input(path: Path, folder: Path, out: Path) -> bool:
    """An image file that is neither hidden nor one of our own masks from an earlier run."""
    is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    is_ours = out.resolve() in path.resolve().parents
    return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and not is_hidden and not is_ours


def _manifest_rows(manifest: Path) -> dict[str, ManifestRow]:
    if not manifest.is_file():
        raise UsageError(f"There is no manifest {manifest}.", remedy="Check the path given with --manifest.")
    table = read_manifest(manifest.read_bytes())
    for problem in blocking(table.problems):
        raise UsageError(f"{manifest.name}: {problem.message}", remedy=problem.remedy)
    return {row.values["file"]: row for row in table.rows if "file" in row.values}


def _with_row(file: FileToScore, row: ManifestRow | None) -> FileToScore:
    if row is None:
        return file
    values = _checked(row)
    width, height = values.get("field_width_mm"), values.get("field_height_mm")
    known = replace(file, slab=values.get("slab") or file.slab, laterality=values.get("eye"))
    if width is None or height is None:
        return known
    return replace(known, field_mm=(width, height), scale_source=ScaleSource.MANIFEST)


def _checked(row: ManifestRow) -> dict[str, Any]:
    """The columns of the row that matter to a score, by the checks that intake makes of them."""
    present = {name: row.values[name] for name in _MANIFEST_COLUMNS if name in row.values}
    fields: dict[str, Any] = {name: (Entry.model_fields[name].annotation, Entry.model_fields[name]) for name in present}
    checked: type[BaseModel] = create_model("ScoredRow", **fields)
    try:
        return checked.model_validate(present).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"Line {row.line} of the manifest: {first['msg']}", remedy=str(first.get("ctx", {}).get("remedy", ""))
        ) from error
