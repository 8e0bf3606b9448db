"""Writes the folder that the bundled B-scan model is trained on: phantoms, real scans, and real scans with lesions in.

    .venv/bin/python .ci/write_bscan_folder.py DATA OUT --seed 1
    octaudit train bscan --data OUT ...   (the command is in the model's card)

DATA holds bscan_kermany, bscan_srf, bscan_sdoct and layers_duke_dme (docs/models.md names their sources and licences).
bscan_scans.csv says which scan is taken for what, and bscan_outlines.csv where its lesions lie: no clinician drew them.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from core.measures.retina_band import otsu_threshold
from core.phantom.bscan_export import NORMAL, bscan_exports
from core.phantom.bscan_insert import LEAST_LESION_SHARE, Backdrop, Inserted, insert_lesions
from core.phantom.bscan_lesion import BscanLesion
from core.scoring.lanes.bscan_canvas import fill_white_borders
from core.scoring.layers_card import LayersCard
from core.scoring.registry import weights_path
from core.scoring.torch_backend.layers import LayerSegmenter
from core.training.bscan.label import read_bscans
from core.training.supervised.parts import near_duplicates
from core.usecases.write_bscan_phantoms import LICENCE, SOURCE, TRAINING_COLUMNS
from core.vocabulary import ScanKind

HERE = Path(__file__).parent
COLUMNS = (*TRAINING_COLUMNS, "split", "drawn_by")
LICENCES = {"bscan_kermany": "CC BY 4.0"}
OTHER_LICENCE = "research use, cite; not redistributed here"
DRAWN_BY, SIMULATED = "no clinician", "the program, where it put them"
LESIONS = tuple(lesion for lesion in BscanLesion if lesion is not BscanLesion.NONE)
N_PHANTOMS = {"train": 420, "validation": 80, "test": 200}
PER_BACKDROP = {"train": 18, "validation": 9, "test": 6}
PER_DUKE = 9
PLAIN_PER_NORMAL = 12
"""Variants without a lesion of each normal scan that teaches: real normals are few beside real scans with one."""
PHANTOM_HEIGHT_PX, PHANTOM_WIDTH_PX = 304, 314
ALIKE = 0.98
"""Thumbnails that correlate more are taken for one picture: of two parts the phantom is left out."""
ATTEMPTS = 6

Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class RealScan:
    """A real scan with what is known of it."""

    row: Row
    image: Levels
    masks: dict[str, Mask]

    @property
    def source(self) -> str:
        """The folder of its set."""
        return self.row["file"].split("/")[0]

    @property
    def name(self) -> str:
        """A file name that no other scan has."""
        return self.row["file"].replace("/", "-")


def main() -> None:
    """Write OUT/manifest.csv, OUT/scans and OUT/masks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for part in ("scans", "masks"):
        (options.out / part).mkdir(parents=True, exist_ok=True)
    scans = list(real_scans(options.data))
    rows = [*phantom_rows(options.out, options.seed), *(real_row(options.out, scan) for scan in scans)]
    rows += inserted_rows(options.out, scans, np.random.default_rng([options.seed, 23]))
    rows += plain_rows(options.out, scans, np.random.default_rng([options.seed, 31]))
    write_manifest(options.out, rows)
    kept = without_leaks(options.out, rows)
    write_manifest(options.out, kept)
    print(f"{len(kept)} scans; {len(rows) - len(kept)} phantoms left out, alike those of another part")


def real_scans(data: Path) -> Iterator[RealScan]:
    """Every scan of bscan_scans.csv with the lesions drawn in it."""
    outlines = table(HERE / "bscan_outlines.csv")
    for row in table(HERE / "bscan_scans.csv"):
        image = np.asarray(Image.open(data / f"{row['file']}.png").convert("L"))
        own = [line for line in outlines if line["file"] == row["file"]]
        names = dict.fromkeys(line["class"] for line in own)
        drawn = {name: drawn_mask(image, [line for line in own if line["class"] == name]) for name in names}
        yield RealScan(row, image, drawn)


def drawn_mask(image: Levels, lines: list[Row]) -> Mask:
    """What lies within the outlines; where only the dark is kept, its pixels below Otsu's threshold there."""
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 1.5)
    found = np.zeros(image.shape, np.bool_)
    for line in lines:
        picture = Image.new("1", image.shape[::-1])
        corners = [(float(x), float(y)) for x, y in (pair.split(",") for pair in line["outline_px"].split())]
        ImageDraw.Draw(picture).polygon(corners, fill=1, outline=1)
        inside = np.asarray(picture, np.bool_)
        if line["keep"] == "dark":
            dark = inside & (smooth <= otsu_threshold(smooth[inside]))
            inside = ndimage.binary_opening(ndimage.binary_closing(dark, iterations=2)) & inside
        found |= inside
    return found


def phantom_rows(out: Path, seed: int) -> Iterator[Row]:
    """Phantoms of every part."""
    count = sum(N_PHANTOMS.values())
    parts = np.repeat(list(N_PHANTOMS), list(N_PHANTOMS.values()))
    np.random.default_rng([seed, 29]).shuffle(parts)
    exports = bscan_exports(count, seed, height_px=PHANTOM_HEIGHT_PX, width_px=PHANTOM_WIDTH_PX)
    for number, export in enumerate(exports):
        name = f"phantom-{number:04d}"
        row = row_of(out, name, export.image, export.masks)
        yield row | {"subject": name, "class": "+".join(export.classes), "source": SOURCE, "licence": LICENCE,
                     "split": str(parts[number]), "drawn_by": SIMULATED if export.masks else ""}  # fmt: skip


def real_row(out: Path, scan: RealScan) -> Row:
    """A real scan as it is."""
    return row_of(out, scan.name, scan.image, scan.masks) | {
        "subject": scan.row["subject"], "class": scan.row["class"], "source": scan.source,
        "licence": LICENCES.get(scan.source, OTHER_LICENCE), "split": scan.row["split"],
        "drawn_by": DRAWN_BY if scan.masks else "",
    }  # fmt: skip


def inserted_rows(out: Path, scans: list[RealScan], rng: np.random.Generator) -> Iterator[Row]:
    """Real scans with simulated lesions beside those that are drawn; of the same subject and part as the scan."""
    weights = weights_path(ScanKind.VOLUME)
    segmenter = LayerSegmenter.load(weights, LayersCard.beside(weights), torch.device("cpu"))
    backdrops = [scan for scan in scans if scan.row["backdrop"]]
    images = [fill_white_borders(scan.image) for scan in backdrops]
    for scan, image, layers in zip(backdrops, images, segmenter.layers(images), strict=True):
        known = np.any([np.zeros(image.shape, np.bool_), *scan.masks.values()], axis=0)
        backdrop = Backdrop(image, layers.boundary_row_px, known)
        count = PER_DUKE if scan.source == "layers_duke_dme" else PER_BACKDROP[scan.row["split"]]
        for number in range(count):
            found = attempt(backdrop, LESIONS[number % len(LESIONS)], rng)
            if found is None:
                continue
            levels, masks = varied(rng, found.image, named_masks(found, scan), is_varied=scan.row["split"] != "test")
            row = row_of(out, f"{scan.name}+{number:02d}", levels, masks)
            yield row | {
                "subject": scan.row["subject"], "class": "+".join(masks),
                "source": f"simulated lesions in {scan.source}",
                "licence": LICENCES.get(scan.source, OTHER_LICENCE), "split": scan.row["split"],
                "drawn_by": SIMULATED,
            }  # fmt: skip


def plain_rows(out: Path, scans: list[RealScan], rng: np.random.Generator) -> Iterator[Row]:
    """Variants of the normal scans that are not for testing, of the same subject and part."""
    for scan in scans:
        if scan.row["class"] == NORMAL and scan.row["split"] != "test":
            for number in range(PLAIN_PER_NORMAL):
                levels, _ = varied(rng, fill_white_borders(scan.image), {}, is_varied=True)
                picture = row_of(out, f"{scan.name}~{number:02d}", levels, {})
                yield real_row(out, scan) | {"file": picture["file"]}


def attempt(backdrop: Backdrop, lesion: BscanLesion, rng: np.random.Generator) -> Inserted | None:
    """Lesions of this kind, tried a few times: a place may be too narrow."""
    tries = (insert_lesions(backdrop, lesion, rng) for _ in range(ATTEMPTS))
    return next((found for found in tries if found is not None), None)


def named_masks(found: Inserted, scan: RealScan) -> dict[str, Mask]:
    """Simulated lesions by class; those drawn before belong to the first class that the scan has."""
    masks = dict(found.masks)
    if scan.masks:
        first = next(iter(scan.masks))
        masks[first] = masks.get(first, np.zeros_like(found.moved_mask)) | found.moved_mask
        for other in scan.masks:
            masks.setdefault(other, found.moved_mask)
    return masks


def varied(
    rng: np.random.Generator, image: Levels, masks: dict[str, Mask], *, is_varied: bool
) -> tuple[Levels, dict[str, Mask]]:
    """Another device's tone, blur and noise, and a narrower field; test scans stay as the device wrote them."""
    if not is_varied:
        return image, masks
    width = image.shape[1]
    wide = int(width * rng.uniform(0.7, 1.0))
    left = int(rng.integers(0, width - wide + 1))
    if any(mask[:, left : left + wide].mean() < LEAST_LESION_SHARE for mask in masks.values()):
        left, wide = 0, width
    cut = slice(left, left + wide)
    levels = ndimage.gaussian_filter(image[:, cut].astype(np.float32), rng.uniform(0.0, 1.1))
    tone = np.clip(levels / 255.0, 0.0, 1.0) ** rng.uniform(0.65, 1.5)
    tone = rng.uniform(0.75, 1.25) * (tone - rng.uniform(0.0, 0.05)) + rng.choice((0.0, 1.0)) * rng.uniform(0.0, 0.22)
    if rng.random() < 0.4:  # noqa: PLR2004 - some are single frames
        grain = rng.standard_normal((2, *tone.shape), dtype=np.float32)
        tone = tone * (1.0 + rng.uniform(0.0, 0.3) * grain[0]) + rng.uniform(0.0, 0.1) * np.abs(grain[1])
    kept = {name: mask[:, cut] for name, mask in masks.items()}
    return np.asarray(255.0 * np.clip(tone, 0.0, 1.0) + 0.5, np.uint8), kept


def row_of(out: Path, name: str, image: Levels, masks: dict[str, Mask]) -> Row:
    """Save picture and masks; the row that names them."""
    row = dict.fromkeys(COLUMNS, "") | {"file": f"scans/{name}.png"}
    Image.fromarray(image).save(out / row["file"])
    for lesion, mask in masks.items():
        row[f"mask_{lesion}"] = f"masks/{name}.{lesion}.png"
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(out / row[f"mask_{lesion}"])
    return row


def without_leaks(out: Path, rows: list[Row]) -> list[Row]:
    """The rows without phantoms that look like a scan of another part: bands of the same height and slope."""
    pictures = read_bscans(out)
    dropped: set[int] = set()
    for one, other in near_duplicates(pictures, ALIKE):
        if rows[one]["split"] != rows[other]["split"] and not {one, other} & dropped:
            phantoms = [index for index in (one, other) if rows[index]["source"] == SOURCE]
            dropped |= set(phantoms[:1])
    return [row for index, row in enumerate(rows) if index not in dropped]


def write_manifest(out: Path, rows: list[Row]) -> None:
    """OUT/manifest.csv."""
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def table(path: Path) -> list[Row]:
    """The rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
