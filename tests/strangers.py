"""Pictures that are no OCTA en-face image, drawn by other hands than the training's own strangers (core.training).

Import as `from strangers import FAMILIES, PHOTOGRAPHS`. Each family takes a generator and returns uint8 pictures of
several sizes; nothing here may be used to train, or the test would ask what it has told.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from skimage.draw import disk, line

Grey = NDArray[np.uint8]
SIZES = (224, 304, 320, 512)
PHOTOGRAPHS = (
    "chelsea.png", "clock_motion.png", "coins.png", "color.png", "grass.png", "hubble_deep_field.jpg", "ihc.png",
    "microaneurysms.png", "moon.png", "rocket.jpg", "text.png",
)  # fmt: skip
"""Of scikit-image's own pictures those that no training here has seen (core.training.strangers parts them by name)."""

_WORDS = [
    "Patient",
    "OCTA",
    "Report",
    "Signal",
    "Strength",
    "7/10",
    "OD",
    "OS",
    "Date",
    "2026-03-04",
    "Superficial",
    "Deep",
    "FAZ",
    "area",
    "mm2",
    "VD",
    "%",
    "Left",
]


def blank(rng: np.random.Generator) -> list[Grey]:
    """Black, white, one grey, and nearly blank."""
    flat = [np.full((304, 304), level, np.uint8) for level in (0, 1, 128, 254, 255)]
    return [*flat, _grey(20 + rng.normal(0, 1.5, (320, 320)))]


def gradients(rng: np.random.Generator) -> list[Grey]:
    """Ramps, rings, a vignette and a grating."""
    rows, columns = np.mgrid[0 : 1 : 304 * 1j, 0 : 1 : 304 * 1j]
    radius = np.hypot(rows - 0.5, columns - 0.5)
    grain = rng.normal(0, 3, rows.shape)
    shapes = [rows, columns, 1 - radius, np.exp(-4 * radius**2), (np.sin(60 * radius) + 1) / 2]
    shapes.append((np.sin(90 * (rows + 0.3 * columns)) + 1) / 2)
    return [_grey(230 * shape + grain) for shape in shapes]


def spectral_noise(rng: np.random.Generator) -> list[Grey]:
    """Noise whose amplitude goes as f to powers from 0.5 to -1.5, blurred, of one band, salt and pepper, shot noise."""
    found = [coloured(rng, exponent) for exponent in (0.5, 0.0, -0.3, -0.5, -0.6, -0.75, -0.9, -1.0, -1.1, -1.25, -1.5)]
    white = rng.normal(size=(304, 304))
    found += [_levels(gaussian_filter(white, sigma)) for sigma in (0.7, 1.5, 4.0)]
    found += [_levels(gaussian_filter(white, sigma) - gaussian_filter(white, 2 * sigma)) for sigma in (1.0, 2.0)]
    found.append(_grey(255 * (rng.random((304, 304)) < 0.2)))
    found.append(_grey(rng.poisson(6, (304, 304)) * 12))
    return found


def screenshots(rng: np.random.Generator) -> list[Grey]:
    """A page of words, a dark terminal, a table, and a device's report with plots."""
    return [_page(rng, 250, 10), _page(rng, 12, 220), _table(rng), _report(rng), _page(rng, 200, 90)]


def fundus_photographs(rng: np.random.Generator) -> list[Grey]:
    """A lit circle on black with a bright disc, and dark vessels that leave it in arcades."""
    return [_fundus(rng, size, is_circle=is_circle) for size in SIZES for is_circle in (True, False)]


def bscans(rng: np.random.Generator) -> list[Grey]:
    """Cross-sections: layers over a foveal pit, speckle that multiplies, shadows below vessels; wide and square."""
    return [_bscan(rng, height, width) for height, width in ((304, 304), (256, 512), (496, 768), (320, 320))]


FAMILIES: dict[str, Callable[[np.random.Generator], list[Grey]]] = {
    "blank": blank,
    "gradients": gradients,
    "noise": spectral_noise,
    "screenshots": screenshots,
    "fundus photographs": fundus_photographs,
    "B-scans": bscans,
}


def coloured(rng: np.random.Generator, exponent: float, size: int = 304) -> Grey:
    """Noise whose amplitude goes as frequency to ``exponent``."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1.0
    values = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(size, size))) * frequency**exponent, s=(size, size))
    return _levels(values)


def _levels(values: NDArray[np.floating]) -> Grey:
    return _grey(110 + 45 * (values - values.mean()) / values.std())


def _page(rng: np.random.Generator, paper: int, ink: int) -> Grey:
    page = Image.new("L", (320, 320), paper)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=13.0)
    for row in range(8, 310, 17):
        pen.text((8, row), " ".join(rng.choice(_WORDS, 8)), fill=ink, font=font)
    return np.asarray(page, np.uint8)


def _table(rng: np.random.Generator) -> Grey:
    page = Image.new("L", (400, 304), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=11.0)
    for row in range(0, 304, 19):
        pen.line((0, row, 400, row), fill=190)
        for column in range(0, 400, 66):
            pen.line((column, 0, column, 304), fill=190)
            pen.text((column + 4, row + 3), f"{rng.uniform(0, 99):.2f}", fill=40, font=font)
    return np.asarray(page, np.uint8)


def _report(rng: np.random.Generator) -> Grey:
    page = Image.fromarray(_page(rng, 245, 20)).resize((512, 512))
    pen = ImageDraw.Draw(page)
    for left, top in ((20, 60), (270, 60), (20, 300)):
        pen.rectangle((left, top, left + 200, top + 160), fill=255, outline=0)
        heights = rng.uniform(10, 140, 12)
        for at, height in enumerate(heights):
            pen.rectangle((left + 8 + 16 * at, top + 155 - height, left + 18 + 16 * at, top + 155), fill=90)
    return np.asarray(page, np.uint8)


def _fundus(rng: np.random.Generator, size: int, *, is_circle: bool) -> Grey:
    ground = 105 + 30 * gaussian_filter(rng.normal(0, size / 8, (size, size)), size / 9)
    centre = np.array([size * rng.uniform(0.42, 0.58), size * rng.choice([0.3, 0.7])])
    vessels = np.zeros((size, size))
    for angle in rng.uniform(0, 2 * np.pi, 14):
        _arcade(vessels, centre, angle, rng, size)
    ground -= 60 * np.clip(gaussian_filter(vessels, size / 250), 0, 1)
    rows, columns = disk(tuple(centre), size * 0.075, shape=ground.shape)
    ground[rows, columns] += 70
    if is_circle:
        outside = np.hypot(*(np.mgrid[0:size, 0:size] - size / 2)) > 0.48 * size
        ground[outside] = 4
    return _grey(gaussian_filter(ground, 0.7) + rng.normal(0, 2.5, ground.shape))


def _arcade(
    canvas: NDArray[np.float64], start: NDArray[np.float64], angle: float, rng: np.random.Generator, size: int
) -> None:
    point, bend = start.copy(), rng.normal(0, 0.04)
    for step in range(60):
        angle += bend + rng.normal(0, 0.05)
        following = np.clip(point + size / 70 * np.array([np.sin(angle), np.cos(angle)]), 0, size - 2)
        rows, columns = line(int(point[0]), int(point[1]), int(following[0]), int(following[1]))
        canvas[rows, columns] = canvas[np.minimum(rows + (step < 35), size - 1), columns] = 1.0
        point = following


def _bscan(rng: np.random.Generator, height: int, width: int) -> Grey:
    columns = np.linspace(-1, 1, width)
    surface = 0.35 + 0.05 * columns + 0.07 * np.exp(-((columns / 0.22) ** 2)) + 0.03 * columns**2
    depth = np.linspace(0, 1, height)[:, None] - surface[None, :]
    layers = ((0.0, 0.012, 150), (0.05, 0.02, 90), (0.11, 0.015, 110), (0.2, 0.008, 170), (0.235, 0.016, 210))
    tissue = sum(level * np.exp(-(((depth - at) / thickness) ** 2)) for at, thickness, level in layers)
    tissue = tissue + 70 * (depth > 0) * np.exp(-4 * np.clip(depth, 0, None))
    shadows = 1 - 0.6 * (rng.random(width) < 0.04)
    speckle = gaussian_filter(rng.gamma(3.0, 1 / 3.0, (height, width)), 0.7)
    return _grey(tissue * shadows[None, :] * speckle + 8 * rng.gamma(2.0, 0.5, (height, width)))


def _grey(values: NDArray[np.floating]) -> Grey:
    return np.asarray(np.clip(values, 0, 255), np.uint8)
