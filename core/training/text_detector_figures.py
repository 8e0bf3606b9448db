"""How often the text detector holds clean scans and finds captions, on the images that its training left out.

An image counts once as it is (a region found is a false hold) and once with a caption drawn near its border (found
where a region lies on the caption). Captions are drawn by the image's own seed, so order and selection change nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from core.errors import UsageError
from core.intake.burned_in_text import WEIGHTS_FILE, find_lettering
from core.phantom.caption import Caption, CaptionPlace, CaptionStyle, burn_in
from core.statistics.proportions import Proportion, wilson_interval
from core.training.folder import LabelledImage, read_folder
from core.training.text_detector import MIN_CONTRAST
from core.training.text_detector_card import TextDetectorCard, TextFigure

FALSE_HOLD, FOUND = "clean scans held", "captions found"
EVERY_SOURCE = "all sources"
HEIGHTS_PX = (12, 13, 14, 16, 18, 20, 24)
"""Height of a capital letter, from the least that can be read on a printed page of a device upwards."""
MARGINS_PX = (1, 2, 4, 6, 10)
TEXTS = (
    "Smith, John", "MUELLER ANNA", "Jane Doe 1961-04-12", "Garcia Lopez, Maria", "DOB: 03/11/1954", "ID 00482913",
    "O'Brien, Pat", "Nguyen Van Anh", "KOWALSKI, Jan", "Li Wei", "Patient: Rossi", "Mrs. A. Johnson", "Anna Schmidt",
    "12.05.1948 OD", "Tanaka Yuki", "Ivanova Olga M",
)  # fmt: skip
LOOKS = {
    "white": (CaptionStyle.PLAIN, (255,)),
    "grey": (CaptionStyle.PLAIN, (180, 200, 220)),
    "black": (CaptionStyle.PLAIN, (0,)),
    "white, outlined": (CaptionStyle.OUTLINED, (255,)),
    "white on a black bar": (CaptionStyle.ON_BAR, (255,)),
    "black on a white bar": (CaptionStyle.ON_BAR, (0,)),
}
"""Name of a look -> style and grey levels of the glyphs."""
ATTEMPTS = 200
"""Draws until a caption fits the image and can be read; far more than any image has needed."""

Face = ImageFont.FreeTypeFont | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What happened to one image without and with a caption."""

    key: str
    source: str
    look: str
    is_held_clean: bool
    is_caption_found: bool


def evaluate_text_detector(
    data: Path, *, weights: Path = WEIGHTS_FILE, fonts: Sequence[Path] = ()
) -> tuple[TextFigure, ...]:
    """The figures on the left-out images of the training folder ``data`` that the card beside ``weights`` names.

    ``fonts`` are TrueType files to write the captions in, besides Pillow's own typeface. The intervals take images as
    independent of each other; near duplicates among them are not quite.

    Raises
    ------
    UsageError
        The folder lacks images that the card names, or weights and card do not belong together.
    """
    card = TextDetectorCard.beside(weights)
    images = {image.key: image for image in read_folder(data)}
    missing = [key for key in card.held_out if key not in images]
    if missing:
        raise UsageError(
            f"The folder lacks {len(missing)} of {len(card.held_out)} left-out images, the first is {missing[0]}.",
            remedy="Give the folder with the sets that the card names under 'data'.",
        )
    faces: list[Face] = [None, *(ImageFont.truetype(font, max(HEIGHTS_PX)) for font in fonts)]
    return figures_of([try_image(images[key], faces, weights=weights) for key in card.held_out])


def try_image(image: LabelledImage, faces: Sequence[Face], *, weights: Path = WEIGHTS_FILE) -> Trial:
    """Search one image as it is and with a caption."""
    pixels = image.pixels()
    look, captioned, mask = burn_in_readably(pixels, faces, np.random.default_rng(_seed(image.key)))
    found = find_lettering(captioned, weights=weights)
    return Trial(
        key=image.key,
        source=image.source,
        look=look,
        is_held_clean=bool(find_lettering(pixels, weights=weights)),
        is_caption_found=any(mask[box.top : box.bottom, box.left : box.right].any() for box in found),
    )


def burn_in_readably(
    pixels: NDArray[np.uint8], faces: Sequence[Face], rng: np.random.Generator
) -> tuple[str, NDArray[np.uint8], NDArray[np.bool_]]:
    """A look's name, the image with a caption of it, and the caption's box as a mask, both (height, width).

    The look is drawn once; text, place, size and typeface again until the caption fits and a person could read it.
    """
    look = list(LOOKS)[int(rng.integers(len(LOOKS)))]
    style, levels = LOOKS[look]
    for _ in range(ATTEMPTS):
        caption = Caption(
            text=TEXTS[int(rng.integers(len(TEXTS)))],
            height_px=int(rng.choice(HEIGHTS_PX)),
            place=list(CaptionPlace)[int(rng.integers(len(CaptionPlace)))],
            margin_px=int(rng.choice(MARGINS_PX)),
            level=int(rng.choice(levels)),
            style=style,
        )
        captioned, mask = burn_in(pixels, caption, faces[int(rng.integers(len(faces)))])
        if _is_whole(mask) and _contrast(captioned, pixels, mask) >= MIN_CONTRAST:
            return look, captioned, mask
    raise UsageError(
        f"No readable caption fits an image of {pixels.shape[1]} x {pixels.shape[0]} pixels.",
        remedy="Leave out images smaller than a line of text, and such as have a single grey level.",
    )


def _is_whole(mask: NDArray[np.bool_]) -> bool:
    """Whether the caption ends before the image does; one that reaches both edges was cut."""
    is_cut_across = mask[:, 0].any() and mask[:, -1].any()
    is_cut_down = mask[0].any() and mask[-1].any()
    return not is_cut_across and not is_cut_down


def _contrast(captioned: NDArray[np.uint8], plain: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Mean change of grey level within the caption's box."""
    return float(np.abs(captioned[mask].astype(np.int16) - plain[mask]).mean())


def _seed(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")


def figures_of(trials: Sequence[Trial]) -> tuple[TextFigure, ...]:
    """Both rates over all images and within each source, and the share found of each look."""
    return tuple(_figures(trials))


def _figures(trials: Sequence[Trial]) -> Iterator[TextFigure]:
    sources = sorted({trial.source for trial in trials})
    for name in (EVERY_SOURCE, *sources):
        members = [trial for trial in trials if name in (EVERY_SOURCE, trial.source)]
        yield from _figure(FALSE_HOLD, name, [trial.is_held_clean for trial in members])
    for name in (EVERY_SOURCE, *sources):
        members = [trial for trial in trials if name in (EVERY_SOURCE, trial.source)]
        yield from _figure(FOUND, name, [trial.is_caption_found for trial in members])
    for look in LOOKS:
        yield from _figure(FOUND, look, [trial.is_caption_found for trial in trials if trial.look == look])


def _figure(name: str, of: str, outcomes: Sequence[bool]) -> Iterator[TextFigure]:
    rate = wilson_interval(sum(outcomes), len(outcomes))
    if isinstance(rate, Proportion):
        rounded = {field: round(getattr(rate, field), 4) for field in ("value", "low", "high")}
        yield TextFigure(name=name, set=of, k=rate.k, n=rate.n, **rounded)
