"""Burns a caption (a name, a date, a number) into an image, as device exports do, with the exact place as truth."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SEARCH_LIMIT_PT = 200


class CaptionStyle(StrEnum):
    """How a caption stands out from the image."""

    PLAIN = "plain"
    """Glyphs of one grey level, straight onto the image."""
    OUTLINED = "outlined"
    """Glyphs with a black outline."""
    ON_BAR = "on bar"
    """Glyphs on a filled box."""


class CaptionPlace(StrEnum):
    """Where along the image's border a caption stands; ``left`` and ``right`` are turned by 90 degrees."""

    TOP_LEFT = "top left"
    TOP = "top"
    TOP_RIGHT = "top right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom right"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Caption:
    """What is burned in. ``height_px`` is the height of a capital letter; ``level`` the glyphs' grey level, 0-255."""

    text: str
    height_px: int = 12
    place: CaptionPlace = CaptionPlace.TOP_LEFT
    margin_px: int = 3
    level: int = 255
    style: CaptionStyle = CaptionStyle.PLAIN


def burn_in(
    image: NDArray[np.uint8], caption: Caption, font: ImageFont.FreeTypeFont | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The image with the caption in it, and the caption's box as a boolean mask, both (height, width).

    ``font`` gives the typeface (Pillow's own by default); its size is chosen so that a capital H is ``height_px``
    high. Text that does not fit is cut at the image's edge, as devices do.
    """
    glyphs = _glyphs(caption, font)
    if caption.place in {CaptionPlace.LEFT, CaptionPlace.RIGHT}:
        glyphs = glyphs.transpose(Image.Transpose.ROTATE_90)
    left, top = _corner(caption, image.shape, glyphs.size)
    picture = Image.fromarray(image)
    box = (left - 2, top - 2, left + glyphs.width + 1, top + glyphs.height + 1)
    if caption.style is CaptionStyle.ON_BAR:
        ImageDraw.Draw(picture).rectangle(box, fill=0 if caption.level > 127 else 255)  # noqa: PLR2004 - mid grey
    elif caption.style is CaptionStyle.OUTLINED:
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            picture.paste(0, (left + dx, top + dy), glyphs)
    picture.paste(caption.level, (left, top), glyphs)
    mask = np.zeros(image.shape, dtype=np.bool_)
    mask[max(top, 0) : top + glyphs.height, max(left, 0) : left + glyphs.width] = True
    return np.asarray(picture, dtype=np.uint8), mask


def _glyphs(caption: Caption, font: ImageFont.FreeTypeFont | None) -> Image.Image:
    """Coverage of the caption's glyphs, mode L, tightly cropped."""
    sized = _sized(font, caption.height_px)
    left, top, right, bottom = (round(edge) for edge in sized.getbbox(caption.text))
    glyphs = Image.new("L", (max(right - left, 1), max(bottom - top, 1)), 0)
    ImageDraw.Draw(glyphs).text((-left, -top), caption.text, font=sized, fill=255)
    return glyphs


@lru_cache(maxsize=1024)
def _sized(font: ImageFont.FreeTypeFont | None, height_px: int) -> ImageFont.FreeTypeFont:
    for size in range(height_px, _SEARCH_LIMIT_PT):
        sized = _default_font(size) if font is None else font.font_variant(size=size)
        box = sized.getbbox("H")
        if box[3] - box[1] >= height_px:
            return sized
    raise ValueError(f"No size up to {_SEARCH_LIMIT_PT} pt gives capitals of {height_px} px.")


def _default_font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType; install the ordinary wheel.")
    return font


def _corner(caption: Caption, shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    """Left and top of the caption's box."""
    height, width = shape[:2]
    margin = caption.margin_px
    spare_x, spare_y = width - size[0], height - size[1]
    across = {"left": margin, "right": spare_x - margin}
    down = {"top": margin, "bottom": spare_y - margin}
    words = caption.place.value.split()
    left = next((across[word] for word in words if word in across), spare_x // 2)
    top = next((down[word] for word in words if word in down), spare_y // 2)
    return max(min(left, spare_x), 0), max(min(top, spare_y), 0)
