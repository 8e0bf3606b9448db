"""A folder of B-scan phantoms in the layout of the recipe `layers`, and the settings of a tiny training on it."""

import csv
from pathlib import Path

from PIL import Image

from core.phantom.bscan import BscanLesion, BscanSpec, draw_bscan

N_SUBJECTS, N_EACH = 8, 3
SMALL = {
    "image_px": "64", "base_channels": "8", "column_stride": "2", "loss": "entropy-dice", "epochs": "2",
    "batch_size": "4", "batches_per_epoch": "3", "n_phantoms": "2", "phantom_share": "0.3", "crop_columns": "32",
    "patience": "none", "learning_rate": "0.003",
}  # fmt: skip


def write_phantom_folder(folder: Path) -> Path:
    """Images of 96 px, label maps of seven layers, a manifest."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows = [("file", "subject", "mask", "source", "licence")]
    spec = {"height_px": 96, "width_px": 96, "z_mm_per_px": 0.02, "x_mm_per_px": 0.06}
    for number in range(N_SUBJECTS * N_EACH):
        lesion = BscanLesion.FLUID if number % 2 else BscanLesion.NONE
        phantom = draw_bscan(BscanSpec(lesion=lesion, noise=0.1, depth_fraction=0.4 + 0.01 * number, **spec), number)
        name = f"images/{number:02d}.png"
        Image.fromarray(phantom.image).save(folder / name)
        Image.fromarray(phantom.labels * 10).save(folder / f"masks/{number:02d}.png")
        rows.append((name, f"p{number // N_EACH}", f"masks/{number:02d}.png", "phantoms", "made here"))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder
