"""The objects that the reader's tests stand on are themselves judged by an independent validator."""

from pathlib import Path

import numpy as np
import pytest
from dicom_phantoms import DEEP, OCT_SCANNER, en_face, photograph, quality_rating, tomography, written
from dicom_validator import faults
from uploads import phantom

IMAGE = phantom()
CONTRADICTIONS = {
    "InConcatenationTotalNumber(0020,9163)", "InConcatenationNumber(0020,9162)",
    "ConcatenationFrameOffsetNumber(0020,9228)",
}  # fmt: skip
"""dciodvfy of 2022 contradicts itself about these three of OPT: PS3.3, C.8.17.7 requires them with the value 1 (0), and it
says so where they are missing; where they are there, it calls them wrong because a concatenation has more parts."""


@pytest.mark.parametrize(
    "dataset",
    [
        en_face(IMAGE),
        en_face(IMAGE, what=DEEP, OphthalmicEnFaceImageQualityRatingSequence=[quality_rating(68)]),
        photograph(IMAGE),
        photograph(IMAGE, device=OCT_SCANNER),
        photograph(np.repeat(IMAGE[..., None], 3, axis=2)),
        photograph(IMAGE.astype(np.uint16) * 257),
    ],
    ids=["en face", "en face with rating", "photograph", "photograph of OCT", "colour", "16 bits"],
)
def test_the_validator_finds_no_error_in_en_face_images_and_photographs(tmp_path: Path, dataset):
    assert faults(written(dataset, tmp_path / "object")).errors == ()


@pytest.mark.parametrize("n", [1, 3])
def test_in_tomography_it_finds_nothing_but_where_it_contradicts_itself(tmp_path: Path, n: int):
    path = written(tomography(np.stack([IMAGE] * n)), tmp_path / "object")
    found = faults(path).errors
    assert {line.split("</")[1].split(">")[0] for line in found} == CONTRADICTIONS
    without = tomography(np.stack([IMAGE] * n), **{name.split("(")[0]: None for name in CONTRADICTIONS})
    missing = faults(written(without, path)).errors
    assert {line.split("</")[1].split(">")[0] for line in missing} == CONTRADICTIONS, "it asks for them, too"


def test_the_validator_does_find_what_is_wrong(tmp_path: Path):
    broken = faults(written(en_face(IMAGE, PixelSpacing=None), tmp_path / "object"))
    assert any("PixelSpacing" in line for line in broken.errors)
