"""Clean phantoms lie where real gradable scans lie, by simple statistics of each device's look."""

import csv

import numpy as np
import pytest
from PIL import Image
from scipy import fft

from core.phantom.family import FAMILIES
from core.phantom.octa import render_octa
from core.phantom.spec import OctaPhantomSpec
from core.scoring.lanes.canvas import place

pytestmark = pytest.mark.real_data

PAIRS = {
    "COIPS superficial": "coips-superficial",
    "COIPS deep": "coips-deep",
    "OCTA500_3M": "octa500-3mm",
    "OCTA500_6M": "octa500-6mm",
    "ROSSA": "rossa",
}
"""Which family of phantoms stands for which real set."""


def clean_phantom(family, seed):
    known = FAMILIES[family]
    return render_octa(OctaPhantomSpec(slab=known.slab, field_mm=known.field_mm, look=known.look), seed).image


ALLOWED = {"mean": 35.0, "deviation": 20.0, "neighbour lines": 0.15, "spectrum slope": 0.6}
"""How far a phantom's average may lie from a real set's: sets themselves differ by about as much."""


def statistics(levels):
    """Mean and deviation of grey levels, correlation of neighbouring lines, slope of the radial power spectrum."""
    image = levels.astype(float)
    height, width = image.shape
    lines = np.corrcoef(image[:-1].ravel(), image[1:].ravel())[0, 1]
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(fft.fft2((image - image.mean()) * window)) ** 2
    radius = np.hypot(fft.fftfreq(height)[:, None], fft.fftfreq(width))
    edges = np.geomspace(0.01, 0.5, 14)
    ring = np.digitize(radius, edges)
    radial = [power[ring == number].mean() for number in range(1, 14)]
    slope = np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(radial), 1)[0]
    return np.array([image.mean(), image.std(), lines, slope])


def read(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def real_scans(folder, name):
    if name.startswith("COIPS"):
        with (folder / "faz_coips/manifest.csv").open(encoding="utf-8") as file:
            slab = name.split()[1]
            chosen = [row["file"] for row in csv.DictReader(file) if row["slab"] == slab]
        return [read(folder / "faz_coips/images" / file) for file in chosen[:20]]
    with (folder / "octa_graded/grades.csv").open(encoding="utf-8") as file:
        chosen = [row["file"] for row in csv.DictReader(file) if row["source"] == name and row["grade"] != "0"]
    return [read(folder / "octa_graded/images" / file) for file in chosen[:20]]


@pytest.mark.parametrize("name", list(PAIRS))
def test_a_phantom_is_like_the_real_set_it_stands_for(real_data, name):
    real = np.mean([statistics(place(levels)[0]) for levels in real_scans(real_data, name)], axis=0)
    drawn = np.mean([statistics(place(clean_phantom(PAIRS[name], seed))[0]) for seed in range(6)], axis=0)
    distances = dict(zip(ALLOWED, np.abs(real - drawn), strict=True))
    assert {what: far for what, far in distances.items() if far > ALLOWED[what]} == {}
