"""Stacks of simulated B-scans with their layers, in the layout of a folder of annotated images."""

from pathlib import Path

import numpy as np
from PIL import Image

from core.phantom.bscan import BscanLesion, BscanSpec, VolumeSpec, draw_volume_lines
from core.training.qunet.slices import IMAGES, MASKS

SIZE_PX = 256
"""As layers_duke_dme has it."""
FIELD_MM, DEPTH_MM, LINE_DISTANCE_MM = 6.0, 1.9, 0.25
N_STACKS, N_SLICES = 8, 11
"""As many subjects and slices of each as layers_duke_dme has, so that both experiments are of one size."""
PHANTOM_SEED = 20_431


def write_stacks(folder: Path, *, n_stacks: int = N_STACKS, n_slices: int = N_SLICES, seed: int = PHANTOM_SEED) -> None:
    """Write images/NN_KK.png and masks/NN_KK.png; stacks differ in retina, look, lesion, noise and shadow."""
    for name in (IMAGES, MASKS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lesions = tuple(BscanLesion)
    for stack in range(n_stacks):
        rng = np.random.default_rng((seed, stack))
        spec = BscanSpec(
            height_px=SIZE_PX,
            width_px=SIZE_PX,
            z_mm_per_px=DEPTH_MM / SIZE_PX,
            x_mm_per_px=FIELD_MM / SIZE_PX,
            lesion=lesions[stack % len(lesions)],
            noise=float(rng.uniform(0.1, 0.8)),
            shadow=float(rng.uniform(0.0, 0.6)),
            tilt_mm_per_mm=float(rng.normal(0.0, 0.02)),
        )
        volume = draw_volume_lines(VolumeSpec(n_slices, LINE_DISTANCE_MM, bscan=spec), seed + stack)
        for number, line in enumerate(volume.lines):
            name = f"p{stack + 1:02d}_{number:02d}.png"
            Image.fromarray(line.image).save(folder / IMAGES / name)
            Image.fromarray(line.labels).save(folder / MASKS / name)
