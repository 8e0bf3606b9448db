import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from uploads import phantom

from core.intake.burned_in_text import CELL_PX, WEIGHTS_FILE, Region, find_lettering, text_probability
from core.networks.text_detector import TextDetector
from core.phantom.caption import Caption, CaptionPlace, CaptionStyle, burn_in

NAMES = ("Smith, John", "MUELLER ANNA", "Jane Doe 1961", "ID 00482913")


def captioned(number: int, place: CaptionPlace, style: CaptionStyle, height_px: int) -> np.ndarray:
    caption = Caption(NAMES[number % len(NAMES)], height_px=height_px, place=place, style=style)
    return burn_in(phantom(number % 6, size_px=304), caption)[0]


def test_names_burned_into_the_border_are_found():
    cases = list(itertools.product(CaptionPlace, CaptionStyle, (12, 16, 24)))
    missed = [
        case for number, case in enumerate(cases) if not find_lettering(captioned(number, case[0], case[1], case[2]))
    ]
    assert len(missed) <= 0.05 * len(cases), missed


def test_clean_phantoms_are_not_held():
    assert [seed for seed in range(40) if find_lettering(phantom(seed, size_px=304))] == []


def test_phantoms_with_artifacts_are_not_held():
    strong = {"motion": 0.7, "shadow": 0.6, "low_signal": 0.6}
    held = [seed for seed in range(30) if find_lettering(phantom(seed, size_px=304, **strong))]
    assert len(held) <= 1


def test_the_box_lies_on_the_name():
    image, mask = burn_in(phantom(1, size_px=304), Caption("Smith, John", height_px=16, place=CaptionPlace.BOTTOM_LEFT))
    regions = find_lettering(image)
    covered = np.zeros(image.shape, bool)
    for region in regions:
        box = region.widened(304, 304)
        covered[box.top : box.bottom, box.left : box.right] = True
    assert covered[mask].mean() > 0.8
    assert covered[:200].mean() < 0.05


def test_large_lettering_in_a_large_image_is_found():
    large = np.asarray(
        Image.fromarray(captioned(0, CaptionPlace.TOP_LEFT, CaptionStyle.ON_BAR, 20)).resize((1216, 1216))
    )
    assert find_lettering(large)


def test_numpy_gives_what_torch_gives():
    image = phantom(3, size_px=304)
    model = TextDetector().eval()
    model.load_state_dict(load_file(WEIGHTS_FILE))
    with torch.no_grad():
        expected = torch.sigmoid(model(torch.from_numpy(image[None, None].astype(np.float32) / 255 - 0.5)))[
            0, 0
        ].numpy()
    assert np.allclose(text_probability(image), expected, atol=1e-4)


def test_an_image_of_several_tiles_gives_the_same_as_in_one():
    """Two tiles wide: cells beside the seam see across it."""
    image = np.tile(phantom(4, size_px=304), (1, 2))[:, :600]
    whole, left = text_probability(image), text_probability(image[:, :512])
    seam = 512 // CELL_PX
    margin = 64 // CELL_PX
    assert np.allclose(whole[:, : seam - margin], left[:, : seam - margin], atol=1e-4)


@pytest.mark.parametrize("shape", [(64, 64), (65, 131), (304, 67)])
def test_every_size_is_taken(shape: tuple[int, int]):
    image = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    height, width = text_probability(image).shape
    assert (height, width) == (-(-shape[0] // CELL_PX), -(-shape[1] // CELL_PX))
    find_lettering(image)


def test_a_widened_box_stays_inside_the_image():
    assert Region(2, 1, 60, 13).widened(64, 64) == Region(0, 0, 64, 19)


@pytest.mark.real_data
def test_real_scans_are_hardly_ever_held(real_data: Path):
    """Every ninth real scan of every source; the model card has the rate over all that training left out."""
    files = sorted(
        path
        for name in ("octa_graded", "octa_pool", "faz_coips")
        for path in (real_data / name / "images").glob("*.png")
    )
    held = [file.name for file in files[::9] if find_lettering(np.asarray(Image.open(file).convert("L")))]
    assert len(held) <= 0.05 * len(files[::9]), held
