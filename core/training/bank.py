"""Fills the bank that samples are drawn from: the folder's training part, and phantoms rendered once per training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantom, random_spec
from core.training.degrade import grade_after
from core.training.samples import ARTIFACTS, FAZ_CHANNEL, N_CHANNELS, Bank, Canvas, canvas_of, phantom_canvas
from core.training.splits import Part, SplitImage
from core.vocabulary import CoipsGrade

TRAINING_PHANTOM_STREAM = 1
"""Second word of the phantoms' seed; tests and evaluations use other streams, so that none is ever trained on."""


def fill_bank(images: Sequence[SplitImage], *, phantoms: Sequence[Canvas], part: Part = Part.TRAIN) -> Bank:
    """A part of the folder on canvases, by what each can teach.

    Graded images without a FAZ mask teach nothing here: they are for the scan heads alone.
    """
    bank = Bank(phantoms=list(phantoms))
    for item in images:
        if item.part is not part:
            continue
        canvas = canvas_of(item.image)
        if not canvas.is_octa:
            bank.strangers.append(canvas)
            continue
        if canvas.known[FAZ_CHANNEL]:
            bank.faz.append(canvas)
        elif item.image.grade is None:
            bank.pool.append(canvas)
    return bank


def render_phantoms(count: int, *, seed: int) -> list[Canvas]:
    """``count`` phantoms of every slab, field, look and artifact, as canvases."""
    canvases = []
    for index in range(count):
        rng = np.random.default_rng([seed, TRAINING_PHANTOM_STREAM, index])
        phantom = render_octa(random_spec(rng), int(rng.integers(2**31)))
        masks = [phantom.artifact_masks[kind] for kind in ARTIFACTS]
        masks += [phantom.faz_mask, phantom.large_vessel_mask]
        canvases.append(phantom_canvas(phantom.image, masks, artifact_grade(phantom)))
    return canvases


def artifact_grade(phantom: OctaPhantom) -> CoipsGrade:
    """The grade that a phantom's artifacts imply, wherever its fovea lies: centration is judged apart from the grade.

    A sample is shifted and zoomed besides, so that an off-centre fovea would be a wrong clue.
    """
    grade = grade_after(CoipsGrade.OUTSTANDING, phantom.artifact_masks)
    assert grade is not None  # known wherever the base is outstanding
    return grade


def cached_phantoms(path: Path, count: int, *, seed: int) -> list[Canvas]:
    """The phantoms of an earlier start of the same training, or newly rendered ones, kept at ``path``."""
    if not path.is_file():
        canvases = render_phantoms(count, seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path,
            images=np.stack([canvas.image for canvas in canvases]),
            masks=np.stack([canvas.masks for canvas in canvases]),
            grades=np.array([canvas.grade for canvas in canvases], np.int64),
        )
        return canvases
    everything_known = np.ones(N_CHANNELS, bool)
    with np.load(path, allow_pickle=False) as stored:
        images, masks, grades = stored["images"], stored["masks"], stored["grades"]
    return [
        Canvas(image, mask, everything_known, "phantom", CoipsGrade(int(grade)))
        for image, mask, grade in zip(images, masks, grades, strict=True)
    ]
