"""Trains the detector of burned-in lettering: real and simulated scans with captions of known place burned in."""

import io
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from core.networks.text_detector import TextDetector
from core.phantom.caption import Caption, CaptionPlace, CaptionStyle, burn_in

CROP_PX = 128
CELL_PX = 4
MIN_CONTRAST = 8.0
"""Mean change of grey level within a caption's box from which on it can be read."""
_GIVEN = ("Anna", "John", "Maria", "Wei", "Olga", "Jan", "Fatima", "Yuki", "Peter", "Ingrid", "Carlos", "Amira")
_FAMILY = ("Smith", "Garcia", "Nguyen", "Mueller", "Rossi", "Tanaka", "Kowalski", "Ivanova", "Johnson", "Haddad")
_LABELS = ("", "", "Name: ", "Patient ", "DOB ", "ID ", "MRN: ")


@dataclass(frozen=True, slots=True)
class TextDetectorRecipe:
    """How the shipped weights were trained. ``captioned`` is the share of crops that hold a caption."""

    steps: int = 2500
    batch_size: int = 24
    learning_rate: float = 2e-3
    captioned: float = 0.55
    seed: int = 20


def train_text_detector(
    images: Sequence[NDArray[np.uint8]],
    fonts: Sequence[Path],
    recipe: TextDetectorRecipe,
    *,
    start: TextDetector | None = None,
) -> tuple[TextDetector, float]:
    """Train on ``images``, uint8 (height, width), free of lettering; returns the model and its last mean loss.

    ``start`` is a model to go on from. An image may stand in ``images`` several times: that is how those on which an
    earlier model erred (ragged edges of eye movements) are drawn more often.
    """
    torch.manual_seed(recipe.seed)
    model = (start or TextDetector()).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=recipe.steps)
    losses: list[float] = []
    for crops, targets in _batches(images, fonts, recipe):
        logits = model(torch.from_numpy(crops))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(targets))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return model.eval(), float(np.mean(losses[-100:]))


def _batches(
    images: Sequence[NDArray[np.uint8]], fonts: Sequence[Path], recipe: TextDetectorRecipe
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Crops (B, 1, H, W) in [-0.5, 0.5] and cell targets (B, 1, H/4, W/4) in {0, 1}."""
    rng = np.random.default_rng(recipe.seed)
    typefaces = [None, *(ImageFont.truetype(font, 12) for font in fonts)]
    for _ in range(recipe.steps):
        pairs = [_example(images, typefaces, recipe, rng) for _ in range(recipe.batch_size)]
        crops = np.stack([crop for crop, _ in pairs])[:, None].astype(np.float32) / np.float32(255) - np.float32(0.5)
        targets = np.stack([target for _, target in pairs])[:, None].astype(np.float32)
        yield crops, targets


def _example(
    images: Sequence[NDArray[np.uint8]],
    typefaces: Sequence[ImageFont.FreeTypeFont | None],
    recipe: TextDetectorRecipe,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    crop = _crop(images[int(rng.integers(len(images)))], rng)
    if rng.random() < 0.15:  # noqa: PLR2004 - share of crops with marks that are no text
        crop = _with_marks(crop, rng)
    mask = np.zeros(crop.shape, dtype=np.bool_)
    if rng.random() < recipe.captioned:
        typeface = typefaces[int(rng.integers(len(typefaces)))]
        plain = crop
        crop, mask = burn_in(plain, _caption(rng), typeface)
        contrast = np.abs(crop.astype(np.int16) - plain)[mask].mean()
        if contrast < MIN_CONTRAST:  # black on black: nobody could read it, and to call it text would teach noise
            crop, mask = plain, np.zeros(plain.shape, dtype=np.bool_)
        turns = int(rng.choice([0, 0, 0, 0, 1, 2, 3]))
        crop, mask = np.rot90(crop, turns), np.rot90(mask, turns)
    if rng.random() < 0.3:  # noqa: PLR2004 - share of exports that went through JPEG
        crop = _through_jpeg(crop, int(rng.integers(60, 96)))
    cells = mask.reshape(CROP_PX // CELL_PX, CELL_PX, CROP_PX // CELL_PX, CELL_PX).mean(axis=(1, 3)) > 0.5  # noqa: PLR2004
    return crop, cells


def _crop(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square piece at a random size, flip, brightness and contrast; sometimes beside a black margin."""
    side = int(min(CROP_PX * rng.uniform(0.7, 1.4), *image.shape))
    top, left = (int(rng.integers(0, length - side + 1)) for length in image.shape)
    piece = Image.fromarray(image[top : top + side, left : left + side]).resize(
        (CROP_PX, CROP_PX), Image.Resampling.BICUBIC
    )
    values = np.asarray(piece, dtype=np.float64)
    values = np.rot90(values, int(rng.integers(4)))
    if rng.random() < 0.5:  # noqa: PLR2004 - a coin
        values = values[:, ::-1]
    gamma, gain = rng.uniform(0.6, 1.6), rng.uniform(0.5, 1.3)
    values = 255 * gain * (values / 255) ** gamma + rng.uniform(-15, 15)
    if rng.random() < 0.12:  # noqa: PLR2004 - share of crops at an image's edge
        margin = int(rng.integers(4, 48))
        values = np.rot90(values.copy(), int(rng.integers(4))).copy()
        values[:margin] = rng.choice([0.0, 0.0, 255.0])
    return np.clip(values, 0, 255).astype(np.uint8)


def _caption(rng: np.random.Generator) -> Caption:
    level = int(rng.integers(140, 256)) if rng.random() < 0.35 else int(rng.choice([255, 255, 255, 0]))  # noqa: PLR2004
    styles = [CaptionStyle.PLAIN, CaptionStyle.PLAIN, CaptionStyle.PLAIN, CaptionStyle.OUTLINED, CaptionStyle.ON_BAR]
    return Caption(
        text=_text(rng),
        height_px=int(rng.integers(9, 30)),
        place=list(CaptionPlace)[rng.integers(6)],
        margin_px=int(rng.integers(0, 50)),
        level=level,
        style=styles[rng.integers(len(styles))],
    )


def _text(rng: np.random.Generator) -> str:
    """A name, a date, a number or a random string, as captions hold them."""
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    date = f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(1925, 2010)}"
    number = str(rng.integers(10_000, 10_000_000))
    alphabet = list(string.ascii_letters + string.digits + " .,:-/")
    noise = "".join(rng.choice(alphabet, size=rng.integers(6, 16)))
    kinds = (f"{family}, {given}", f"{given} {family}", date, number, noise, noise)
    text = str(rng.choice(_LABELS)) + kinds[rng.integers(len(kinds))]
    return text.upper() if rng.random() < 0.25 else text  # noqa: PLR2004 - share of captions in capitals


def _with_marks(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Lines, boxes and circles, which devices draw too and which name no one."""
    picture = Image.fromarray(crop)
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 4))):
        points = tuple(int(value) for value in rng.integers(0, CROP_PX, 4))
        box = (
            min(points[0], points[2]),
            min(points[1], points[3]),
            max(points[0], points[2]),
            max(points[1], points[3]),
        )
        level, width = int(rng.choice([0, 255, 200])), int(rng.integers(1, 4))
        match int(rng.integers(3)):
            case 0:
                pen.line(points, fill=level, width=width)
            case 1:
                pen.rectangle(box, outline=level, width=width)
            case _:
                pen.ellipse(box, outline=level, width=width)
    return np.asarray(picture, dtype=np.uint8)


def _through_jpeg(crop: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("L"), dtype=np.uint8)
