"""Who teaches what: every scan the classifier, pathological scans alone the segmenter, as paper 003 has it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from core.networks.bscan import CmCnn
from core.training.bscan.label import NORMAL, read_bscans, record_of
from core.training.bscan.recipe import BSCAN, BscanRecipe
from core.training.bscan.samples import BscanSamples
from core.training.bscan.stages import Stages
from core.training.supervised.fit import Fitted, Machine
from core.training.supervised.parts import place
from core.training.supervised.picture import Picture
from core.training.supervised.record import Part

TINY = {
    "image_px": 64, "epochs": 1, "batches_per_epoch": 1, "encoder_channels": [8, 8, 16, 16],
    "decoder_channels": [16, 8, 8, 8], "test_share": 0.3, "validation_share": 0.2,
}  # fmt: skip


class Watched(Stages):
    """Stages that remember which pictures each fit asked for."""

    seen: list[set[str]] = []  # noqa: RUF012 - cleared by the test

    def _samples(self, pictures: Sequence[Picture], recipe: BscanRecipe) -> BscanSamples:
        self.seen.append({picture.record.file for picture in pictures})
        return super()._samples(pictures, recipe)


@pytest.fixture
def watched(bscan_folder: Path, tmp_path: Path) -> Watched:
    Watched.seen.clear()
    recipe = BSCAN.changed(TINY)
    classes = ("normal", "cnv", "drusen", "fluid")
    return Watched(place(read_bscans(bscan_folder), recipe), classes, recipe, tmp_path, Machine(torch.device("cpu")))


def test_the_segmenter_is_taught_and_watched_by_pathological_scans_alone(watched: Watched) -> None:
    normal = {item.picture.record.file for item in watched.placed if NORMAL in record_of(item.picture).classes}
    ill = {item.picture.record.file for item in watched.placed} - normal
    assert normal
    assert isinstance(watched.fit_classifier(), Fitted)
    assert any(files & normal for files in watched.seen), "normal scans teach the classifier"
    Watched.seen.clear()
    shape = watched.recipe.shape(len(watched.classes))
    guide = CmCnn(shape)
    watched.fit_segmenter(guide, lambda: watched.new_segmenter(guide, shape), {})
    used = {item.picture.record.file for item in watched.placed if item.part is not Part.TEST}
    assert set.union(*watched.seen) == ill & used
