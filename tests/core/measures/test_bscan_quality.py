"""Signal quality of B-scans: phantoms whose noise is known, and the public pairs of one place, noisy and averaged."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.measures.bscan_quality import CLIPPED, NO_BAND, bscan_quality
from core.phantom.bscan import BscanSpec, draw_bscan
from core.phantom.bscan_light import BscanLook
from core.values import Measured

LOOK = BscanLook(black=0.0)


def of_phantom(noise: float) -> tuple[float, float]:
    image = draw_bscan(BscanSpec(248, 256, 0.0078, 0.0232, noise=noise, look=LOOK), seed=4).image
    quality = bscan_quality(image)
    assert isinstance(quality.snr_db, Measured)
    assert isinstance(quality.contrast, Measured)
    return quality.snr_db.value, quality.contrast.value


def test_more_noise_means_less_signal_to_noise_and_less_contrast() -> None:
    found = [of_phantom(noise) for noise in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert found == sorted(found, reverse=True)
    assert [contrast for _, contrast in found] == sorted((contrast for _, contrast in found), reverse=True)


def test_an_even_image_has_no_retina_to_measure() -> None:
    quality = bscan_quality(np.full((128, 128), 40, np.uint8))
    assert quality.snr_db == NO_BAND
    assert quality.contrast == NO_BAND


def test_noise_of_known_size_gives_the_ratio_of_its_definition() -> None:
    rng = np.random.default_rng(1)
    image = np.full((400, 400), 50.0)
    image[200:280] = 150.0
    noisy = np.clip(np.rint(image + rng.normal(0, 5, image.shape)), 0, 255).astype(np.uint8)
    quality = bscan_quality(noisy)
    assert isinstance(quality.snr_db, Measured)
    # 20 log10(100 / 5); a pixel has a forty-ninth part in its own mean, the smoothed border of the band a little more.
    assert quality.snr_db.value == pytest.approx(26.0, abs=0.4)


def test_a_background_without_noise_is_called_clipped() -> None:
    image = np.zeros((300, 300), np.uint8)
    image[150:210] = np.random.default_rng(0).integers(150, 200, (60, 300))
    image[2:140:20, ::20] = 1  # far below what eight bits can show, and yet not evenly filled
    assert bscan_quality(image).snr_db == CLIPPED


@pytest.mark.real_data
def test_the_averaged_b_scan_ranks_above_its_noisy_twin_every_time(real_data: Path) -> None:
    pairs = sorted((real_data / "bscan_sdoct").rglob("*_average.png"))
    assert len(pairs) == 12
    for average in pairs:
        better, worse = (
            bscan_quality(np.asarray(Image.open(path).convert("L")))
            for path in (average, average.with_name(average.name.replace("average", "noisy")))
        )
        for name in ("snr_db", "contrast"):
            assert getattr(better, name).value > getattr(worse, name).value, (average.name, name)
