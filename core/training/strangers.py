"""Pictures that are no OCTA en-face images: drawn here, or shipped inside scikit-image; they teach the modality head.

Arrays are uint8 (256, 256). The photographs are parted by name, so that those reported on are never trained on.
"""

from collections.abc import Callable
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from core.scoring.lanes.canvas import CANVAS_PX
from core.training.degrade import smooth_field

Grey = NDArray[np.uint8]

TRAINING_PHOTOGRAPHS = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "chessboard_GRAY.png",
    "coffee.png",
    "gravel.png",
    "horse.png",
    "logo.png",
    "motorcycle_left.png",
    "page.png",
    "phantom.png",
    "retina.jpg",
)
HELD_OUT_PHOTOGRAPHS = (
    "chelsea.png",
    "clock_motion.png",
    "coins.png",
    "color.png",
    "grass.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "microaneurysms.png",
    "moon.png",
    "rocket.jpg",
    "text.png",
)


def photograph(name: str) -> Grey:
    """A picture of scikit-image's own data folder in grey levels (height, width)."""
    data = files("skimage.data").joinpath(name).read_bytes()
    with Image.open(BytesIO(data)) as picture:
        return np.asarray(picture.convert("L"), dtype=np.uint8)


def crop_of(picture: Grey, rng: np.random.Generator) -> Grey:
    """A random square of at least half the shorter side, on the canvas."""
    side = int(min(picture.shape) * rng.uniform(0.5, 1.0))
    top = int(rng.integers(0, picture.shape[0] - side + 1))
    left = int(rng.integers(0, picture.shape[1] - side + 1))
    square = Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side]))
    return np.asarray(square.resize((CANVAS_PX, CANVAS_PX), Image.Resampling.BILINEAR), dtype=np.uint8)


def drawn(rng: np.random.Generator) -> Grey:
    """A picture drawn from one of the families below."""
    return _FAMILIES[int(rng.integers(len(_FAMILIES)))](rng)


def blank(rng: np.random.Generator) -> Grey:
    """One grey level, or nearly so."""
    level, grain = rng.uniform(0, 255), rng.uniform(0, 3)
    return _grey(level + rng.normal(0, grain, (CANVAS_PX, CANVAS_PX)))


def noise(rng: np.random.Generator) -> Grey:
    """Noise of one distribution and correlation length."""
    values = rng.normal(0, 1, (CANVAS_PX, CANVAS_PX)) if rng.random() < 0.5 else rng.random((CANVAS_PX, CANVAS_PX))  # noqa: PLR2004
    if rng.random() < 0.6:  # noqa: PLR2004 - some of it correlated
        values = gaussian_filter(values, rng.uniform(0.3, 6))
    values = (values - values.mean()) / values.std()
    return _grey(rng.uniform(30, 220) + rng.uniform(8, 90) * values)


def gradient(rng: np.random.Generator) -> Grey:
    """A ramp, rings or stripes."""
    rows, columns = np.mgrid[0 : 1 : CANVAS_PX * 1j, 0 : 1 : CANVAS_PX * 1j]
    angle = rng.uniform(0, np.pi)
    ramp = np.cos(angle) * rows + np.sin(angle) * columns
    if rng.random() < 0.6:  # noqa: PLR2004 - stripes rather than a plain ramp
        ramp = np.sin(ramp * rng.uniform(5, 120)) * 0.5 + 0.5
    return _grey(255 * ramp + rng.normal(0, rng.uniform(0, 15), ramp.shape))


def text(rng: np.random.Generator) -> Grey:
    """Lines of characters, dark on light or light on dark: a screenshot or a report page."""
    dark_on_light = rng.random() < 0.6  # noqa: PLR2004
    page = Image.new("L", (CANVAS_PX, CANVAS_PX), 245 if dark_on_light else 15)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=float(rng.integers(8, 28)))
    row = float(rng.uniform(0, 20))
    while row < CANVAS_PX:
        letters = "".join(chr(int(code)) for code in rng.integers(33, 122, int(rng.integers(4, 50))))
        words = letters.replace("a", " ").replace("E", " ")
        pen.text((float(rng.uniform(0, 30)), row), words, fill=20 if dark_on_light else 235, font=font)
        row += float(rng.uniform(10, 36))
    if rng.random() < 0.4:  # noqa: PLR2004 - a window with panes
        left, top = (int(value) for value in rng.integers(0, 120, 2))
        pen.rectangle((left, top, left + 90, top + 70), fill=int(rng.integers(0, 255)))
    return np.asarray(page, dtype=np.uint8)


def fundus(rng: np.random.Generator) -> Grey:
    """Like a fundus photograph in grey: bright ground, dark branching vessels, a bright disc, often a dark rim."""
    rows, columns = np.mgrid[-1 : 1 : CANVAS_PX * 1j, -1 : 1 : CANVAS_PX * 1j]
    picture = 90 + 70 * smooth_field(rows.shape, rng, 3)
    disc_row, disc_column = rng.uniform(-0.3, 0.3), rng.choice([-1, 1]) * rng.uniform(0.2, 0.8)
    radius = rng.uniform(0.08, 0.2)
    picture += 90 / (1 + np.exp((np.hypot(rows - disc_row, columns - disc_column) - radius) * 40))
    canvas = Image.new("L", (CANVAS_PX, CANVAS_PX), 0)
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(6, 18))):
        _grow_vessel(pen, rng, (disc_column, disc_row))
    vessels = gaussian_filter(np.asarray(canvas, dtype=np.float32), 0.8)
    picture -= vessels * rng.uniform(0.15, 0.35)
    if rng.random() < 0.7:  # noqa: PLR2004 - most cameras show the rim
        picture[np.hypot(rows, columns) > rng.uniform(0.85, 1.1)] = rng.uniform(0, 15)
    return _grey(picture + rng.normal(0, rng.uniform(1, 6), picture.shape))


def layers(rng: np.random.Generator) -> Grey:
    """Like a B-scan: dark above, a few bright wavy bands with speckle, fading below."""
    rows, columns = np.mgrid[0 : 1 : CANVAS_PX * 1j, 0 : 1 : CANVAS_PX * 1j]
    surface = rng.uniform(0.25, 0.5) + rng.uniform(0.01, 0.1) * np.sin(columns * rng.uniform(1, 6) + rng.uniform(0, 6))
    depth = rows - surface
    picture = np.zeros_like(rows)
    for _ in range(int(rng.integers(3, 7))):
        picture += rng.uniform(40, 160) * np.exp(-(((depth - rng.uniform(0, 0.3)) / rng.uniform(0.006, 0.05)) ** 2))
    picture += (depth > 0) * rng.uniform(20, 80) * np.exp(-np.clip(depth, 0, None) * rng.uniform(2, 8))
    speckle = gaussian_filter(rng.normal(0, 1, rows.shape), 0.6)
    return _grey(picture * (1 + rng.uniform(0.1, 0.6) * speckle) + rng.uniform(0, 25) * (1 + 0.5 * speckle))


def _grow_vessel(pen: ImageDraw.ImageDraw, rng: np.random.Generator, start: tuple[float, float]) -> None:
    point = (np.array(start) + 1) / 2 * CANVAS_PX
    angle, width = rng.uniform(0, 2 * np.pi), rng.uniform(2, 6)
    for _ in range(int(rng.integers(15, 40))):
        angle += rng.normal(0, 0.2)
        following = point + 8 * np.array([np.cos(angle), np.sin(angle)])
        pen.line((*point.tolist(), *following.tolist()), fill=255, width=max(1, round(width)))
        point, width = following, width * 0.965


def _grey(values: NDArray[np.floating]) -> Grey:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


_FAMILIES: tuple[Callable[[np.random.Generator], Grey], ...] = (blank, noise, gradient, text, fundus, layers)
